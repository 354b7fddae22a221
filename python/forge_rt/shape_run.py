"""`forge-rt shape`: one person of a generator, posed, as a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import bundles, shape
from forge_rt._core import InvalidArgumentError
from forge_rt.alignment_run import preset_of
from forge_rt.annotation.world import World
from forge_rt.driving_heads import driving_head
from forge_rt.generator import Generator


@dataclass(frozen=True)
class ShapeOptions:
    seed: int = 0
    index: int = 0
    attempt: int = 0
    preset: str | None = None
    psi: float | None = None
    cutoff: int | None = None
    resolution: int = 256
    level: float | None = None
    border: float | None = None
    colors: bool = True
    device: str = "cpu"
    head: Path | None = None
    landmarks: str | None = None


def run(bundle: Path, options: ShapeOptions, *, tell: shape.Tell | None = None) -> shape.Surface:
    """The person of sample `index` of the data set that `generate` makes with this seed, in the draw `attempt`, with its expression."""
    if options.index < 0 or options.attempt < 0 or not 0 <= options.seed < 2**64:
        raise InvalidArgumentError(
            f"seed, index and attempt are whole numbers from 0 on, got {options.seed}, {options.index}, {options.attempt}"
        )
    shape.require()
    generator = Generator(bundle, device=options.device)
    info = generator.info
    world = World(float(info.world_scale), tuple(float(s) for s in info.world_shift))  # type: ignore[arg-type]
    head = None
    if info.vertices:
        head = driving_head(
            bundle, info.head_family, info.vertices, sha256=info.head_sha256, head=options.head, landmarks=options.landmarks
        )  # fmt: skip
    elif options.head is not None:
        raise InvalidArgumentError(
            f"{bundles.name_of(bundle)} is given no mesh (family {info.family}): leave --head out"
        )
    forge_head = None if head is None else head.forge_head
    name = options.preset or ("next3d-mini" if forge_head is not None else "synthforge-code")
    sampler = preset_of(name, info).sampler(z_dim=info.z_dim, world=world, head=forge_head, size=info.image_size)
    draw = sampler.draw(options.seed, options.index, options.attempt)
    camera = draw.label25[None].astype(np.float32) if info.conditioning == "view" else None
    identity = generator.identity(draw.z[None], camera, psi=options.psi, cutoff=options.cutoff)
    mesh: tuple[Any, ...] = () if head is None else head.mesh([draw])
    posed = generator.expression(identity, *mesh, mouth_box="clamp")
    return shape.extract(
        generator, posed, resolution=options.resolution, level=options.level, border=options.border, colors=options.colors, tell=tell
    )  # fmt: skip
