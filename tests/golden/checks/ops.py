"""ops.npz: filtering, activations and resizing (spec/next3d §2.1, §2.2, §2.10), and layers by their definitions (§2.3-2.9, §3, §5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np

from . import definitions
from . import tolerances as tol
from .report import Report, groups

companions: tuple[str, ...] = ()


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    for part in ("upfirdn2d", "bias_act", "resize"):
        if not any(name.startswith(part) for name in data):
            report.fail(f"ops/{part}", "the file has no such case")
    for name in report.paths():
        _filters(data, name, report)
        _activations(data, name, report)
        _resizing(data, name, report)
    if not definitions.missing(report, "ops"):
        definitions.check_layers(data, report)


def _close(data: dict[str, np.ndarray], case: str, path: str, got: Any, report: Report) -> None:
    want = data[f"{case}.out"]
    report.close(f"ops/{case}", path, got, want, tol.OPS * max(1.0, float(np.abs(want).max())))


def _factors(value: np.ndarray) -> tuple[int, int]:
    x, y = np.broadcast_to(value, 2)
    return int(x), int(y)


def _filters(data: dict[str, np.ndarray], path: str, report: Report) -> None:
    for found in groups(data, r"(upfirdn2d_\d+)\.out$"):
        case = found.group(1)
        item = {name: data[f"{case}.{name}"] for name in ("x", "f", "up", "down", "pad", "flip", "gain")}
        got = fr.upfirdn2d(
            item["x"],
            item["f"],
            up=_factors(item["up"]),
            down=_factors(item["down"]),
            padding=[int(p) for p in item["pad"]],
            flip_filter=bool(item["flip"]),
            gain=float(item["gain"]),
        )
        _close(data, case, path, got, report)
    for case, function in (("upsample2d", fr.upsample2d), ("downsample2d", fr.downsample2d)):
        if f"{case}.out" in data:
            _close(data, case, path, function(data[f"{case}.x"], data[f"{case}.f"]), report)


def _activations(data: dict[str, np.ndarray], path: str, report: Report) -> None:
    for found in groups(data, r"(bias_act_(lrelu|linear)\w*)\.out$"):
        case = found.group(1)
        given = {name: float(data[f"{case}.{name}"]) for name in ("gain", "clamp") if f"{case}.{name}" in data}
        got = fr.bias_act(data[f"{case}.x"], data[f"{case}.b"], activation=found.group(2), **given)
        _close(data, case, path, got, report)


def _resizing(data: dict[str, np.ndarray], path: str, report: Report) -> None:
    for found in groups(data, r"(resize_\w+)\.out$"):
        case = found.group(1)
        got = fr.resize_antialias(data[f"{case}.x"].astype(np.float32), data[f"{case}.out"].shape[2:])
        _close(data, case, path, got, report)
