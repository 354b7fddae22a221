"""Collects checks and prints one line for each."""

from __future__ import annotations

import re
from typing import Any

import forge_rt as fr
import numpy as np

_PATH_OF_ISA = {"baseline": "scalar", "avx2": "simd avx2", "avx512": "simd avx512"}


class Report:
    def __init__(self, isas: list[str] | None) -> None:
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.isas = isas or [isa for isa in ("baseline", "avx2", "avx512") if self._runs(isa)]

    @staticmethod
    def _runs(isa: str) -> bool:
        before = fr.isa()
        try:
            fr.set_isa(isa)
        except fr.UnsupportedError:
            return False
        fr.set_isa(before)
        return True

    def paths(self) -> Any:
        """Yields the name of each CPU path after switching to it."""
        before = fr.isa()
        for isa in self.isas:
            fr.set_isa(isa)
            yield _PATH_OF_ISA[isa]
        fr.set_isa(before)

    def _line(self, good: bool, name: str, path: str, text: str) -> None:
        self.passed += good
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name:<44} [{path}] {text}")

    def fail(self, name: str, why: str) -> None:
        self._line(False, name, "-", why)

    def skip(self, name: str, why: str) -> None:
        """A section that cannot run here; it neither passes nor fails."""
        self.skipped += 1
        print(f"skip {name:<44} [-] {why}")

    def limit(self, name: str, path: str, error: float, atol: float) -> None:
        """An error that was measured elsewhere."""
        self._line(bool(error <= atol), name, path, f"max error {error:.3g} (tolerance {atol:.3g})")

    def close(self, name: str, path: str, got: Any, want: Any, atol: float, where: np.ndarray | None = None) -> None:
        """Largest absolute error over `where` (all elements by default) is at most atol; NaN is never close."""
        got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
        if got.shape != want.shape:
            return self._line(False, name, path, f"shape {got.shape}, expected {want.shape}")
        error = np.abs(got - want)
        if where is not None:
            error = error[np.broadcast_to(where, error.shape)]
        if error.size == 0:
            return self._line(False, name, path, "nothing to compare")
        worst = float(error.max())
        return self._line(
            bool(worst <= atol), name, path, f"max error {worst:.3g} (tolerance {atol:g}, {error.size} values)"
        )

    def share(self, name: str, path: str, different: np.ndarray, of: np.ndarray, limit: float) -> None:
        """At most `limit` of the elements marked in `of` are marked in `different`."""
        total, wrong = int(of.sum()), int(different.sum())
        if total == 0:
            return self._line(False, name, path, "nothing to compare")
        return self._line(wrong <= limit * total, name, path, f"{wrong} of {total} differ (limit {100 * limit:g} %)")


def groups(names: Any, pattern: str) -> list[re.Match[str]]:
    """Matches of `pattern` among array names, one per distinct match, in order."""
    seen: dict[str, re.Match[str]] = {}
    for name in names:
        if found := re.match(pattern, name):
            seen.setdefault(found.group(0), found)
    return list(seen.values())
