"""Makes a data set: renders batches while worker threads encode and write the one before."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import __version__, _core
from forge_rt.forge_head import FaceBatch, ForgeHead
from forge_rt.production import folders
from forge_rt.production.contact_sheet import ContactSheet
from forge_rt.production.plan import Plan
from forge_rt.production.records import DEPTH_SCALE_M, RECORD_VERSION

#: called with the number of finished samples; may raise to stop the run
Progress = Callable[[int], None]


@dataclass(frozen=True)
class RunResult:
    folder: Path
    count: int
    manifest: Path
    contact_sheet: Path


@contextmanager
def _threads(n: int | None) -> Any:
    before = _core.num_threads()
    if n is not None:
        _core.set_num_threads(n)
    try:
        yield _core.num_threads()
    finally:
        _core.set_num_threads(before)


def generate(
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    threads: int | None = None,
    batch: int = 8,
    progress: Progress | None = None,
) -> RunResult:
    """Writes the data set of `plan` into the empty or new folder `out`.

    Threads and batch change the speed, never a byte. Each file appears complete or not at all; the manifest comes last,
    so a folder with a manifest is a finished data set.
    Raises InvalidArgumentError for a bad plan or a folder that is not empty, InputOutputError when the disk refuses.
    """
    plan.validate()
    if not 1 <= batch <= 1024:
        raise _core.InvalidArgumentError(f"batch must be 1..1024, got {batch}")
    root = Path(out)
    head = ForgeHead()
    cameras = plan.cameras()
    sheet = ContactSheet([label.color for label in head.labels])
    folders.prepare(root)

    with _threads(threads) as workers, ThreadPoolExecutor(workers, thread_name_prefix="forge-rt-encode") as pool:
        pending: list[Future[None]] = []
        written = 0

        def finish(futures: list[Future[None]]) -> int:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return len(futures)

        try:
            for start in range(0, plan.count, batch):
                faces = head.generate(
                    seed=plan.seed,
                    index=range(start, min(start + batch, plan.count)),
                    style=plan.style,
                    camera=cameras,
                    size=plan.size,
                    supersample=plan.supersample,
                )
                for k in range(len(faces)):
                    _show(sheet, start + k, faces, k)
                written += finish(pending)  # at most two batches in memory
                if progress is not None and pending:
                    progress(written)
                pending = [pool.submit(folders.write_sample, root, head, faces, k, plan.rgb) for k in range(len(faces))]
            written += finish(pending)
        except BaseException:
            for future in pending:
                future.cancel()
            raise
        if progress is not None:
            progress(written)

    picture = root / "contact_sheet.png"
    folders.write_atomically(picture, folders.encode_image(sheet.picture(), "png"))
    manifest = root / "manifest.json"
    folders.write_atomically(manifest, folders.dump_json(_manifest(plan, head)))
    return RunResult(root, plan.count, manifest, picture)


def _show(sheet: ContactSheet, position: int, batch: FaceBatch, k: int) -> None:
    sheet.add(
        position, np.asarray(batch.rgb)[k], np.asarray(batch.segmentation)[k], np.asarray(batch.depth_m)[k],
        np.asarray(batch.landmarks)[k], np.asarray(batch.visibility)[k],
    )  # fmt: skip


def _manifest(plan: Plan, head: ForgeHead) -> dict[str, Any]:
    """No times, hosts or paths: equal plans give equal manifests."""
    camera = "" if not isinstance(plan.camera, str) else f" --camera {plan.camera}"
    return {
        "format": "forge_rt dataset",
        "record_version": RECORD_VERSION,
        "engine": f"forge_rt {__version__}",
        "model": {"name": "forgehead", "sha256": head.hash, "licence": "Apache-2.0"},
        "plan": plan.to_json(),
        "count": plan.count,
        "labels": [
            {"id": label.id, "name": label.name, "color": list(label.color), "mirror": label.mirror}
            for label in head.labels
        ],
        "depth": {
            "scale_m": DEPTH_SCALE_M,
            "nothing": 0,
            "kind": "camera z; objects in front of the face have depth and class 0",
        },
        "landmarks": "68 points in iBUG order, pixels with the centre of the top-left pixel at (0.5, 0.5); third value 0 outside, 1 hidden, 2 visible",
        "replay": (
            f"forge-rt generate --out DIR --count {plan.count} --seed {plan.seed} --style {plan.style} --size {plan.size}{camera} "
            f"--layout {plan.layout} --rgb {plan.rgb}"
        ),
    }
