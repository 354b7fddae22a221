"""The benchmark framework, on small fake benchmarks. No times are asserted."""

from __future__ import annotations

import json
import math
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import bench
from forge_rt.bench import ceilings, harness, lbs, machine, raster
from forge_rt.bench.harness import Contestant, Options, Run, Timings
from forge_rt.cli import main as cli

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Time that passes only when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds

        return call


@pytest.fixture
def fake_benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Run], None]], None]]:
    """Registers a function as benchmark "fake"."""

    def register(body: Callable[[Run], None]) -> None:
        module = types.ModuleType("fake_benchmark")
        module.run = body  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "fake_benchmark", module)
        entry = bench.Benchmark("fake", "does next to nothing", "fake_benchmark")
        monkeypatch.setitem(bench.BENCHMARKS, "fake", entry)

    yield register


# ---- timing ----


def test_contestants_take_turns() -> None:
    clock, order = Clock(), []

    def player(name: str, seconds: float) -> Contestant:
        work = clock.work(seconds)

        def call() -> None:
            order.append(name)
            work()

        return Contestant(name, "", call, calls_per_turn=2)

    run = Run(clock=clock)
    run.compare(player("a", 0.1), player("b", 0.2), rounds=3, warm_up=1)
    assert "".join(order) == "aaabbb" * 3  # one warm-up and two timed calls per turn
    assert [(row.n, row.rounds, row.warm_up) for row in run.rows] == [(6, 3, 3)] * 2


def test_turn_lasts_its_time_with_one_call_at_least_and_200_at_most() -> None:
    clock = Clock()
    run = Run(clock=clock)
    players = [Contestant(f"{s}", "", clock.work(s)) for s in (10.0, 0.3, 1e-6)]
    run.compare(*players, rounds=1, turn_s=1.0, warm_up=0)
    assert [row.n for row in run.rows] == [1, 4, 200]


def test_numbers_of_a_row() -> None:
    clock = Clock()
    steps = iter([*range(1, 101)])

    def call() -> None:
        clock.now += next(steps) / 1000

    run = Run(clock=clock)
    run.ceilings = {"copy": 1000.0}
    contestant = Contestant(
        "x", "", call, items=4, unit="image", calls_per_turn=100, work={"copy": 5.0, "unknown": 1.0}
    )
    run.compare(contestant, rounds=1, warm_up=0)
    row = run.rows[0]
    assert row.min_ms == pytest.approx(1)
    assert (row.p50_ms, row.p90_ms, row.p99_ms) == (pytest.approx(50.5), pytest.approx(90.1), pytest.approx(99.01))
    assert row.items_per_s == pytest.approx(4 / 0.0505)
    assert row.of_ceiling == {"copy": pytest.approx(5 / 0.0505 / 1000)}


def test_ratio_survives_drift_of_the_machine() -> None:
    slow_down = (1.0, 1.0, 5.0, 9.0, 1.0)  # both contestants suffer alike
    rounds = {
        "fast": [np.array([1.0, 1.0, 1.2]) * s for s in slow_down],
        "slow": [np.array([3.0, 3.0, 30.0]) * s for s in slow_down],
    }
    assert Timings(rounds).ratio("slow", "fast") == pytest.approx(3.0)


def test_repeat_multiplies_rounds_only() -> None:
    clock = Clock()
    run = Run(Options(repeat=3), clock=clock)
    run.compare(Contestant("a", "", clock.work(0.01), calls_per_turn=1), rounds=2)
    assert (run.rows[0].rounds, run.rows[0].n) == (6, 6)
    for repeat in (0, 1001):
        with pytest.raises(fr.InvalidArgumentError, match="repeat"):
            bench.run("lbs", Options(repeat=repeat))


def test_engine_settings_are_put_back() -> None:
    before = fr.num_threads(), fr.isa()
    with pytest.raises(KeyError), harness.engine_settings(threads=before[0] + 1, isa="baseline"):
        assert (fr.num_threads(), fr.isa()) == (before[0] + 1, "baseline")
        raise KeyError
    assert (fr.num_threads(), fr.isa()) == before


# ---- checks ----


@pytest.mark.parametrize(
    ("value", "op", "bar", "passed"),
    [(3.0, ">=", 3.0, True), (2.9, ">=", 3.0, False), (0, "<=", 0, True), (1, "<=", 0, False), (2, "==", 2, True)],
)
def test_checks(value: float, op: str, bar: float, passed: bool) -> None:
    run = Run()
    assert run.check("c", value, op, bar) is passed
    assert run.checks[0].to_dict()["pass"] is passed


@pytest.mark.parametrize("op", [">=", "<=", "=="])
def test_nan_fails(op: str) -> None:
    assert not Run().check("c", math.nan, op, 1.0)


def execute(body: Callable[[Run], None]) -> harness.Result:
    return harness.execute("fake", "does next to nothing", body)


def test_skipped_check_neither_passes_nor_fails() -> None:
    def body(run: Run) -> None:
        run.skip("scaling", ">=", 1.7, "it needs two cores")
        if passes:
            run.check("other", 1, ">=", 0)

    passes = True
    result = execute(body)
    assert result.passed
    assert result.to_dict()["checks"][0]["pass"] is None
    assert "two cores" in result.checks[0].note
    passes = False
    assert not execute(body).passed  # a run that checked nothing proves nothing


def test_wrong_result_is_not_timed() -> None:
    timed = []

    def body(run: Run) -> None:
        run.parity("ids", 3, 0, "pixels")
        run.require_parity()
        timed.append(True)

    result = execute(body)
    assert not timed
    assert not result.passed
    assert "nothing was timed" in result.notes[0]
    assert result.checks[0].kind == "parity"


def test_threads_are_put_back_after_a_run() -> None:
    before = fr.num_threads()
    execute(lambda run: fr.set_num_threads(before + 1))
    assert fr.num_threads() == before


# ---- the JSON document ----


def tiny(run: Run) -> None:
    run.problem = {"size": 1}
    run.ceilings = {"copy_bytes_per_s_1t": 1e9}
    run.parity("same", 0, 0, "")
    timings = run.compare(
        Contestant("ours", "sum", lambda: sum(range(10)), calls_per_turn=2),
        Contestant("theirs", "sum", lambda: sum(range(1000)), calls_per_turn=2),
        rounds=2,
    )
    run.check("ratio", timings.ratio("theirs", "ours"), ">=", 0.0)


def test_json_schema() -> None:
    document = json.loads(json.dumps(execute(tiny).to_dict()))
    keys = "format benchmark summary passed problem environment ceilings rows checks notes"
    assert set(document) == set(keys.split())
    assert document["format"] == harness.FORMAT
    environment = document["environment"]
    expected = (
        "date_utc forge_rt cpu cores threads isa isa_reason load_before load_after python numpy opencv duration_s"
    )
    assert set(expected.split()) <= set(environment)
    assert environment["isa"] == fr.isa()
    assert set(document["checks"][0]) == {"name", "value", "op", "bar", "pass", "kind", "note"}
    row_keys = "name what threads items unit rounds warm_up n min_ms p50_ms p90_ms p99_ms items_per_s of_ceiling"
    assert set(document["rows"][0]) == set(row_keys.split())
    assert "/" not in environment["cpu"] + environment["os"]  # names, not paths


def test_commit_is_that_of_our_tree_or_absent() -> None:
    commit = machine.commit()
    assert set(commit) in (set(), {"commit", "modified"})
    if commit:
        assert len(commit["commit"]) == 40


def test_ceilings_are_rates() -> None:
    assert ceilings.copy_bytes_per_s(2, seconds=0.01, size=1 << 20, part=1 << 18) > 0
    assert ceilings.gemm_flop_per_s(seconds=0.01, sizes=(32, 64)) > 0


@pytest.mark.slow
def test_ceilings_for_one_and_for_all_threads() -> None:
    names = {f"{name}_{n}t" for name in ("copy_bytes_per_s", "fp32_flop_per_s") for n in (1, 2)}
    assert set(ceilings.measure_ceilings(2)) == names


# ---- the command ----


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", *arguments])
    return int(ended.value.code or 0)


def test_command_prints_and_writes(fake_benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_benchmark(tiny)
    file = tmp_path / "fake.json"
    assert status_of("fake", "--json", str(file)) == 0
    out = capsys.readouterr().out
    assert "ours" in out
    assert "theirs" in out
    assert "ratio" in out
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["passed"] is True
    assert document["benchmark"] == "fake"


@pytest.mark.parametrize("kind", ["parity", "speed"])
def test_missed_bar_is_exit_status_1(kind: str, fake_benchmark: Any, tmp_path: Path, capsys: Any) -> None:
    def body(run: Run) -> None:
        run.check("bar", 1.0, ">=", 2.0, kind=kind)
        run.require_parity()

    fake_benchmark(body)
    file = tmp_path / "fake.json"
    assert status_of("fake", "--json", str(file)) == 1
    assert "FAILED bar 1 >= 2" in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8"))["passed"] is False  # also a failed run leaves its result


def test_repeat_reaches_the_benchmark(fake_benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def body(run: Run) -> None:
        seen.append(run.options.repeat)
        tiny(run)

    fake_benchmark(body)
    assert status_of("fake", "--repeat", "2") == 0
    assert seen == [2]


def test_wrong_use_is_exit_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("no-such-benchmark") == 2
    assert "raster" in capsys.readouterr().err  # says what there is
    assert status_of() == 2
    assert status_of("lbs", "--json", str(tmp_path / "no" / "folder.json")) == 2
    assert "does not exist" in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in bench.BENCHMARKS)


# ---- the benchmarks' own peers ----


def test_head_mesh_is_closed_and_faces_outwards() -> None:
    vertices, triangles = raster.head_mesh()
    assert len(triangles) == 10_000
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    forward = {tuple(e) for e in edges.tolist()}
    assert len(forward) == len(edges)  # each directed edge once
    assert {(b, a) for a, b in forward} == forward  # and its opposite: closed, consistently oriented
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    volume = float(np.einsum("fi,fi->f", a, np.cross(b, c)).sum()) / 6
    assert 0.002 < volume < 0.006  # litres of a head, positive: counter-clockwise from outside


@pytest.mark.parametrize("yaw_deg", [0.0, 20.0, -70.0])
def test_raster_peers_draw_the_same_picture(yaw_deg: float) -> None:
    s = raster.scene(yaw_deg)
    centres = np.arange(raster.SIZE) + 0.5
    rows, columns = (a.ravel().astype(np.float32) for a in np.meshgrid(centres, centres, indexing="ij"))
    painter, loop, planes = raster.Images(), raster.Images(), raster.Images()
    raster.opencv_painter(s, painter, columns, rows)
    raster.numpy_loop(s, loop, centres)
    raster.numpy_planes(s, planes, centres)
    assert (loop.face != planes.face).mean() < 1e-4
    assert np.abs(loop.depth - planes.depth)[loop.face == planes.face].max() < 1e-5
    ours = fr.rasterize(s.positions, s.triangles, raster.SIZE, barycentrics=False, face_labels=s.labels)
    face, depth, label = (np.asarray(a)[0] for a in (ours.face, ours.depth, ours.label))
    covered = face >= 0
    assert (face != loop.face)[covered].mean() <= raster.LOOP_DIFFERS
    assert (label != loop.label)[covered].mean() <= raster.LOOP_DIFFERS
    assert np.quantile(np.abs(depth - loop.depth)[covered & (loop.face >= 0)], 0.99) < raster.LOOP_DEPTH_M
    # the painter rounds to whole pixels and is wider, but inside it shows the same surface
    assert (painter.face >= 0)[covered].mean() > 0.99
    assert (painter.face >= 0).mean() < 1.05 * covered.mean()
    assert np.median(np.abs(depth - painter.depth)[covered]) < raster.LOOP_DEPTH_M
    assert np.array_equal(painter.label[painter.face >= 0], s.labels[painter.face[painter.face >= 0]])


def test_lbs_peer_is_the_formula() -> None:
    model = lbs.random_model()
    peer = lbs.NumpyLbs(model, 2, np.float64)
    rng = np.random.default_rng(3)
    betas, pose = rng.normal(size=(2, lbs.COMPONENTS)), 0.2 * rng.normal(size=(2, lbs.JOINTS, 3))
    got = peer(betas, pose).copy()
    rotation = peer.rotations(pose)
    for b in range(2):  # spec in words, one head and one joint at a time
        shaped = model.v_template + model.shapedirs.astype(float) @ betas[b]
        joints = model.joint_regressor.astype(float) @ shaped
        posed = shaped + model.posedirs.astype(float) @ (rotation[b, 1:] - np.eye(3)).ravel()
        world: list[np.ndarray] = []
        for j, parent in enumerate(lbs.PARENTS):
            local = np.eye(4)
            local[:3, :3] = rotation[b, j]
            local[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
            world.append(local if parent < 0 else world[parent] @ local)
        want = np.zeros_like(posed)
        for j in range(lbs.JOINTS):
            moved = (posed - joints[j]) @ world[j][:3, :3].T + world[j][:3, 3]
            want += model.weights[:, j : j + 1] * moved
        assert np.abs(got[b] - want).max() < 1e-6  # weights are float32 and sum to 1 only to 1e-7


# ---- tables ----


def test_tables_are_rendered_from_results() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import render_tables
    finally:
        sys.path.pop(0)
    page = render_tables.render([execute(tiny).to_dict()])
    assert "## fake" in page
    assert "| ours: sum |" in page
    assert "| same | 0 | <= 0 | passed |" in page
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    committed = render_tables.render([json.loads(f.read_text(encoding="utf-8")) for f in files])
    assert render_tables.PAGE.read_text(encoding="utf-8") == committed, "run: python benchmarks/render_tables.py"
