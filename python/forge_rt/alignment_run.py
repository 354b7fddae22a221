"""`forge-rt align`: samples of a generator, the fit, and its report."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forge_rt import bundles
from forge_rt._core import InvalidArgumentError, UnsupportedError
from forge_rt.alignment import Fit, Tell, collect, fit, sheet
from forge_rt.annotation.labels import MeshLabels
from forge_rt.annotation.presets import PRESETS, Preset
from forge_rt.annotation.world import World
from forge_rt.driving_heads import driving_head
from forge_rt.generator import Generator
from forge_rt.production.files import write_atomically

_PICTURES = 6


@dataclass(frozen=True)
class RunOptions:
    """Options of `forge-rt align`."""

    samples: int = 24
    seed: int = 1
    preset: str | None = None
    resolution: int = 128
    device: str = "cpu"
    head: Path | None = None
    landmarks: str | None = None
    start: Path | None = None


@dataclass(frozen=True)
class Result:
    """A fit, what is written of it, and its pictures."""

    document: dict[str, Any]  #: what `write` writes
    fit: Fit
    sheet: NDArray[np.uint8]

    def write(self, path: Path) -> None:
        """`path` and a picture beside it."""
        import cv2

        write_atomically(path, (json.dumps(self.document, indent=1, allow_nan=False) + "\n").encode())
        write_atomically(path.with_suffix(".png"), cv2.imencode(".png", self.sheet[..., ::-1])[1].tobytes())

    def text(self) -> str:
        """A few lines for people."""
        report = self.document["report"]
        lines = [f"{'':28} {'before':>9} {'after':>9}"]
        for key, what in (
            ("mean_depth_mm", "mean |depth| in the face, mm"), ("median_depth_mm", "median, mm"),
            ("landmark_depth_mm", "landmarks, mm"), ("silhouette_iou", "silhouettes, IoU"), ("missing", "mesh beside the head"),
        ):  # fmt: skip
            values = [report[when][key] for when in ("before", "after")]
            lines.append(f"{what:28} " + " ".join(f"{v:9.3f}" if v is not None else f"{'-':>9}" for v in values))
        change = report["change"]
        lines.append(
            f"turned by {change['rotation_deg']:.2f}°, moved by {change['origin_moved_mm']:.1f} mm, stretched by "
            + " ".join(f"{s:.3f}" for s in change["singular_values"])
            + f"; {report['samples']} samples, {report['iterations']} steps"
            + ("" if report["converged"] else ", NOT CONVERGED")
        )
        return "\n".join(lines)


def run(bundle: Path, options: RunOptions, *, tell: Tell | None = None) -> Result:
    """Generates heads of `bundle`, and fits the map between their meshes and what it drew.

    Raises UnsupportedError for a model without a mesh, InvalidArgumentError for a head or preset of another, and what `fit` raises.
    """
    generator = Generator(bundle, device=options.device)
    info = generator.info
    if not info.vertices:
        raise UnsupportedError(
            f"{bundles.name_of(bundle)} is given no mesh (family {info.family}): there is nothing to align"
        )
    world = World(float(info.world_scale), tuple(float(s) for s in info.world_shift))  # type: ignore[arg-type]
    head = driving_head(
        bundle, info.head_family, info.vertices, sha256=info.head_sha256, head=options.head, landmarks=options.landmarks
    )
    labels = MeshLabels.plain(head.family, head.vertices, head.triangles)
    name = options.preset or ("next3d-mini" if head.forge_head is not None else "synthforge-alignment")
    sampler = preset_of(name, info).sampler(
        z_dim=info.z_dim, world=world, head=head.forge_head, size=options.resolution
    )
    draws = [sampler.draw(options.seed, n) for n in range(options.samples)]
    views, pictures = collect(generator, draws, head.mesh, resolution=options.resolution, pictures=_PICTURES, tell=tell)
    made = fit(labels, views, world=world, start=_start(info, options), bounds=_bounds(info), tell=tell)
    document = {
        "format": "forge_rt alignment", "version": 1,
        "alignment": [[round(float(v), 9) for v in row] for row in made.alignment],
        "start": [[round(float(v), 9) for v in row] for row in made.start],
        "world": {"scale": world.scale, "shift": list(world.shift)},
        "model": {"name": bundles.name_of(bundle), "sha256": generator.hash},
        "head": {"family": info.head_family, "vertices": info.vertices},
        "preset": name, "seed": options.seed, "resolution": options.resolution,
        "report": made.report(),
    }  # fmt: skip
    return Result(document, made, sheet(labels, views, made, pictures))


def preset_of(name: str, info: Any) -> Preset:
    """Cameras stand where the model's own configuration has them. Raises InvalidArgumentError for an unknown name."""
    if name not in PRESETS:
        raise InvalidArgumentError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    preset, rendering = PRESETS[name], info.config.get("rendering", {})
    x, y, z = rendering.get("avg_camera_pivot", preset.pivot)
    return replace(
        preset, radius=float(rendering.get("avg_camera_radius", preset.radius)), pivot=(float(x), float(y), float(z))
    )


def _start(info: Any, options: RunOptions) -> Any:
    if options.start is not None:
        from forge_rt.export.readers.alignment import read_alignment

        return read_alignment(options.start)
    return info.alignment


def _bounds(info: Any) -> Any:
    """What the bundle says, or its box."""
    given = getattr(info, "bounds", None)
    if given is not None:
        return given
    half = float(info.config.get("rendering", {}).get("box_warp", 1.0)) / 2
    return [[-half] * 3, [half] * 3]
