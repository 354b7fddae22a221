"""What golden samples of all families share: how outputs are compared, and which of their numbers are kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Outputs = dict[str, np.ndarray]
#: how an output is compared: largest difference, or share of elements that differ
MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "max": lambda a, b: float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0)),
    "mean": lambda a, b: float(np.abs(a.astype(np.float64) - b.astype(np.float64)).mean()),
    "share": lambda a, b: float((a != b).mean()),
}


def some(values: np.ndarray, numbers: int) -> np.ndarray:
    """At most `numbers` of the values, evenly spread; the step is odd so that it does not walk along one column of a map."""
    step = -(-values.size // numbers)
    return np.ascontiguousarray(values.ravel()[:: step | 1 if step > 1 else 1], np.float32)
