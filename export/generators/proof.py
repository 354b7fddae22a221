"""Proof that the graphs compute what the definition computes: stage by stage, and all of them together."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np
import torch
from forge_rt.backend import Session
from torch import nn

from ..errors import ExportError
from ..models.next3d import EG3D, Next3D, Views
from ..models.next3d.filters import resize
from ..verify import compare
from .stages import Stage, super_resolution_input

#: Largest differences, of outputs up to 1; larger outputs may differ by as much more (spec/next3d: 5e-4 on planes of 200, 2e-4 on images).
STAGE_BAR = 1e-5
IMAGE_BAR = 2e-4
#: Trained heads are solid: at a silhouette, rounding moves the samples of a ray across the surface. So few values of a picture may differ by more.
EDGE_SHARE = 1e-3
EDGE_BAR = 50 * IMAGE_BAR
BATCH = 2
Sessions = Mapping[str, Session]


def prove_stage(stage: Stage, path: Path, *, threads: int = 1) -> dict[str, Any]:
    """The row of one graph for the bundle's `export`; ExportError with the numbers when it deviates.

    Two samples at once: a batch that was fixed by mistake shows, and a large network is run only once.
    """
    session = Session(path, threads=threads)
    batch = normal_inputs(session, BATCH)
    del session
    row = compare(stage.module, path, [batch], max_abs=None, threads=threads)
    for name, output in row["outputs"].items():
        output["max_abs_bar"] = STAGE_BAR * max(1.0, *map(abs, output["range"]))
        _hold(path.name, name, output)
    return row


def _hold(what: str, name: str, row: dict[str, Any]) -> None:
    if not row["max_abs"] <= row["max_abs_bar"]:
        raise ExportError(
            f"{what} is not what it was exported from: {name} differs by {row['max_abs']:.3g}, at most {row['max_abs_bar']:.3g} was expected "
            f"(values {row['range'][0]:.3g}..{row['range'][1]:.3g})"
        )


def normal_inputs(session: Session, n: int) -> dict[str, np.ndarray]:
    """Standard normal numbers from the engine's counter-based generator."""
    made = {}
    for port in session.inputs:
        count = n * int(np.prod(port.shape[1:]))
        u, v = (fr.random_uniform([count], 1, n, f"export.{port.name}.{k}").numpy().astype(np.float64) for k in "uv")
        normal = np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v)
        made[port.name] = normal.astype(np.float32).reshape(n, *port.shape[1:])
    return made


class _Runs(nn.Module):
    """A graph in place of the module that it was written from. The noise mode that a module takes last is in the graph."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def forward(self, *inputs: Any) -> torch.Tensor:
        ports = self.session.inputs
        given = [x.numpy() for x in inputs if isinstance(x, torch.Tensor)]
        # definitions take all styles and read the first ones
        given = [np.ascontiguousarray(x[:, : port.shape[1]]) for x, port in zip(given, ports, strict=True)]
        out = self.session.run(dict(zip((port.name for port in ports), given, strict=True)))
        return torch.from_numpy(next(iter(out.values())).numpy().copy())


class _SuperResolution(_Runs):
    def __init__(self, session: Session, model: EG3D) -> None:
        super().__init__(session)
        self.side, self.antialias = super_resolution_input(model), model.config.rendering.sr_antialias

    def forward(self, rgb: torch.Tensor, features: torch.Tensor, ws: torch.Tensor, noise_mode: str) -> torch.Tensor:  # type: ignore[override]
        if features.shape[-1] != self.side:
            features = resize(features, (self.side, self.side), self.antialias)
        return super().forward(features, ws[:, -1])


_NETWORKS = {
    "texture": "texture_backbone",
    "static": "backbone",
    "mouth": "mouth_backbone",
    "blend": "neural_blending",
}


def with_graphs(model: EG3D, sessions: Sessions) -> EG3D:
    """The model with graphs in place of its networks; what is between them stays as it is."""
    twin = copy.copy(model)
    twin._modules = dict(model._modules)
    for stage, name in _NETWORKS.items():
        if stage in sessions:
            backbone = copy.copy(getattr(model, name))
            backbone._modules = {**backbone._modules, "synthesis": _Runs(sessions[stage])}
            twin._modules[name] = backbone
    twin._modules["superresolution"] = _SuperResolution(sessions["super_resolution"], model)
    mapping, average = _Runs(sessions["mapping"]), model.backbone.mapping.w_avg

    def styles(z: torch.Tensor, c: torch.Tensor, *, psi: float = 1.0, cutoff: int | None = None) -> torch.Tensor:
        ws = mapping(z, c)
        cut = ws.shape[1] if cutoff is None else min(cutoff, ws.shape[1])
        return torch.cat([average + psi * (ws[:, :cut] - average), ws[:, cut:]], 1) if psi != 1 else ws

    object.__setattr__(twin, "mapping", styles)
    return twin


def prove_model(model: EG3D, paths: Mapping[str, Path], *, threads: int = 1) -> dict[str, Any]:
    """Random inputs through the definition and through the graphs, end to end."""
    sessions = {name: Session(path, threads=threads) for name, path in paths.items()}
    twin = with_graphs(model, sessions)
    given = _example(model)
    with torch.no_grad():
        wanted, got = (
            model(*given, psi=0.7, cutoff=model.num_static_ws),
            twin(*given, psi=0.7, cutoff=model.num_static_ws),
        )
    rows = {}
    for name in ("image", "features"):
        rows[name] = compare_pictures(name, getattr(wanted, name).numpy(), getattr(got, name).numpy())
    return rows


def compare_pictures(name: str, wanted: np.ndarray, got: np.ndarray) -> dict[str, Any]:
    """The row of one output; ExportError when more than EDGE_SHARE of it is beyond IMAGE_BAR, or any of it beyond EDGE_BAR."""
    difference = np.abs(got.astype(np.float64) - wanted)
    difference[np.isnan(difference)] = np.inf
    unit = max(1.0, float(np.abs(wanted).max()))
    row: dict[str, Any] = {
        "max_abs": float(difference.max()),
        "mean_abs": float(difference.mean()),
        "range": [float(wanted.min()), float(wanted.max())],
        "max_abs_bar": EDGE_BAR * unit,
        "share_above": float((difference > IMAGE_BAR * unit).mean()),
        "share_above_bar": EDGE_SHARE,
        "above": IMAGE_BAR * unit,
    }
    _hold("the exported model", name, row)
    if not row["share_above"] <= EDGE_SHARE:
        raise ExportError(
            f"the exported model is not what it was exported from: {row['share_above']:.2%} of {name} differ by more than "
            f"{row['above']:.3g}, at most {EDGE_SHARE:.1%} was expected"
        )
    return row


def _example(model: EG3D) -> tuple[Any, ...]:
    """One sample: latent, camera, and for Next3D views of smooth texture coordinates."""
    g = torch.Generator().manual_seed(1)
    config = model.config
    z, c = torch.randn(1, config.z_dim, generator=g), torch.zeros(1, 25)
    radius, pivot = config.rendering.avg_camera_radius, config.rendering.avg_camera_pivot
    yaw = 0.25
    axis = torch.tensor([np.sin(yaw), 0.0, np.cos(yaw)], dtype=torch.float32)
    matrix = torch.eye(4)
    matrix[:3, 0] = torch.tensor([np.cos(yaw), 0.0, -np.sin(yaw)], dtype=torch.float32)
    matrix[:3, 1] = torch.tensor([0.0, -1.0, 0.0])
    matrix[:3, 2], matrix[:3, 3] = -axis, radius * axis + torch.tensor(pivot)
    c[0, :16] = matrix.flatten()
    c[0, 16:] = torch.tensor([4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1])
    if not isinstance(model, Next3D):
        return z, c, c
    size = config.plane_resolution
    line = torch.linspace(-0.9, 0.9, size)
    uv = torch.stack(torch.meshgrid(line, line, indexing="ij")[::-1], -1)[None]
    alpha = torch.rand(1, 1, size, size, generator=g)
    box = torch.tensor([[0.45, 0.7, 0.4, 0.65]]).mul(size).int()
    views = Views(uv, alpha, box)
    if config.blend_planes == "all":
        views.yaw90_uv, views.yawm90_uv, views.top_uv = uv.flip(1), uv.flip(2), uv * 0.5
        views.side_alpha, views.top_alpha = alpha.round(), alpha.flip(2)
    return z, c, c, views
