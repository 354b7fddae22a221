"""Render → encode → write, side by side, for one worker: the pure function that makes a shard, kept busy.

    the caller's thread      renders batches (all cores, engine's own threads)
    encoder threads          JPEG, PNG, JSON, digests of single samples; compiled code without Python's lock
    one writer thread        samples in order into the open shard; then index rows, file, journal line

The queue between them is bounded: a slow disk slows the renderer, it does not fill the memory. A shard is a pure function of (plan, shard):
threads, batch and the shards before it change nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from forge_rt import _core
from forge_rt.production import encode, index, journal
from forge_rt.production.contact_sheet import SHEET_SAMPLES, sample_tile
from forge_rt.production.files import write_atomically
from forge_rt.production.folder import RunFolder
from forge_rt.production.layouts import Unit
from forge_rt.production.layouts.base import Encoded
from forge_rt.production.samples import Rejected, Sample, SampleMaker


@dataclass
class Counters:
    """Read by the progress display while threads add to it; each is written by one thread."""

    rendered: int = 0
    written: int = 0
    rejected: int = 0
    not_accepted: int = 0
    shards: int = 0


class Stopped(Exception):
    """Another thread failed first; its error is the one to show."""


@dataclass
class _Task:
    """What travels to the writer: a sample in work, or the end of a shard."""

    shard: int
    encoded: Future[Encoded] | None = None


@dataclass
class _Open:
    """The shard being written."""

    unit: Unit
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class Pipeline:
    """Makes shards one after another. Use as a context manager; leaving it with an exception drops the unfinished shard."""

    def __init__(
        self,
        run: RunFolder,
        *,
        batch: int,
        encoders: int,
        device: str = "cpu",
        counters: Counters | None = None,
        on_shard: Callable[[int], None] | None = None,
        on_batch: Callable[[Pipeline], None] | None = None,
    ) -> None:
        """`on_shard`: called by the writer's thread when a shard is finished; `on_batch`: by the caller's, between batches."""
        self._run, self._batch = run, batch
        self._maker = SampleMaker(run.source, run.plan, device)
        self._pool = ThreadPoolExecutor(encoders, thread_name_prefix="forge-rt-encode")
        self._queue: queue.Queue[_Task | None] = queue.Queue(maxsize=2 * batch + encoders)
        self._on_shard, self._on_batch = on_shard, on_batch
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._write, name="forge-rt-write", daemon=True)
        self.counters = counters if counters is not None else Counters()
        colors = [label.color for label in run.source.labels]
        self._tile: Callable[[Sample], bytes] = lambda sample: encode.png(sample_tile(sample, colors))

    def __enter__(self) -> Pipeline:
        self._pool.submit(importlib.import_module, "pyarrow.parquet")  # now, not when the first shard waits for it
        self._writer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stop.set()
        with contextlib.suppress(Stopped):
            self._put(None)
        self._writer.join()
        self._pool.shutdown(cancel_futures=True)
        if kind is None or issubclass(kind, Stopped):
            self._raise()

    @property
    def encoding(self) -> int:
        """Samples that wait for an encoder."""
        return self._pool._work_queue.qsize()

    @property
    def queued(self) -> int:
        """Samples between the renderer and the disk."""
        return self._queue.qsize()

    def make_shard(self, shard: int) -> None:
        """Renders all samples of a shard and hands them on. The shard is finished some time later: `on_shard` tells."""
        indices = self._run.plan.indices(shard)
        for first in range(indices.start, indices.stop, self._batch):
            for sample in self._maker.make(range(first, min(first + self._batch, indices.stop))):
                self.counters.rendered += 1
                self._put(_Task(shard, self._pool.submit(self._encode, sample)))
            if self._on_batch is not None:
                self._on_batch(self)
        self._put(_Task(shard))

    def _encode(self, sample: Sample) -> Encoded:
        tile = self._tile(sample) if sample.index < SHEET_SAMPLES else b""
        return self._run.layout.encode(sample, tile)

    def _put(self, task: _Task | None) -> None:
        while True:
            if self._stop.is_set() and task is not None:
                raise Stopped
            try:
                return self._queue.put(task, timeout=0.2)
            except queue.Full:
                if not self._writer.is_alive():
                    raise Stopped from None

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    # ---- the writer's thread ----

    def _write(self) -> None:
        open_: _Open | None = None
        try:
            while (task := self._queue.get()) is not None and not self._stop.is_set():
                if task.encoded is None:
                    assert open_ is not None
                    self._finish(open_)
                    open_ = None
                    continue
                sample = task.encoded.result()
                if open_ is None:
                    open_ = _Open(self._run.layout.open(task.shard))
                self._add(open_, sample)
        except BaseException as error:
            self._failure = error
            self._stop.set()
        finally:
            if open_ is not None:
                open_.unit.abort()
            self._drain()

    def _drain(self) -> None:
        """After a stop: lets go of what is queued, so that the renderer's thread wakes up."""
        while not self._queue.empty():
            task = self._queue.get_nowait()
            if task is not None and task.encoded is not None:
                task.encoded.cancel()

    def _add(self, open_: _Open, sample: Encoded) -> None:
        offset = open_.unit.add(sample)
        shard = self._run.layout.shard_name(open_.unit.shard)
        open_.rows.append({**sample.row, "shard": shard, "offset": offset})
        open_.rejected += sample.rejected
        if sample.tile:
            write_atomically(self._run.tile(sample.index), sample.tile)
        self.counters.written += 1
        self.counters.rejected += len(sample.rejected)
        self.counters.not_accepted += not sample.accepted

    def _finish(self, open_: _Open) -> None:
        """Rows first, then the file under its name, then the line that makes it count."""
        shard = open_.unit.shard
        if shard in self._run.journal():  # this worker slept, was taken for dead, and another made the shard
            open_.unit.abort()
            return
        rows = index.encode(open_.rows, self._run.source)
        write_atomically(self._run.part(shard), rows, sync=True)
        summary = open_.unit.finish()
        indices = self._run.plan.indices(shard)
        line = {
            "shard": shard, "first": indices.start, "count": len(indices), "file": summary.file, "bytes": summary.bytes,
            "sha256": summary.sha256, "index_sha256": _core.sha256(rows),
            "rejected": [{"index": r.index, "attempt": r.attempt, "reason": r.reason} for r in open_.rejected],
        }  # fmt: skip
        journal.append(self._run.root, line)
        self.counters.shards += 1
        if self._on_shard is not None:
            self._on_shard(shard)
