"""What every benchmark shares: fair timing, ceilings, checks, one JSON document.

Problem: a time alone says nothing; a ratio measured in two runs on a shared machine says little.
Idea:    contestants take turns (A B A B ...), so that drift of the machine hits all of them, and a ratio is the
         median of the ratios of each round. Results are checked first: a wrong result is not timed. Ceilings are
         measured in the same run.
"""

from __future__ import annotations

import datetime
import operator
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import forge_rt
from forge_rt import _core
from forge_rt.bench import machine
from forge_rt.bench.ceilings import measure_ceilings

#: Version of the JSON document.
FORMAT = 1

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {">=": operator.ge, "<=": operator.le, "==": operator.eq}


@dataclass(frozen=True)
class Options:
    """How long to measure. Problem sizes are never an option."""

    repeat: int = 1  #: multiplies the rounds of every comparison

    def validate(self) -> None:
        if not 1 <= self.repeat <= 1000:
            raise _core.InvalidArgumentError(f"repeat must be 1..1000, got {self.repeat}")


@dataclass(frozen=True)
class Row:
    """Times of one contestant, one value per call."""

    name: str
    what: str
    threads: int
    items: int  #: per call: images, heads, ...
    unit: str  #: what an item is
    rounds: int
    warm_up: int  #: untimed calls, all rounds together
    n: int  #: timed calls
    min_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    items_per_s: float  #: items / p50
    of_ceiling: dict[str, float] = field(default_factory=dict)  #: share of a ceiling reached at p50


@dataclass(frozen=True)
class Check:
    """`value op bar`, or not evaluated (`passed` is None) for the reason in `note`."""

    name: str
    value: float | None
    op: str
    bar: float
    passed: bool | None
    kind: str  #: "parity" or "speed"
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        values["pass"] = values.pop("passed")
        return values


@dataclass(frozen=True)
class Result:
    """One finished run. `to_dict()` is the JSON document."""

    benchmark: str
    summary: str
    problem: dict[str, Any]
    environment: dict[str, Any]
    ceilings: dict[str, float]
    rows: list[Row]
    checks: list[Check]
    notes: list[str]

    @property
    def passed(self) -> bool:
        """No check failed, and at least one was made."""
        return any(c.passed for c in self.checks) and all(c.passed is not False for c in self.checks)

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "summary": self.summary,
            "passed": self.passed,
            "problem": self.problem,
            "environment": self.environment,
            "ceilings": self.ceilings,
            "rows": [asdict(row) for row in self.rows],
            "checks": [check.to_dict() for check in self.checks],
            "notes": self.notes,
        }


@dataclass(frozen=True)
class Contestant:
    """Something to time: `call` does the whole job once; `before` prepares its turn, untimed."""

    name: str
    what: str
    call: Callable[[], object]
    items: int = 1
    unit: str = "call"
    threads: int = 1
    before: Callable[[], object] | None = None
    work: Mapping[str, float] = field(default_factory=dict)  #: {ceiling: units of it one call needs}
    calls_per_turn: int | None = None  #: fixed number of timed calls; default: what fits into a turn


class ParityError(Exception):
    """A result was wrong: nothing is timed after this."""


@dataclass(frozen=True)
class Timings:
    """Seconds per call of every contestant, by round."""

    rounds: dict[str, list[np.ndarray]]

    def ratio(self, slow: str, fast: str) -> float:
        """How many times longer `slow` takes: median over the rounds of (median slow / median fast)."""
        pairs = zip(self.rounds[slow], self.rounds[fast], strict=True)
        return float(np.median([np.median(a) / np.median(b) for a, b in pairs]))


class Run:
    """Handed to a benchmark's `run`: describes the problem, checks results, times contestants."""

    def __init__(self, options: Options | None = None, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.options = options or Options()
        self.problem: dict[str, Any] = {}
        self.ceilings: dict[str, float] = {}
        self.rows: list[Row] = []
        self.checks: list[Check] = []
        self.notes: list[str] = []
        self._clock = clock

    def check(self, name: str, value: float, op: str, bar: float, note: str = "", *, kind: str = "speed") -> bool:
        """Records `value op bar`. NaN fails."""
        passed = bool(_OPERATORS[op](value, bar))
        self.checks.append(Check(name, float(value), op, float(bar), passed, kind, note))
        return passed

    def parity(self, name: str, error: float, bar: float, note: str) -> bool:
        """Records `error <= bar`: is the result right? Make all of these before anything is timed."""
        return self.check(name, error, "<=", bar, note, kind="parity")

    def skip(self, name: str, op: str, bar: float, reason: str) -> None:
        """Records a check that cannot be made on this machine. It neither passes nor fails."""
        self.checks.append(Check(name, None, op, float(bar), None, "speed", f"not evaluated: {reason}"))

    def require_parity(self) -> None:
        """Ends the run when a parity check failed: the time of a wrong result means nothing."""
        failed = [c.name for c in self.checks if c.kind == "parity" and not c.passed]
        if failed:
            raise ParityError(f"{', '.join(failed)} failed: nothing was timed")

    def measure_ceilings(self, threads: int) -> None:
        """What this machine can do at best, now: see bench/ceilings.py."""
        self.ceilings.update(measure_ceilings(threads))

    def compare(
        self, *contestants: Contestant, rounds: int = 7, turn_s: float = 0.08, warm_up: int = 2, pause_s: float = 0.0
    ) -> Timings:
        """Times the contestants in turns and appends one row for each.

        A turn is a pause, `warm_up` untimed calls, then calls for `turn_s` seconds: at least one, at most 200.
        The pause lets the threads of the last contestant fall asleep: those of BLAS wait awake for a while after a call
        and would take a core from the next one.
        """
        rounds *= self.options.repeat
        samples: dict[str, list[np.ndarray]] = {c.name: [] for c in contestants}
        for _ in range(rounds):
            for contestant in contestants:
                time.sleep(pause_s)
                samples[contestant.name].append(self._turn(contestant, turn_s, warm_up))
        for c in contestants:
            self.rows.append(self._row(c, samples[c.name], rounds * warm_up))
        return Timings(samples)

    def _turn(self, contestant: Contestant, turn_s: float, warm_up: int) -> np.ndarray:
        if contestant.before is not None:
            contestant.before()
        for _ in range(warm_up):
            contestant.call()
        most = contestant.calls_per_turn or 200
        end = self._clock() + (turn_s if contestant.calls_per_turn is None else float("inf"))
        times: list[float] = []
        while len(times) < most:
            start = self._clock()
            contestant.call()
            now = self._clock()
            times.append(now - start)
            if now >= end:
                break
        return np.asarray(times)

    def _row(self, c: Contestant, turns: list[np.ndarray], warm_up: int) -> Row:
        times = np.concatenate(turns)
        p50, p90, p99 = (float(np.percentile(times, q)) for q in (50, 90, 99))
        reached = {
            name: amount / p50 / self.ceilings[name]
            for name, amount in c.work.items()
            if self.ceilings.get(name) and p50 > 0
        }
        return Row(
            name=c.name, what=c.what, threads=c.threads, items=c.items, unit=c.unit, rounds=len(turns), warm_up=warm_up,
            n=len(times), min_ms=1e3 * float(times.min()), p50_ms=1e3 * p50, p90_ms=1e3 * p90, p99_ms=1e3 * p99,
            items_per_s=c.items / p50 if p50 > 0 else float("inf"), of_ceiling=reached,
        )  # fmt: skip


@contextmanager
def engine_settings(*, threads: int | None = None, isa: str | None = None) -> Iterator[None]:
    """Sets threads or ISA path of the whole process and puts both back."""
    before = _core.num_threads(), _core.isa()
    try:
        if threads is not None:
            _core.set_num_threads(threads)
        if isa is not None:
            _core.set_isa(isa)
        yield
    finally:
        _core.set_num_threads(before[0])
        if _core.isa() != before[1]:
            _core.set_isa(before[1])


def execute(name: str, summary: str, body: Callable[[Run], None], options: Options | None = None) -> Result:
    """Runs a benchmark body between two looks at the machine. A failed parity check ends it early, never silently."""
    options = options or Options()
    options.validate()
    run = Run(options)
    environment: dict[str, Any] = {
        "date_utc": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "forge_rt": forge_rt.__version__,
        **machine.commit(),
        **machine.processor(),
        "threads": _core.num_threads(),
        "isa": _core.isa(),
        "isa_reason": _core.isa_reason(),
        "devices": _core.cuda_status()["devices"],
        **machine.versions(),
        "load_before": machine.load(),
    }
    started = time.perf_counter()
    threads = _core.num_threads()
    try:
        body(run)
    except ParityError as error:
        run.notes.append(str(error))
    finally:
        _core.set_num_threads(threads)
    environment["load_after"] = machine.load()
    environment["duration_s"] = round(time.perf_counter() - started, 1)
    busy = environment["load_before"]
    if busy is not None and busy > 0.5 * (os.cpu_count() or 1):
        run.notes.append(
            f"the machine was not idle: load average {busy:.2f} on {environment['cores']} cores before the run"
        )
    return Result(name, summary, run.problem, environment, run.ceilings, run.rows, run.checks, run.notes)
