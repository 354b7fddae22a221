"""What a run tells while it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """All workers of this call together."""

    done: int  #: samples written, those of earlier calls included
    count: int
    rejected: int  #: draws that were not good enough, in this call
    not_accepted: int  #: samples kept although every draw failed
    shards_done: int
    shards: int
    elapsed_s: float
    samples_per_s: float  #: of this call, over the last seconds
    eta_s: float | None  #: None until there is a rate
    queues: dict[str, int] = field(default_factory=dict)  #: samples between the stages: encode, write

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        for name in ("elapsed_s", "samples_per_s", "eta_s"):
            if values[name] is not None:
                values[name] = round(values[name], 2)
        return values


#: called about four times a second and after every shard; an exception stops the run
OnProgress = Callable[[Progress], None]


class Rate:
    """Samples a second over a sliding window, from a monotonic clock."""

    def __init__(self, window_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window, self._clock = window_s, clock
        self._start = clock()
        self._points: list[tuple[float, int]] = [(self._start, 0)]

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._start

    def update(self, done: int) -> float:
        now = self._clock()
        self._points.append((now, done))
        while len(self._points) > 2 and self._points[1][0] < now - self._window:
            self._points.pop(0)
        (t0, n0), (t1, n1) = self._points[0], self._points[-1]
        return (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0
