"""One worker of a run: claims shards, makes them, waits for the others. Also `main`, the program of a process of its own
(one per GPU, or several on a CPU) that reports to its parent in JSON lines."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forge_rt import _core
from forge_rt._core import ForgeError
from forge_rt.production.finish import finish, tidy
from forge_rt.production.folder import RunFolder, missing
from forge_rt.production.leases import Leases
from forge_rt.production.pipeline import Counters, Pipeline

#: called between batches and while waiting: counters of this worker, queue depths
Report = Callable[[Counters, dict[str, int]], None]


@dataclass(frozen=True)
class Settings:
    """How a worker works; none of it changes a byte."""

    threads: int
    batch: int = 8
    device: str = "cpu"
    rank: int = 0  #: where it begins to look for work
    world: int = 1


@contextmanager
def engine_threads(n: int) -> Iterator[None]:
    before = _core.num_threads()
    _core.set_num_threads(n)
    try:
        yield
    finally:
        _core.set_num_threads(before)


def work(run: RunFolder, settings: Settings, report: Report) -> Counters:
    """Until every shard is finished, by whomever, and the manifest is written. Returns what this worker did."""
    total = Counters()
    with engine_threads(settings.threads), Leases(run.root / "leases") as leases:
        while not run.finished and missing(run, run.journal()):
            made = _make_what_is_free(run, settings, leases, total, report)
            if not made and missing(run, run.journal()):
                report(total, {})
                time.sleep(0.3)  # the others are at it, or dead: their leases tell
        while not run.finished:
            if leases.acquire("finish"):
                try:
                    if not run.finished:
                        _finish(run)
                finally:
                    leases.release("finish")
            else:
                report(total, {})
                time.sleep(0.1)
    return total


def _finish(run: RunFolder) -> None:
    """Two may be at it when one was taken for dead; then one of them finds its work done."""
    try:
        finish(run, run.journal())
    except Exception:
        if not run.finished:
            raise
    tidy(run)


def _make_what_is_free(run: RunFolder, settings: Settings, leases: Leases, total: Counters, report: Report) -> bool:
    """One walk over the open shards. True: made some."""
    pipeline = Pipeline(
        run, batch=settings.batch, encoders=max(2, settings.threads), device=settings.device, counters=total,
        on_shard=lambda shard: leases.release(_name(shard)),
        on_batch=lambda p: report(total, {"encode": p.encoding, "write": p.queued}),
    )  # fmt: skip
    made = False
    with pipeline:
        for shard in _claims(run, settings, leases):
            pipeline.make_shard(shard)
            made = True
    return made


def _name(shard: int) -> str:
    return f"{shard:06d}"


def _claims(run: RunFolder, settings: Settings, leases: Leases) -> Iterator[int]:
    """Own residues first, so that workers that start together do not meet at every shard."""
    todo = missing(run, run.journal())
    for shard in sorted(todo, key=lambda s: (s % settings.world != settings.rank, s)):
        if leases.acquire(_name(shard)):
            if shard in run.journal():  # finished since the list was made
                leases.release(_name(shard))
            else:
                yield shard


# ---- a process of its own ----


def main() -> None:
    """Arguments: the folder and the settings as JSON. Standard output: JSON lines for the parent."""
    root, settings = Path(sys.argv[1]), Settings(**json.loads(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent passes on its own
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    last = 0.0

    def send(kind: str, **values: Any) -> None:
        os.write(1, (json.dumps({"kind": kind, **values}) + "\n").encode())

    def report(counters: Counters, queues: dict[str, int]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.2:
            last = now
            send("progress", counters=asdict(counters), queues=queues)

    try:
        counters = work(RunFolder.open(root), settings, report)
        send("done", counters=asdict(counters))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the parent is gone
        sys.exit(1)
    except ForgeError as error:
        send("error", type=type(error).__name__, message=str(error))
        sys.exit(2)
    except Exception as error:
        send("error", type="InternalError", message=f"a worker failed: {type(error).__name__}: {error}")
        raise


def _interrupt() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    raise KeyboardInterrupt
