"""cameras.npz: look-at, Gaussian and intrinsics (spec/next3d §16)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np

from . import tolerances as tol
from .report import Report

companions: tuple[str, ...] = ()
_PATH = "scalar"  # host double precision, one path


def _close(name: str, got: np.ndarray, want: np.ndarray, v: np.ndarray, report: Report) -> None:
    """Elements whose v lies at the clamp are ill-conditioned in the reference's float32 and have their own tolerance."""
    pole = np.abs(np.sin(v)) < 1e-3
    for suffix, rows, atol in (("", ~pole, tol.CAMERA), (" at the pole", pole, tol.CAMERA_POLE)):
        if rows.any():
            report.close(f"cameras/{name}{suffix}", _PATH, got[rows], want[rows], atol)


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    h, v, radius = data["h"], data["v"], data["radius"]
    clamped = np.clip(v, 1e-5, np.pi - 1e-5)
    origin = np.zeros(3)
    look_at = fr.camera.look_at(h, v, data["lookat"].astype(np.float64), radius)
    _close("cam2world_lookat", look_at, data["cam2world_lookat"], clamped, report)
    means = fr.camera.look_at(h, v, origin, radius)
    _close("cam2world_gaussian_mean", means, data["cam2world_gaussian_mean"], clamped, report)
    if "gauss_params" in data:
        h_mean, v_mean, h_std, v_std, gauss_radius = (float(x) for x in data["gauss_params"])
        normals = data["gauss_normals_hv"][..., 0].astype(np.float64)
        drawn_h, drawn_v = h_mean + normals[0] * h_std, v_mean + normals[1] * v_std
        got = fr.camera.look_at(drawn_h, drawn_v, origin, gauss_radius)
        _close("cam2world_gaussian", got, data["cam2world_gaussian"], np.clip(drawn_v, 1e-5, np.pi - 1e-5), report)
    intrinsics = fr.camera.intrinsics_from_published_fov(data["fov_deg"])
    report.close("cameras/intrinsics", _PATH, intrinsics, data["intrinsics"], tol.CAMERA)
