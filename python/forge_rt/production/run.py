"""`generate`: makes a data set, or goes on with one. Starts the workers and shows what they do."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge_rt import _core
from forge_rt._core import CorruptFileError, InternalError, InvalidArgumentError
from forge_rt.production import journal
from forge_rt.production.finish import tidy
from forge_rt.production.folder import INDEX, MANIFEST, SHEET, RunFolder, made_with
from forge_rt.production.inspection import check_manifest
from forge_rt.production.pipeline import Counters
from forge_rt.production.plan import Plan
from forge_rt.production.progress import OnProgress, Progress, Rate
from forge_rt.production.sources import open_source
from forge_rt.production.verify import verify
from forge_rt.production.worker import Settings, work


@dataclass(frozen=True)
class RunResult:
    folder: Path
    count: int
    made: int  #: samples written by this call
    rejected: int  #: draws that were not good enough, by this call
    not_accepted: int  #: samples kept although every draw failed
    seconds: float
    manifest: Path
    contact_sheet: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rank:
    """Place among processes that were started together by torchrun or Slurm."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def from_environment(cls) -> Rank:
        for names in (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")):
            values = [os.environ.get(name) for name in names]
            if values[0] is None or values[1] is None:
                continue
            try:
                rank, world, local = int(values[0]), int(values[1]), int(values[2] or 0)
            except ValueError:
                raise InvalidArgumentError(
                    f"{names[0]} and {names[1]} must be numbers, got {values[0]!r}, {values[1]!r}"
                ) from None
            if not 0 <= rank < world:
                raise InvalidArgumentError(f"{names[0]} must be in 0..{names[1]} - 1 = {world - 1}, got {rank}")
            return cls(rank, world, local)
        return cls()


def generate(
    plan: Plan | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    batch: int = 8,
    device: str | Sequence[str] = "cpu",
    workers: int = 1,
    resume: bool = False,
    repair: bool = False,
    check: bool = True,
    ranks: bool = True,
    progress: OnProgress | None = None,
    **fields: Any,
) -> RunResult:
    """Writes the data set of `plan`, or of the plan's fields given by name, into the new or empty folder `out`.

    >>> fr.generate(out="faces", count=1000, style="mixed")

    Threads, batch, workers and restarts change the speed, never a byte. Shards appear complete or not at all; the manifest comes last,
    so a folder with a manifest is a finished data set.

    threads   of all workers together; default forge_rt.num_threads()
    device    "cpu", "cuda:0", or several: one worker process each
    workers   processes on this machine, at least one for each device. More machines: the same call on a shared folder, started by torchrun
              or Slurm (RANK and WORLD_SIZE, or SLURM_PROCID and SLURM_NTASKS, are read), or by hand with `resume`
    ranks     False: this call stands alone, whatever torchrun or Slurm say
    resume    goes on with the run in `out`, or joins others that work at it; finished shards are checked first. The plan may be left out
    check     with resume: False looks at presence and sizes of finished shards only, where reading them all takes too long
    repair    with resume: damaged or missing shards are renamed to *.damaged and made again
    progress  called with a `Progress` about four times a second in the calling thread; an exception stops the run

    Raises InvalidArgumentError for a bad plan or a folder of something else, CorruptFileError for damaged shards, UnsupportedError when going
    on would make other bytes, InputOutputError when the disk refuses. Finished shards stay whatever happens.
    """
    started = time.monotonic()
    if out is None:
        raise InvalidArgumentError("out, the folder to write to, is missing")
    root = Path(out)
    plan = _plan(plan, fields, root, resume, repair, check)
    for name, value in (
        ("batch", batch),
        ("workers", workers),
        *((("threads", threads),) if threads is not None else ()),
    ):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidArgumentError(f"{name} must be a whole number, got {value!r}")
    if not 1 <= batch <= 1024:
        raise InvalidArgumentError(f"batch must be 1..1024, got {batch}")
    if threads is not None and not 1 <= threads <= 256:
        raise InvalidArgumentError(f"threads must be 1..256, got {threads}")
    if not 1 <= workers <= 256:
        raise InvalidArgumentError(f"workers must be 1..256, got {workers}")
    rank = Rank.from_environment() if ranks else Rank()
    devices = _devices(device, rank)
    workers = max(workers, len(devices))

    source = open_source(plan)
    if rank.world > 1 and rank.rank > 0 and not resume:
        _await_plan(root)
    run = RunFolder.start(root, plan, source, devices[0], join=resume or rank.rank > 0)
    notes: list[str] = []
    if resume and rank.rank == 0:
        notes += _check_finished_shards(run, repair, check)
    if run.finished:
        tidy(run)
        return _result(run, Counters(), started, ("every shard was finished already", *notes))

    run.log(
        "start",
        workers=workers,
        batch=batch,
        devices=devices,
        rank=rank.rank,
        world=rank.world,
        **made_with(source, devices[0]),
    )
    per_worker = max(1, (threads or _core.num_threads()) // workers)
    settings = [
        Settings(per_worker, batch, devices[k % len(devices)], rank.rank * workers + k, rank.world * workers)
        for k in range(workers)
    ]
    display = _Display(run, progress)
    try:
        counters = _one(run, settings[0], display) if workers == 1 else _processes(run, settings, display)
    except BaseException as error:
        run.log("stopped", why=f"{type(error).__name__}: {error}")
        raise
    display.show([counters], {}, last=True)
    result = _result(run, counters, started, tuple(notes))
    run.log("finished", made=result.made, rejected=result.rejected, seconds=round(result.seconds, 3))
    return result


def _plan(plan: Plan | None, fields: dict[str, Any], root: Path, resume: bool, repair: bool, check: bool) -> Plan:
    if plan is not None and fields:
        raise InvalidArgumentError(f"give a plan or its fields, not both (got {', '.join(fields)})")
    if plan is not None:
        return plan.validate()
    if isinstance(fields.get("extras"), str):
        fields["extras"] = [name.strip() for name in fields["extras"].split(",") if name.strip()]
    if (repair or not check) and not resume:
        raise InvalidArgumentError("repair and check=False belong to resume: add --resume")
    if resume and "count" not in fields and not (root / "plan.json").exists():
        raise InvalidArgumentError(f"{root} holds no run to go on with; give the count to begin one")
    if resume and (root / "plan.json").exists():
        there = RunFolder.open(root).plan
        if isinstance(fields.get("generator"), dict) and there.generator is not None:
            fields["generator"] = {**there.generator, **fields["generator"]}
        return Plan.from_json({**there.to_json(), **fields}) if fields else there
    return Plan.from_json(fields)


def _devices(device: str | Sequence[str], rank: Rank) -> list[str]:
    names = [device] if isinstance(device, str) else list(device) if isinstance(device, (list, tuple)) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(f"device must be 'cpu', 'cuda:0' or a list of such names, got {device!r}")
    names = [part.strip() for name in names for part in name.split(",")]
    if names == ["cuda"] and rank.world > 1:
        names = [f"cuda:{rank.local}"]
    checked = [_core.check_device(name) for name in names]
    if len({name.split(":")[0] for name in checked}) > 1:
        raise InvalidArgumentError(
            f"devices of one run must be of one kind, got {', '.join(checked)}: their bytes differ"
        )
    return checked


def _await_plan(root: Path, patience_s: float = 120.0) -> None:
    """Rank 0 makes the folder."""
    end = time.monotonic() + patience_s
    while not (root / "plan.json").exists():
        if time.monotonic() > end:
            raise InvalidArgumentError(
                f"rank 0 made no {root}/plan.json in {patience_s:.0f} s; is {root} on a file system all ranks share?"
            )
        time.sleep(0.1)


def _check_finished_shards(run: RunFolder, repair: bool, hashes: bool) -> list[str]:
    """Reads every finished shard. Damage is an error, or with `repair` set aside to be made again."""
    lines = run.journal()
    beside: list[str] = []
    if run.finished:
        beside = check_manifest(run) if hashes else []
    elif (run.root / INDEX).exists():  # a finished run whose manifest is gone
        run.restore_parts(lines)
    damaged: dict[int, str] = {}
    try:
        damaged = dict(verify(run, hashes=hashes))
    except CorruptFileError as error:
        beside.append(str(error))
    if not damaged and not beside:
        return []
    if not repair:
        first, *others = (*damaged.values(), *beside)
        more = f" (and {len(others)} more)" if others else ""
        raise CorruptFileError(
            f"{run.root}: {first}{more}; nothing was touched. Put it back, or add --repair to have it made again: "
            "damaged files are kept as *.damaged"
        )
    for shard in damaged:
        run.set_aside(lines.pop(shard))
    if run.finished:
        run.reopen(lines)
        if lost := [shard for shard in lines if not run.part(shard).exists()]:
            raise CorruptFileError(
                f"{run.root}/{INDEX} was changed and cannot be made from the shards (rows of {len(lost)} are lost); put back a copy of it, "
                f"or delete {INDEX}, {journal.NAME} and the shards to have all made again with --resume"
            )
    journal.write(run.root, lines.values())
    return [f"made again: {text}" for text in (*damaged.values(), *beside)]


def _result(run: RunFolder, counters: Counters, started: float, notes: tuple[str, ...]) -> RunResult:
    return RunResult(
        run.root, run.plan.count, counters.written, counters.rejected, counters.not_accepted,
        time.monotonic() - started, run.root / MANIFEST, run.root / SHEET, notes,
    )  # fmt: skip


class _Display:
    """Turns counters of workers into `Progress`, four times a second."""

    def __init__(self, run: RunFolder, progress: OnProgress | None) -> None:
        self._run, self._progress = run, progress
        self._rate = Rate()
        self._last = -1.0
        self._shards = run.plan.shards
        lines = run.journal().values()
        self._before, self._shards_before = sum(line["count"] for line in lines), len(lines)

    def show(self, counters: Sequence[Counters], queues: dict[str, int], last: bool = False) -> None:
        elapsed = self._rate.elapsed_s
        if self._progress is None or (elapsed - self._last < 0.25 and self._last >= 0 and not last):
            return
        self._last = elapsed
        made = sum(c.written for c in counters)
        rate = self._rate.update(made)
        done = min(self._before + made, self._run.plan.count)
        if last:
            done, rate = self._run.plan.count, made / elapsed if elapsed > 0 else 0.0
        left = self._run.plan.count - done
        self._progress(
            Progress(
                done=done, count=self._run.plan.count, rejected=sum(c.rejected for c in counters),
                not_accepted=sum(c.not_accepted for c in counters),
                shards_done=self._shards if last else min(self._shards_before + sum(c.shards for c in counters), self._shards),
                shards=self._shards, elapsed_s=elapsed, samples_per_s=rate,
                eta_s=left / rate if rate > 0 else None, queues=queues,
            )
        )  # fmt: skip


def _one(run: RunFolder, settings: Settings, display: _Display) -> Counters:
    return work(run, settings, lambda counters, queues: display.show([counters], queues))


# ---- several processes ----


def _processes(run: RunFolder, settings: Sequence[Settings], display: _Display) -> Counters:
    """Starts one process for each settings and waits. A worker that dies is reported; the others take over its shard."""
    messages: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
    children: list[subprocess.Popen[bytes]] = []
    counters = [Counters() for _ in settings]
    queues: list[dict[str, int]] = [{} for _ in settings]
    errors: list[tuple[str, str]] = []

    def listen(k: int, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            messages.put((k, json.loads(line)))

    try:
        for k, setting in enumerate(settings):
            path = [entry for entry in sys.path if entry]  # the parent's, without the current folder
            program = f"import sys; sys.path[:] = {path!r}; from forge_rt.production.worker import main; main()"
            command = [sys.executable, "-c", program, str(run.root), json.dumps(dataclasses.asdict(setting))]
            child = subprocess.Popen(command, stdout=subprocess.PIPE)
            children.append(child)
            threading.Thread(target=listen, args=(k, child), daemon=True).start()
        while True:
            alive = any(child.poll() is None for child in children)
            try:
                k, message = messages.get(timeout=0.25)
            except queue.Empty:
                if not alive:
                    break
                continue
            if message["kind"] == "error":
                errors.append((message["type"], message["message"]))
            else:
                counters[k] = Counters(**message["counters"])
                queues[k] = message.get("queues", {})
                together = {name: sum(q.get(name, 0) for q in queues) for name in ("encode", "write")}
                display.show(counters, together)
    except BaseException:
        for child in children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in children:
            child.wait()
        raise
    total = Counters(*(sum(getattr(c, f.name) for c in counters) for f in dataclasses.fields(Counters)))
    dead = [f"worker {k} ended with code {child.returncode}" for k, child in enumerate(children) if child.returncode]
    if dead:
        run.log("workers lost", what=dead)
    if not run.finished:
        if errors:
            kind, text = errors[0]
            raise getattr(_core, kind, InternalError)(text)
        raise InternalError(
            f"{'; '.join(dead) or 'the workers ended'} before the run was finished; go on with --resume"
        )
    return total
