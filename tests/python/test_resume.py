"""Runs that are stopped, killed, joined or damaged: what is finished is never lost, and in the end every byte is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import forge_rt as fr
import pytest
from data_sets import cli, command, forge_plan, journal_lines, one_error, stopped, tmpfs, tree
from forge_rt.production import leases as leases_module
from forge_rt.production.folder import RunFolder
from forge_rt.production.leases import Leases

PLAN = fr.Plan(count=12, seed=3, size=32, shard_size=3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "set"
    fr.generate(PLAN, folder)
    return folder


# ---- stop and go on ----


@pytest.mark.parametrize("layout", ["shards", "folders", "coco", "synthforge"])
def test_a_stopped_run_goes_on(tmp_path: Path, layout: str) -> None:
    plan = replace(PLAN, layout=layout)
    fr.generate(plan, tmp_path / "whole")
    stopped(plan, tmp_path / "set", after=7)
    before = tree(tmp_path / "set")
    assert "manifest.json" not in before and not [name for name in before if name.startswith("leases/")]
    assert layout != "shards" or not [name for name in before if name.endswith(".part")]
    assert 1 <= journal_lines(tmp_path / "set") < 4
    result = fr.generate(out=tmp_path / "set", resume=True)
    assert 0 < result.made < 12
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def test_ctrl_c_drops_the_open_shard_and_says_how_to_go_on(tmp_path: Path) -> None:
    options = ["--count", 4000, "--size", 32, "--shard-size", 5]
    run = subprocess.Popen(
        command("generate", "--out", tmp_path / "set", *options, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it for jobs in the background
    )
    while journal_lines(tmp_path / "set") < 2:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    out, error = run.communicate(timeout=60)
    assert run.returncode == 130
    assert f"forge-rt generate --out {tmp_path / 'set'} --resume" in error and "Traceback" not in error
    assert json.loads(out.splitlines()[-1])["event"] == "stopped"
    assert not list((tmp_path / "set").rglob("*.part")) and not list((tmp_path / "set/leases").iterdir())
    inspection = fr.inspect(tmp_path / "set")
    assert len(inspection.problems) == 1 and "is not finished" in inspection.problems[0]


def test_fifty_kills_change_nothing(tmp_path: Path) -> None:
    """kill -9 at random instants, each after at least one more shard was finished; in the end the bytes of an undisturbed run.

    A machine so fast that a run ends before fifty kills does another one.
    """
    options = ["--count", 800, "--seed", 8, "--size", 16, "--shard-size", 4]
    whole = tmp_path / "whole"
    assert cli("generate", "--out", whole, *options).returncode == 0
    chance = random.Random(5)
    kills = 0
    for attempt in range(10):
        broken = tmp_path / f"broken{attempt}"
        while kills < 50:
            before = journal_lines(broken)
            run = subprocess.Popen(
                command("generate", "--out", broken, *options, "--resume", "--batch", chance.choice([1, 4, 16])),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            while run.poll() is None and journal_lines(broken) <= before:
                time.sleep(0.002)
            time.sleep(chance.random() ** 2 * 0.1)
            if run.poll() is None:
                run.kill()
                kills += 1
            _, error = run.communicate()
            assert run.returncode in (0, -signal.SIGKILL), error
            if run.returncode == 0:
                break
        assert cli("generate", "--out", broken, *options, "--resume").returncode == 0
        assert tree(broken) == tree(whole)
        assert fr.inspect(broken).problems == []
        if kills >= 50:
            return
    pytest.fail(f"only {kills} kills in ten runs")


def test_kills_in_the_last_step_change_nothing(finished: Path, tmp_path: Path) -> None:
    """All shards are there, the manifest is not: index, statistics, card, sheet and manifest are being written."""
    ready = tmp_path / "ready"
    stop_before_finish = (
        "import os, sys, forge_rt as fr, forge_rt.production.worker as w\n"
        "w.finish = lambda *a: os._exit(9)\n"
        f"fr.generate(fr.Plan(count=12, seed=3, size=32, shard_size=3), {str(ready)!r})\n"
    )
    assert subprocess.run([sys.executable, "-c", stop_before_finish], check=False).returncode == 9
    # The process ends itself at the n-th call that changes the folder.
    die_at = (
        "import os, sys, forge_rt as fr\n"
        "from pathlib import Path\n"
        "left = int(sys.argv[2])\n"
        "def count(old):\n"
        "    def call(*a, **k):\n"
        "        global left\n"
        "        left -= 1\n"
        "        if left < 0: os._exit(9)\n"
        "        return old(*a, **k)\n"
        "    return call\n"
        "for name in ('replace', 'unlink', 'open'): setattr(Path, name, count(getattr(Path, name)))\n"
        "os.unlink, os.rmdir = count(os.unlink), count(os.rmdir)\n"
        "fr.generate(out=sys.argv[1], resume=True)\n"
    )
    deaths = 0
    for instant in range(0, 200, 7):
        folder = tmp_path / f"at{instant}"
        shutil.copytree(ready, folder)
        died = subprocess.run([sys.executable, "-c", die_at, str(folder), str(instant)], check=False).returncode == 9
        deaths += died
        if not died:
            assert tree(folder) == tree(finished)
            break
        fr.generate(out=folder, resume=True)
        assert tree(folder) == tree(finished), f"killed at change {instant}"
        shutil.rmtree(folder)
    assert deaths >= 8


def test_a_finished_run_is_checked_and_left_alone(finished: Path) -> None:
    before = {name: (finished / name).stat().st_mtime_ns for name in tree(finished)}
    result = fr.generate(PLAN, finished, resume=True)
    assert result.made == 0 and "finished already" in result.notes[0]
    assert {n: t for n, t in before.items() if n != "journal.jsonl"} == {
        name: (finished / name).stat().st_mtime_ns for name in tree(finished) if name != "journal.jsonl"
    }


def test_a_torn_journal_line_only_costs_its_shard(finished: Path, tmp_path: Path) -> None:
    stopped(PLAN, tmp_path / "set", after=8)
    path = tmp_path / "set/journal.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    fr.generate(out=tmp_path / "set", resume=True)
    assert tree(tmp_path / "set") == tree(finished)


# ---- several workers ----


def test_two_workers_on_one_folder(finished: Path, tmp_path: Path) -> None:
    options = ["--count", 12, "--seed", 3, "--size", 32, "--shard-size", 3, "--resume"]
    both = [
        subprocess.Popen(command("generate", "--out", tmp_path / "set", *options), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for worker in both:
        _, error = worker.communicate(timeout=120)
        assert worker.returncode == 0, error
    assert tree(tmp_path / "set") == tree(finished)


def test_ranks_share_the_work(finished: Path, tmp_path: Path) -> None:
    options = ["--count", 12, "--seed", 3, "--size", 32, "--shard-size", 3]
    ranks = [
        subprocess.Popen(
            command("generate", "--out", tmp_path / "set", *options),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"},
        )
        for rank in (1, 0)
    ]  # fmt: skip
    for rank in ranks:
        _, error = rank.communicate(timeout=120)
        assert rank.returncode == 0, error
    assert tree(tmp_path / "set") == tree(finished)
    patch = pytest.MonkeyPatch()
    patch.setenv("RANK", "1")
    patch.setenv("WORLD_SIZE", "2")
    try:  # a call of its own inside a rank does not wait for rank 0
        fr.generate(PLAN, tmp_path / "alone", ranks=False)
    finally:
        patch.undo()
    assert tree(tmp_path / "alone") == tree(finished)
    assert "RANK must be in 0" in one_error(
        cli("generate", "--out", tmp_path / "x", *options, RANK="2", WORLD_SIZE="2")
    )


def test_a_worker_that_dies_is_replaced(finished: Path, tmp_path: Path) -> None:
    """One of two processes is killed while it holds a lease; the other makes its shard."""
    plan = replace(PLAN, count=90)
    fr.generate(plan, tmp_path / "whole")
    options = ["--count", 90, "--seed", 3, "--size", 32, "--shard-size", 3, "--workers", 2]
    run = subprocess.Popen(
        command("generate", "--out", tmp_path / "set", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while journal_lines(tmp_path / "set") < 2:
        time.sleep(0.01)
    children = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=True).stdout.split()
    assert len(children) == 2
    os.kill(int(children[0]), signal.SIGKILL)
    _, error = run.communicate(timeout=120)
    assert run.returncode == 0, error
    assert "Warning" not in error
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")
    assert "workers lost" in (tmp_path / "set/log.jsonl").read_text()


def test_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Leases(tmp_path) as mine, Leases(tmp_path) as other:
        assert mine.acquire("a") and not other.acquire("a")
        mine.release("a")
        assert other.acquire("a") and not mine.acquire("a")
        # A process that is gone: at once.
        gone = {"machine": leases_module._machine(), "pid": 2**22 + 1, "started": "77", "token": "x", "beat": 1}
        (tmp_path / "b").write_text(json.dumps(gone))
        assert mine.acquire("b") and not other.acquire("b")
        # Another machine: only when its count stands still, however old the file says it is.
        (tmp_path / "c").write_text(json.dumps({**gone, "machine": "elsewhere"}))
        os.utime(tmp_path / "c", (1, 1))
        assert not mine.acquire("c")
        monkeypatch.setattr(leases_module, "DEAD_AFTER_S", 0.05)
        time.sleep(0.1)
        (tmp_path / "c").write_text(json.dumps({**gone, "machine": "elsewhere", "beat": 2}))
        assert not mine.acquire("c")  # it beats
        time.sleep(0.1)
        assert mine.acquire("c") and not other.acquire("c")
        (tmp_path / "d").write_text("torn")
        assert not mine.acquire("d")
        time.sleep(0.1)
        assert mine.acquire("d")
    assert not list(tmp_path.iterdir())


def test_a_jumping_clock_does_no_harm(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(PLAN, tmp_path / "set", after=5)
    for path in (tmp_path / "set").rglob("*"):
        os.utime(path, (4e9, 4e9) if "parts" in str(path) else (1, 1))
    now = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: next(now))
    fr.generate(out=tmp_path / "set", resume=True)
    assert tree(tmp_path / "set") == tree(finished)


# ---- folders and plans that do not fit ----


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    for resume in (False, True):
        with pytest.raises(fr.InvalidArgumentError, match="is not empty and holds no run"):
            fr.generate(PLAN, tmp_path, resume=resume)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(fr.InvalidArgumentError, match="is a file"):
        fr.generate(PLAN, tmp_path / "mine.txt")


def test_another_run_is_left_alone(finished: Path) -> None:
    before = tree(finished)
    with pytest.raises(fr.InvalidArgumentError, match="already holds a run; go on with it, or join it, with --resume"):
        fr.generate(PLAN, finished)
    for change, message in (
        ({"seed": 4}, "another seed: 3 there, 4 asked"),
        ({"count": 13}, "another count"),
        ({"shard_size": 4}, "another shard_size"),
        ({"camera": "paper"}, "another camera"),
        ({"layout": "folders"}, "another layout"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.generate(replace(PLAN, **change), finished, resume=True)
    assert tree(finished) == before


def test_other_conditions_are_refused(tmp_path: Path) -> None:
    stopped(PLAN, tmp_path / "set")
    before = tree(tmp_path / "set")
    other = "avx2" if fr.isa() != "avx2" else "baseline"
    done = cli("generate", "--out", tmp_path / "set", "--resume", FORGE_RT_ISA=other)
    assert f"set FORGE_RT_ISA={fr.isa()}" in one_error(done)
    for name, value, hint in (
        ("engine", "forge_rt 9.9", "install that version"),
        ("opencv", "1.0", "opencv-python-headless==1.0"),
    ):
        (tmp_path / "set/plan.json").write_bytes(before["plan.json"])
        forge_plan(tmp_path / "set", **{name: value})
        with pytest.raises(fr.UnsupportedError, match=hint):
            fr.generate(out=tmp_path / "set", resume=True)
    edited = before["plan.json"].replace(b'"size": 32', b'"size": 48')
    assert edited != before["plan.json"]
    for text in (edited, b"{"):
        (tmp_path / "set/plan.json").write_bytes(text)
        with pytest.raises(fr.CorruptFileError, match=r"plan\.json is damaged"):
            fr.generate(out=tmp_path / "set", resume=True)
    (tmp_path / "set/plan.json").write_text("{")
    with pytest.raises(fr.CorruptFileError, match=r"plan\.json is damaged"):
        fr.generate(out=tmp_path / "set", resume=True)
    (tmp_path / "set/plan.json").write_bytes(before["plan.json"])
    assert tree(tmp_path / "set") == before


# ---- damage ----


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-600])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("shards", "shards/000001.tar"),
        ("folders", "seg/00000004.png"),
        ("coco", "records/00000003.json"),
        ("synthforge", "depth/00005.png"),
    ],
)
@pytest.mark.parametrize("harm", [_cut, _flip, Path.unlink])
def test_damage_is_found_named_and_repaired(tmp_path: Path, layout: str, name: str, harm, whole: bool) -> None:
    plan = replace(PLAN, layout=layout)
    fr.generate(plan, tmp_path / "good")
    folder = tmp_path / "set"
    if whole:
        shutil.copytree(tmp_path / "good", folder)
    else:
        stopped(plan, folder, after=10)
    harm(folder / name)
    before = tree(folder)
    key = name.split("/")[1].split(".")[0]
    with pytest.raises(fr.CorruptFileError, match=f"{key.lstrip('0')}.* (bytes|missing|changed)"):
        fr.generate(out=folder, resume=True)
    assert tree(folder) == before
    found = fr.inspect(folder)
    assert any(key.lstrip("0") in problem for problem in found.problems)
    result = fr.generate(out=folder, resume=True, repair=True)
    assert any("made again" in note for note in result.notes)
    after = tree(folder)
    kept = {n: d for n, d in after.items() if n.endswith(".damaged")}
    assert {n: d for n, d in after.items() if n not in kept} == tree(tmp_path / "good")
    if harm is not Path.unlink:
        assert kept[f"{name}.damaged"] == before[name]
    assert [p for p in fr.inspect(folder).problems if "damaged" not in p] == []


def test_a_damaged_part_is_found(finished: Path, tmp_path: Path) -> None:
    stopped(PLAN, tmp_path / "set", after=10)
    found = sorted(p.name for p in (tmp_path / "set/parts").glob("index-*.parquet"))  # how far it got, nobody knows
    name = f"parts/{found[-1]}"
    _flip(tmp_path / "set" / name)
    with pytest.raises(fr.CorruptFileError, match=name):
        fr.generate(out=tmp_path / "set", resume=True)
    fr.generate(out=tmp_path / "set", resume=True, repair=True)
    assert {n: d for n, d in tree(tmp_path / "set").items() if not n.endswith(".damaged")} == tree(finished)


def test_a_full_disk_is_one_error_and_nothing_is_lost(tmp_path: Path) -> None:
    options = ["--count", 60, "--seed", 3, "--size", 128, "--shard-size", 10]
    assert cli("generate", "--out", tmp_path / "whole", *options).returncode == 0
    with tmpfs(tmp_path / "small", "2500k") as small:
        done = cli("generate", "--out", small / "set", *options)
        error = one_error(done)
        assert "No space left on device" in error and "--resume" in error
        good = journal_lines(small / "set")
        assert 1 <= good < 6
        assert not list((small / "set/shards").glob("*.part"))
        assert (
            "is not finished" in fr.inspect(small / "set").problems[0] and len(fr.inspect(small / "set").problems) == 1
        )
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        assert cli("generate", "--out", small / "set", "--resume").returncode == 0
        assert tree(small / "set") == tree(tmp_path / "whole")


def test_a_read_only_disk_is_one_error(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "fixed", "4m") as fixed:
        stopped(PLAN, fixed / "set")
        subprocess.run(["mount", "-o", "remount,ro", str(fixed)], check=True)
        before = tree(fixed / "set")
        assert "Read-only file system; choose a folder you may write to" in one_error(
            cli("generate", "--out", fixed / "new", "--count", 1)
        )
        assert "Read-only file system" in one_error(cli("generate", "--out", fixed / "set", "--resume"))
        assert tree(fixed / "set") == before


def test_without_the_check_only_sizes_are_compared(tmp_path: Path) -> None:
    stopped(PLAN, tmp_path / "set", after=10)
    _flip(tmp_path / "set/shards/000000.tar")
    shutil.copytree(tmp_path / "set", tmp_path / "cut")
    done = cli("generate", "--out", tmp_path / "set", "--resume", "--no-check")
    assert done.returncode == 0, done.stderr
    assert any("000000.tar" in problem for problem in fr.inspect(tmp_path / "set").problems)
    _cut(tmp_path / "cut/shards/000000.tar")
    assert "000000.tar has" in one_error(cli("generate", "--out", tmp_path / "cut", "--resume", "--no-check"))


@pytest.mark.parametrize("layout", ["shards", "folders", "coco"])
@pytest.mark.parametrize(
    "name", ["manifest.json", "statistics.json", "README.md", "journal.jsonl", "annotations/instances.json"]
)
@pytest.mark.parametrize("harm", [_cut, Path.unlink])
def test_files_beside_the_shards_are_checked_and_made_again(tmp_path: Path, layout: str, name: str, harm) -> None:
    if name.startswith("annotations") and layout != "coco":
        pytest.skip("only coco has it")
    plan = replace(PLAN, layout=layout)
    fr.generate(plan, tmp_path / "set")
    good = tree(tmp_path / "set")
    harm(tmp_path / "set" / name)
    if (name, harm) != ("manifest.json", Path.unlink):
        with pytest.raises(fr.CorruptFileError, match="--repair"):
            fr.generate(out=tmp_path / "set", resume=True)
        fr.generate(out=tmp_path / "set", resume=True, repair=True)
    else:  # a run whose last step is missing
        assert fr.generate(out=tmp_path / "set", resume=True).made == 0
    assert tree(tmp_path / "set") == good
    assert fr.inspect(tmp_path / "set").good


def test_a_lost_index_is_said_to_be_lost(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "set")
    _flip(tmp_path / "set/index.parquet")
    before = tree(tmp_path / "set")
    with pytest.raises(fr.CorruptFileError, match=r"index\.parquet was changed"):
        fr.generate(out=tmp_path / "set", resume=True)
    assert tree(tmp_path / "set") == before


def test_an_unfinished_run_can_be_opened(tmp_path: Path) -> None:
    stopped(PLAN, tmp_path / "set")
    run = RunFolder.open(tmp_path / "set")
    assert not run.finished and run.plan == fr.Plan.from_json(PLAN.to_json())
    with pytest.raises(fr.NotFoundError, match="the run is not finished"):
        run.manifest()
    with pytest.raises(fr.NotFoundError, match="holds no run"):
        RunFolder.open(tmp_path)
