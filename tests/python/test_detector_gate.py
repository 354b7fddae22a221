"""`generate --detector`: a landmark detector refuses pictures; data sets keep their promises."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import forge_rt as fr
import numpy as np
import pytest
from data_sets import cli, generate_alone, members, one_error, read_json, records, stopped, tree
from face_bundles import faces_network, fields, picture, write_faces
from forge_rt.annotation.detector import DetectorFiles, LandmarkDetector
from forge_rt.production.generator_plan import GeneratorPlan
from forge_rt.production.samples import SampleMaker
from forge_rt.production.sources import generator as generator_source
from forge_rt.production.sources import open_source

PLAN = fr.Plan(count=6, seed=11, model="next3d-mini", shard_size=4, generator={"detector": "faces-mini"})
#: near the median: about every other draw is refused
STRICT = replace(PLAN, generator={"detector": "faces-mini", "detector_px": 3})


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strict") / "set"
    fr.generate(STRICT, folder, batch=4)
    return folder


def _rejected(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [draw for line in lines for draw in json.loads(line)["rejected"]]


def test_next3d_minis_pictures_please_faces_mini() -> None:
    samples = SampleMaker(open_source(PLAN), PLAN).make(range(4))
    for sample in samples:
        assert sample.accepted and not sample.rejected
        assert sample.detected is not None and sample.detected_px is not None
        off = np.linalg.norm(sample.detected - sample.landmarks, axis=1).mean() * 512 / 256
        assert sample.detected_px == pytest.approx(off, rel=1e-5) and off < 6  # measured: 5.6 at most, of 200


def test_refused_draws_are_on_record(strict: Path) -> None:
    rejected, notes = _rejected(strict), records(strict)
    assert rejected and all("px from the detector's, 3 are allowed" in draw["reason"] for draw in rejected)
    assert [n["attempt"] for n in notes] == [sum(d["index"] == i for d in rejected) for i in range(PLAN.count)]
    manifest = read_json(strict / "manifest.json")
    for note in notes:
        assert note["accepted"] and 0 < note["generator"]["fit"]["detector_px"] <= 3
        assert note["generator"]["detector"] == {
            "name": "faces-mini",
            "sha256": manifest["made_with"]["detector_sha256"],
        }
    assert manifest["model"]["parts"]["detector faces-mini"] == "Apache-2.0"
    assert "faces-mini finds no face" in (strict / "README.md").read_text()
    assert "under Apache-2.0 too" in (strict / "README.md").read_text()


def test_a_draw_that_passes_is_the_one_made_without_a_detector(tmp_path: Path) -> None:
    fr.generate(replace(PLAN, count=2), tmp_path / "asked")
    fr.generate(replace(PLAN, count=2, generator=None), tmp_path / "free")
    asked, free = members(tmp_path / "asked"), members(tmp_path / "free")
    assert {name: data for name, data in asked.items() if not name.endswith(".json")} == {
        name: data for name, data in free.items() if not name.endswith(".json")
    }
    assert "detector" not in records(tmp_path / "free")[0]["generator"]
    assert "detector_sha256" not in read_json(tmp_path / "free/plan.json")["made_with"]


def test_batch_and_threads_change_nothing(strict: Path, tmp_path: Path) -> None:
    generate_alone(STRICT, tmp_path / "set")
    assert tree(tmp_path / "set") == tree(strict)


def test_workers_change_nothing(strict: Path, tmp_path: Path) -> None:
    fr.generate(STRICT, tmp_path / "set", batch=3, workers=2)
    assert tree(tmp_path / "set") == tree(strict)


def test_a_stopped_run_goes_on(strict: Path, tmp_path: Path) -> None:
    stopped(STRICT, tmp_path / "set")
    fr.generate(out=tmp_path / "set", resume=True)
    assert tree(tmp_path / "set") == tree(strict)


def test_replay_is_identical(strict: Path, tmp_path: Path) -> None:
    late = max(records(strict), key=lambda note: note["attempt"])["index"]
    (replayed,) = fr.replay(strict, [late], tmp_path / "again", extras=["normals"])
    assert replayed.identical, replayed.note


def test_batches_are_the_samples(strict: Path) -> None:
    batch: Any = next(iter(fr.batches(STRICT, batch=6)))
    assert (batch.detected_px <= 3).all() and batch.detected.shape == (6, 68, 2)
    px = [note["generator"]["fit"]["detector_px"] for note in records(strict)]
    assert np.allclose(batch.detected_px, px, atol=1e-6)


def test_views_of_one_person_are_asked_one_by_one(tmp_path: Path) -> None:
    plan = replace(STRICT, count=4, views=2, layout="folders")
    fr.generate(plan, tmp_path / "set", batch=4)
    fr.generate(plan, tmp_path / "straddled", batch=3)
    assert tree(tmp_path / "set") == tree(tmp_path / "straddled")


def test_layout_synthforge_has_the_detectors_points(tmp_path: Path) -> None:
    fr.generate(replace(PLAN, count=2, layout="synthforge"), tmp_path / "set")
    for i in range(2):
        note = read_json(tmp_path / f"set/annotations/{i:05d}.json")
        off = np.linalg.norm(np.array(note["fan_kps"]) - np.array(note["2d_kps"]), axis=1)
        assert off.shape == (68,) and note["mse"] == pytest.approx(off.mean(), abs=1e-3)
    (replayed,) = fr.replay(tmp_path / "set", [1], tmp_path / "again")
    assert replayed.identical, replayed.note


class _Stub:
    """Sees no face in bright pictures, and one in the corner of the others. Says what it was asked."""

    asked: ClassVar[list[int]] = []

    def __init__(self, files: DetectorFiles, device: str) -> None:
        assert files.name == "faces-mini" and device == "cpu"

    def many(self, images: list[np.ndarray]) -> list[np.ndarray | None]:
        self.asked.append(len(images))
        return [None if image.mean() > 110 else np.zeros((68, 2), np.float32) for image in images]


def test_a_stubbed_detector_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generator_source, "LandmarkDetector", _Stub)
    _Stub.asked.clear()
    fr.generate(replace(PLAN, count=2, shard_size=2, layout="synthforge"), tmp_path / "set")
    reasons = [draw["reason"] for draw in _rejected(tmp_path / "set")]
    assert len(reasons) == 2 * 15 and _Stub.asked == [2] * 16  # a batch in one call; every draw failed
    assert "the detector finds no face" in reasons
    assert any("px from the detector's, 11 are allowed" in reason for reason in reasons)
    rows = fr.inspect(tmp_path / "set")
    assert not rows.problems
    for i in range(2):  # the last draw is kept, marked
        note = read_json(tmp_path / f"set/annotations/{i:05d}.json")
        assert (note["fan_kps"] == []) == (note["mse"] is None)


def test_what_the_mesh_refuses_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generator_source, "LandmarkDetector", _Stub)
    _Stub.asked.clear()
    plan = replace(PLAN, count=1, generator={"detector": "faces-mini", "min_agreement": 0.999})
    fr.generate(plan, tmp_path / "set")
    assert set(_Stub.asked) == {0}
    (note,) = records(tmp_path / "set")
    assert "0.999 is needed" in note["reason"] and note["generator"]["fit"]["detector_px"] is None


def test_another_detector_is_refused(strict: Path, tmp_path: Path) -> None:
    """A bundle may move; what it holds may not change."""
    first, moved = tmp_path / "a/faces-mini.forge", tmp_path / "b/faces-mini.forge"
    shutil.copytree(fr.asset_path("faces-mini.forge"), first)
    plan = replace(PLAN, count=2, shard_size=1, generator={"detector": str(first)})
    fr.generate(plan, tmp_path / "set")
    assert str(tmp_path) not in (tmp_path / "set/manifest.json").read_text()
    moved.parent.mkdir()
    first.rename(moved)
    with pytest.raises(fr.NotFoundError, match="no bundle"):
        fr.replay(tmp_path / "set", [1], tmp_path / "again")
    (replayed,) = fr.replay(tmp_path / "set", [1], tmp_path / "again", detector=str(moved))
    assert replayed.identical, replayed.note
    assert fr.generate(out=tmp_path / "set", resume=True, generator={"detector": str(moved)}).made == 0
    manifest = read_json(moved / "bundle.json")
    (moved / "bundle.json").write_text(json.dumps({**manifest, "about": "another"}))
    with pytest.raises(fr.UnsupportedError, match="another detector"):
        fr.replay(tmp_path / "set", [1], tmp_path / "again", detector=str(moved))
    with pytest.raises(fr.UnsupportedError, match="detector is another one"):
        fr.generate(out=tmp_path / "set", resume=True, generator={"detector": str(moved)})
    with pytest.raises(fr.InvalidArgumentError, match="another generator"):
        fr.generate(out=tmp_path / "set", resume=True, generator={"detector": str(moved), "detector_px": 5})
    fr.generate(replace(PLAN, count=1, generator=None), tmp_path / "free")
    with pytest.raises(fr.InvalidArgumentError, match="asked no detector"):
        fr.replay(tmp_path / "free", [0], tmp_path / "again", detector="faces-mini")


def test_two_bundles_make_a_detector() -> None:
    one, two = DetectorFiles.find("faces-mini"), DetectorFiles.find("faces-mini, detect-mini")
    assert two.name == "faces-mini,detect-mini" and two.hash != one.hash
    assert set(two.licences) == {"detector faces-mini", "detector detect-mini"}
    sample = SampleMaker(open_source(PLAN), PLAN).make([0])[0]
    points = [LandmarkDetector(names)(sample.rgb) for names in ("faces-mini", "faces-mini,detect-mini")]
    assert points[0] is not None and points[1] is not None and np.abs(points[0] - points[1]).max() < 3
    assert LandmarkDetector()(np.zeros((64, 64, 3), np.uint8)) is None


def test_bundles_that_are_no_detector(tmp_path: Path) -> None:
    """Networks of the face analyzer's tests: a red square is a face."""
    five = write_faces(tmp_path / "five.forge", faces=faces_network(landmarks=5))
    blind = write_faces(tmp_path / "blind.forge", fields(detector=None))
    outputs = {"landmarks": fields()["outputs"]["landmarks"]}
    points = write_faces(tmp_path / "points.forge", fields(outputs=outputs, labels=None))
    with pytest.raises(fr.UnsupportedError, match="has no detector of its own"):
        DetectorFiles.find(str(blind))
    assert DetectorFiles.find(f"{blind},{points}").name == "blind,points"
    plan = replace(PLAN, count=1, generator={"detector": str(five)})
    with pytest.raises(fr.UnsupportedError, match="five has 5 landmarks"):
        fr.generate(plan, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    seen = LandmarkDetector(str(points))(picture(160, 160, (80, 80, 40)))  # without parsing nothing is verified
    assert seen is not None and seen.shape == (68, 2) and np.abs(seen.mean(0) - 80).max() < 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detector": ""}, "detector must be a bundle"),
        ({"detector": 5}, "detector must be text"),
        ({"detector": "faces-mini", "detector_px": 0}, "detector_px must be pixels"),
        ({"detector": "faces-mini", "detector_px": "a"}, "detector_px must be pixels"),
        ({"detector": "faces-mini", "detector_px": float("nan")}, "detector_px must be pixels"),
        ({"detector": "faces-mini", "detector_px": True}, "detector_px must be pixels"),
        ({"detector_px": 5}, "name one"),
    ],
)
def test_a_plans_errors(options: dict[str, Any], words: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match=words):
        replace(PLAN, generator=options).validate()


def test_the_published_limit_is_written_out() -> None:
    assert GeneratorPlan.from_json({"detector": "faces-mini"}).to_json()["detector_px"] == 11.0
    assert GeneratorPlan.from_json({}).to_json()["detector_px"] is None
    whole, real = (replace(PLAN, generator={"detector": "x", "detector_px": px}).to_json() for px in (3, 3.0))
    assert json.dumps(whole) == json.dumps(real)


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    def error(*options: object) -> str:
        return one_error(cli("generate", "--out", tmp_path / "set", "--count", 1, *options))

    mini = ("--model", "next3d-mini")
    assert "belongs to generator models" in error("--detector", "faces-mini")
    assert "no bundle 'nobody'" in error(*mini, "--detector", "nobody")
    assert "has no landmarks" in error(*mini, "--detector", "detect-mini")
    assert "finds no faces" in error(*mini, "--detector", "faces-mini,forgehead")
    assert "two joined by a comma" in error(*mini, "--detector", "faces-mini,detect-mini,x")
    assert "name one" in error(*mini, "--detector-px", 5)
    assert not (tmp_path / "set").exists()


def test_command_line_and_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("model: next3d-mini\ncount: 1\ndetector: faces-mini\ndetector-px: 9\n")
    done = cli("generate", "--out", tmp_path / "set", "--config", tmp_path / "c.yaml", "--detector-px", 10)
    assert done.returncode == 0, done.stderr
    plan = read_json(tmp_path / "set/plan.json")["plan"]["generator"]
    assert (plan["detector"], plan["detector_px"]) == ("faces-mini", 10.0)
    done = cli("replay", tmp_path / "set", "--index", 0, "--out", tmp_path / "again", "--detector", "faces-mini")
    assert done.returncode == 0 and "identical" in done.stdout, done.stderr
