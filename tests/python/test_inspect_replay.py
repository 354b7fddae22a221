"""`inspect` finds what is wrong and shows what is there; `replay` makes any sample again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import forge_rt as fr
import numpy as np
import pytest
from data_sets import cli, forge_plan, members, one_error, tree

PLAN = fr.Plan(count=14, seed=12, size=64, style="mixed", shard_size=5, min_visible=0.8)


@pytest.fixture(scope="module", params=["shards", "folders", "coco", "synthforge"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "set"
    fr.generate(replace(PLAN, layout=request.param), folder)
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspect") / "set"
    fr.generate(PLAN, folder)
    return folder


def test_a_good_run_has_no_problems(made: Path) -> None:
    before = tree(made)
    found = fr.inspect(made)
    assert found.good and found.finished and found.problems == []
    assert (found.samples, found.shards) == (14, 3)
    assert found.statistics == json.loads((made / "statistics.json").read_text())
    assert tree(made) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("statistics.json", "statistics.json was changed"),
        ("README.md", "README.md was changed"),
        ("contact_sheet.png", "contact_sheet.png was changed"),
        ("shards/000001.tar", "shards/000001.tar"),
        ("index.parquet", "index.parquet"),
        ("journal.jsonl", "shard 1"),
    ],
)
def test_every_changed_byte_is_found(shards: Path, tmp_path: Path, name: str, text: str) -> None:
    shutil.copytree(shards, tmp_path / "set")
    path = tmp_path / "set" / name
    data = bytearray(path.read_bytes())
    at = data.index(b'"shard":1') + 60 if name == "journal.jsonl" else len(data) // 2
    data[at] ^= 1
    path.write_bytes(data)
    found = fr.inspect(tmp_path / "set")
    assert any(text in problem for problem in found.problems), found.problems


def test_strange_and_missing_files_are_found(shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards, tmp_path / "set")
    (tmp_path / "set/shards/000009.tar").write_bytes(b"")
    (tmp_path / "set/statistics.json").unlink()
    problems = "\n".join(fr.inspect(tmp_path / "set").problems)
    assert "shards/ holds 1 file that is not of this run, e.g. 000009.tar" in problems
    assert "statistics.json is missing" in problems


def test_a_wrong_index_is_found(shards: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    shutil.copytree(shards, tmp_path / "set")
    table = pq.read_table(shards / "index.parquet")
    pq.write_table(table.slice(1), tmp_path / "set/index.parquet")
    problems = "\n".join(fr.inspect(tmp_path / "set").problems)
    assert "13 samples are there, the plan has 14" in problems and "other samples for shard 0" in problems


def test_inspect_on_the_command_line(shards: Path, tmp_path: Path) -> None:
    done = cli("inspect", shards, "--sheet", tmp_path / "s.png", "--html", tmp_path / "r.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.png").read_bytes() == (shards / "contact_sheet.png").read_bytes()
    assert "<html" in (tmp_path / "r.html").read_text()
    document = json.loads(cli("inspect", shards, "--json").stdout)
    assert document["good"] and document["samples"] == 14 and document["statistics"]["count"] == 14
    shutil.copytree(shards, tmp_path / "set")
    (tmp_path / "set/shards/000000.tar").unlink()
    done = cli("inspect", tmp_path / "set")
    assert done.returncode == 1 and "shards/000000.tar is missing" in done.stdout
    assert "holds no run" in one_error(cli("inspect", tmp_path))


def test_replay_is_byte_identical(made: Path, tmp_path: Path) -> None:
    results = fr.replay(made, [13, 0, 6], tmp_path / "again")
    assert [r.index for r in results] == [13, 0, 6]
    assert all(r.identical for r in results), [r.note for r in results]
    rows = (made / "journal.jsonl").read_text()
    assert '"attempt":' in rows  # the plan rejects some: a replay must find the accepted draw
    if made.joinpath("images").is_dir():
        for name, data in tree(tmp_path / "again").items():
            if name.split("/")[0] != "annotations" or (made / name).exists():
                assert (made / name).read_bytes() == data


def test_every_redrawn_sample_replays(shards: Path, tmp_path: Path) -> None:
    notes = [json.loads(d) for n, d in members(shards).items() if n.endswith("json")]
    redrawn = [n["index"] for n in notes if n["attempt"] > 0]
    assert redrawn
    assert all(r.identical for r in fr.replay(shards, redrawn, tmp_path / "again"))


def test_replay_with_more_and_larger(shards: Path, tmp_path: Path) -> None:
    (more,) = fr.replay(shards, [3], tmp_path / "more", extras=["normals", "layers"])
    assert more.identical and (tmp_path / "more/normals/00000003.png").is_file()
    (large,) = fr.replay(shards, [3], tmp_path / "large", size=256)
    assert large.identical is None and "another size than the run's 64" in large.note
    small = cv2.imread(str(tmp_path / "more/images/00000003.jpg")).astype(float)
    big = cv2.resize(cv2.imread(str(tmp_path / "large/images/00000003.jpg")), (64, 64), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), big.ravel())[0, 1] > 0.95  # the same picture


def test_replay_of_a_sample_that_is_not_there_yet(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(_: fr.Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        fr.generate(PLAN, tmp_path / "set", progress=stop)
    (result,) = fr.replay(tmp_path / "set", [9], tmp_path / "again")
    assert result.identical is None and "has not made it yet" in result.note
    fr.generate(out=tmp_path / "set", resume=True)
    files = members(tmp_path / "set")
    assert (tmp_path / "again/seg/00000009.png").read_bytes() == files["00000009.seg.png"]


def test_replay_says_what_is_wrong(shards: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (([14], tmp_path), r"index must be 0\.\.13"),
        (([-1], tmp_path), r"index must be 0\.\.13"),
        (([], tmp_path), "at least one"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.replay(shards, *arguments)
    with pytest.raises(fr.InvalidArgumentError, match="extras are any of"):
        fr.replay(shards, [0], tmp_path, extras=["depth"])
    with pytest.raises(fr.InvalidArgumentError, match="holds a data set"):
        fr.replay(shards, [0], shards)
    done = cli("replay", shards, "--index", 2, "--index", 3, "--out", tmp_path / "cli")
    assert done.returncode == 0 and done.stdout.count("identical to the run's") == 2
    shutil.copytree(shards, tmp_path / "set")
    forge_plan(tmp_path / "set", model_sha256="0" * 64)
    assert "made with another model" in one_error(
        cli("replay", tmp_path / "set", "--index", 2, "--out", tmp_path / "x")
    )
