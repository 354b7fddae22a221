"""render.npz: tri-plane sampling, decoder, rays, depths, marching (spec/next3d §8-9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np

from . import definitions
from . import tolerances as tol
from .report import Report

companions: tuple[str, ...] = ()


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    for part, array in (("points", "points_sigma"), ("render", "render_rgb"), ("auto", "auto_rgb_white")):
        if array not in data:
            report.fail(f"render/{part}", f"the file lacks {array}")
    for name in report.paths():
        _check(data, name, report)
    if not definitions.missing(report, "render"):
        definitions.check_renderer(data, report)


def _check(data: dict[str, np.ndarray], path: str, report: Report) -> None:
    decoder = fr.TriPlaneDecoder(*(data[f"decoder.net.{k}.{part}"] for k in (0, 2) for part in ("weight", "bias")))
    planes = data["planes"].transpose(0, 1, 3, 4, 2)
    planes32 = np.ascontiguousarray(planes.astype(np.float32))
    axes = data.get("plane_axes", "next3d")
    if "points_sigma" in data:
        for kind, values in (("fp32", planes32), ("fp16", np.ascontiguousarray(planes))):
            sigma, rgb = fr.sample_density(values, decoder, data["points"], axes=axes, colour=True)
            # float16 planes hold the same numbers: the vectors' planes are float16
            report.close(f"render/points_sigma {kind}", path, sigma, data["points_sigma"][..., 0], tol.RENDER_DENSITY)
            report.close(f"render/points_rgb {kind}", path, rgb, data["points_rgb"], tol.RENDER)

    resolution = int(data["ray_res"])
    views = len(data["c"])

    def draws(name: str) -> np.ndarray:
        return ((data[name].astype(np.float32) + 0.5) / 256).reshape(views, resolution**2, -1)

    def render(coarse: np.ndarray, fine: np.ndarray | None, **options: Any) -> tuple[np.ndarray, ...]:
        out = fr.volume_render(
            planes32,
            decoder,
            data["c"],
            resolution=resolution,
            coarse=coarse.shape[2],
            fine=0 if fine is None else fine.shape[2],
            u_coarse=coarse,
            u_fine=fine,
            axes=axes,
            batch_coupled=True,
            **options,
        )
        rows = [np.asarray(a).reshape(views, -1, resolution**2).transpose(0, 2, 1) for a in
                (out.features, out.depth, out.weight_sum)]  # fmt: skip
        return tuple(rows)

    if "render_rgb" in data:
        rgb, depth, weights = render(draws("u_strat"), draws("u_imp"))
        report.close("render/rgb", path, rgb, data["render_rgb"], tol.RENDER)
        report.close("render/wsum", path, weights, data["render_wsum"], tol.RENDER)
        solid = data["render_wsum"] > tol.RENDER_SOLID
        report.close("render/depth", path, depth, data["render_depth"], tol.RENDER_DEPTH, solid)
    if "coarse_weights" in data:
        _, depth, weights = render(draws("u_strat"), None)
        want = data["coarse_weights"].sum(axis=2)
        report.close("render/coarse_wsum", path, weights, want, tol.RENDER)
        solid = want > tol.RENDER_SOLID
        report.close("render/coarse_depth", path, depth, data["coarse_comp_depth"], tol.RENDER_DEPTH, solid)
    if "auto_rgb_white" in data:
        rgb, depth, weights = render(draws("auto_u_strat"), None, ray_range="auto", white_back=True)
        report.close("render/auto_rgb_white", path, rgb, data["auto_rgb_white"], tol.RENDER)
        report.close("render/auto_wsum", path, weights, data["auto_wsum"], tol.RENDER)
        solid = data["auto_wsum"] > tol.RENDER_SOLID
        report.close("render/auto_depth", path, depth, data["auto_depth"], tol.RENDER_DEPTH, solid)
