"""`forge-rt bench production`: does writing keep up with rendering? And does a long run stay flat?

The job of `forge-rt generate --count 300`: 512 x 512, JPEG 95 4:4:4, mask PNG, 16-bit depth PNG, record with landmarks, tars with index,
statistics, card and sheet, everything hashed and on the disk. The peer is the renderer alone on the same 300 samples, same batch and threads,
in turns. Parity: the data set passes `inspect`, and its masks are the renderer's.

Soak: 20,000 samples of 16 x 16 in shards of 200 by the same code; memory in RAM and open files are read at every shard.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

import forge_rt as fr
from forge_rt.bench.forgehead import resident_mb
from forge_rt.bench.harness import Contestant, Run
from forge_rt.bench.machine import usable_cores
from forge_rt.forge_head import ForgeHead
from forge_rt.production.layouts import layout_of
from forge_rt.production.sources import ForgeHeadSource

COUNT, SIZE, BATCH, SEED = 300, 512, 8, 2024
SHARE = 0.9
SOAK_SAMPLES, SOAK_SHARD, SOAK_WARM = 20_000, 200, 4_000
GROWTH_MB = 24.0  # a leaked mask of 16 x 16 a sample: 4 MB; a leaked image of each: 12; a record of 14 kB: 220


def open_files() -> int | None:
    """None where the system has no /proc."""
    try:
        return len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        return None


def run(run: Run) -> None:
    threads = fr.num_threads()
    plan = fr.Plan(count=COUNT, seed=SEED, size=SIZE)
    run.problem = {
        "samples": COUNT, "size": SIZE, "batch": BATCH, "rgb": plan.rgb, "depth": plan.depth, "layout": plan.layout,
        "soak samples": SOAK_SAMPLES, "soak size": 16,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="forge-rt-bench-") as scratch:
        _parity(run, Path(scratch))
        _rate(run, plan, Path(scratch), threads)
        _soak(run, Path(scratch))


def _parity(run: Run, scratch: Path) -> None:
    import cv2
    import pyarrow.parquet as pq

    plan = fr.Plan(count=16, seed=SEED, size=SIZE)
    fr.generate(plan, scratch / "parity", batch=BATCH)
    run.parity("production_problems", len(fr.inspect(scratch / "parity").problems), 0, "found by inspect")
    layout = layout_of("shards")(scratch / "parity", plan, ForgeHeadSource)
    differ = 0
    rows = pq.read_table(scratch / "parity/index.parquet").to_pylist()
    for row, mask in zip(rows, _masks(plan), strict=True):
        data = dict(layout.read(row))["seg.png"]
        differ += int(np.count_nonzero(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) != mask))
    run.parity("production_mask_pixels_differ", differ, 0, "between the files and the renderer")
    run.require_parity()


def _masks(plan: fr.Plan) -> list[np.ndarray]:
    return [mask for batch in fr.batches(plan, batch=BATCH) for mask in np.asarray(batch.segmentation)]


def _rate(run: Run, plan: fr.Plan, scratch: Path, threads: int) -> None:
    head = ForgeHead()
    folders = (scratch / f"set{k}" for k in itertools.count())

    def render() -> None:
        for start in range(0, COUNT, BATCH):
            head.generate(seed=SEED, index=range(start, min(start + BATCH, COUNT)), size=SIZE)

    def generate() -> None:
        folder = next(folders)
        fr.generate(plan, folder, batch=BATCH)
        last.append(folder)

    def clear() -> None:
        while last:
            shutil.rmtree(last.pop())

    last: list[Path] = []
    timings = run.compare(
        Contestant("render", "the renderer alone", render, COUNT, "sample", threads, calls_per_turn=1),
        Contestant("generate", "the whole job, on the disk", generate, COUNT, "sample", threads, before=clear, calls_per_turn=1),
        rounds=3,
        warm_up=0,
    )  # fmt: skip
    share = 1 / timings.ratio("generate", "render")
    name = "generate_share_of_render"
    if usable_cores() < 2 or threads < 2:
        run.skip(name, ">=", SHARE, "the bar is for two cores")
    else:
        run.check(name, share, ">=", SHARE, f"rate of generate to rate of the renderer, {threads} threads")


def _soak(run: Run, scratch: Path) -> None:
    memory: list[float] = []
    files: list[int] = []
    seen = 0

    def look(progress: fr.Progress) -> None:
        nonlocal seen
        if progress.shards_done > seen:
            seen = progress.shards_done
            if progress.done >= SOAK_WARM:
                memory.append(resident_mb() or 0.0)
                files.append(open_files() or 0)

    plan = fr.Plan(count=SOAK_SAMPLES, seed=SEED, size=16, shard_size=SOAK_SHARD, style="mixed")
    result = fr.generate(plan, scratch / "soak", batch=BATCH, progress=look)
    problems = len(fr.inspect(scratch / "soak").problems)
    run.check("soak_problems", problems, "<=", 0, f"found by inspect in {result.made} samples")
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        run.skip("soak_memory_growth_mb", "<=", GROWTH_MB, "it needs /proc")
        run.skip("soak_open_files_growth", "<=", 0, "it needs /proc")
        return
    third = max(len(memory) // 3, 1)
    before, after = min(memory[:third]), min(memory[-third:])
    note = f"{before:.0f} MB from sample {SOAK_WARM}, {after:.0f} MB at the end, least of {third} readings; {result.made / result.seconds:.0f} samples/s"
    run.check("soak_memory_growth_mb", after - before, "<=", GROWTH_MB, note)
    early, late = max(files[:third]), max(files[-third:])
    run.check("soak_open_files_growth", late - early, "<=", 0, f"{early} early, {late} late")
