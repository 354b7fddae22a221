"""The volume renderer in plain PyTorch (spec/next3d §9): what the engine's fused op is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from . import rays
from .config import RenderingConfig
from .tri_plane import Decoder, sample_planes


@dataclass(frozen=True)
class Uniforms:
    """The random numbers of one rendering: coarse [N, R, S, 1] and fine [N·R, K], in [0, 1)."""

    coarse: torch.Tensor
    fine: torch.Tensor

    @staticmethod
    def draw(n: int, count: int, config: RenderingConfig, generator: torch.Generator | None = None) -> Uniforms:
        """From a generator, in the published order: coarse, then fine."""
        coarse = torch.rand(n, count, config.depth_resolution, 1, generator=generator)
        return Uniforms(coarse, torch.rand(n * count, config.depth_resolution_importance, generator=generator))

    @staticmethod
    def deterministic(n: int, count: int, config: RenderingConfig) -> Uniforms:
        """The middle of every stratum, and evenly spread quantiles."""
        fine = config.depth_resolution_importance
        middle = (torch.arange(fine, dtype=torch.float32) + 0.5) / max(fine, 1)
        coarse = torch.full((n, count, config.depth_resolution, 1), 0.5)
        return Uniforms(coarse, middle.expand(n * count, fine).contiguous())

    def to(self, device: torch.device) -> Uniforms:
        return Uniforms(self.coarse.to(device), self.fine.to(device))


class Marched(NamedTuple):
    colour: torch.Tensor  #: [N, R, F], about -1..1
    depth: torch.Tensor  #: [N, R, 1], along the unit ray
    weights: torch.Tensor  #: [N, R, S - 1, 1], of the intervals


class Rays(NamedTuple):
    colour: torch.Tensor  #: [N, R, F]
    depth: torch.Tensor  #: [N, R, 1]
    weight: torch.Tensor  #: [N, R, 1], 0: nothing was hit


def march(
    colours: torch.Tensor,
    densities: torch.Tensor,
    depths: torch.Tensor,
    *,
    white_back: bool = False,
    depth_clamp: str = "batch",
) -> Marched:
    """Samples [N, R, S, ·] sorted by depth → S - 1 intervals, composed front to back.

    Density is averaged before the softplus, and there is no interval to infinity. Quirk: depth is clamped to the range of all depths of
    the batch, which couples its images; `depth_clamp="image"` takes each image's own.
    """
    delta = depths[:, :, 1:] - depths[:, :, :-1]
    colour, density, depth = (0.5 * (x[:, :, :-1] + x[:, :, 1:]) for x in (colours, densities, depths))
    alpha = 1 - torch.exp(-torch.nn.functional.softplus(density - 1) * delta)
    through = torch.cat([torch.ones_like(alpha[:, :, :1]), 1 - alpha + 1e-10], 2).cumprod(2)[:, :, :-1]
    weights = alpha * through
    total = weights.sum(2)
    rgb = (weights * colour).sum(2)
    ray_depth = torch.nan_to_num((weights * depth).sum(2) / total, float("inf"))
    if depth_clamp == "batch":
        ray_depth = ray_depth.clamp(depths.min(), depths.max())
    else:
        ray_depth = torch.maximum(torch.minimum(ray_depth, depths.amax((1, 2))[:, None]), depths.amin((1, 2))[:, None])
    if white_back:
        rgb = rgb + 1 - total
    return Marched(2 * rgb - 1, ray_depth, weights)


def evaluate(
    planes: torch.Tensor, points: torch.Tensor, decoder: Decoder, config: RenderingConfig, axes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours [N, M, F] and raw densities [N, M, 1] at points [N, M, 3] in world units."""
    return decoder(sample_planes(planes, points, axes, config.box_warp))


def render_rays(
    planes: torch.Tensor,
    decoder: Decoder,
    origins: torch.Tensor,
    directions: torch.Tensor,
    uniforms: Uniforms,
    config: RenderingConfig,
    axes: torch.Tensor,
) -> Rays:
    """planes [N, 3, C, H, W], rays [N, R, 3] → colour, depth and weight of each ray."""
    n, count, _ = directions.shape

    def at(depths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        points = origins[:, :, None] + depths * directions[:, :, None]
        colours, densities = evaluate(planes, points.reshape(n, -1, 3), decoder, config, axes)
        return colours.reshape(n, count, -1, colours.shape[-1]), densities.reshape(n, count, -1, 1)

    start, end = config.ray_start, config.ray_end
    if start == "auto":
        start, end = rays.auto_range(origins, directions, config.box_warp)
    options = {"white_back": config.white_back, "depth_clamp": config.depth_clamp}
    depths = rays.coarse_depths(start, end, config.depth_resolution, uniforms.coarse)
    colours, densities = at(depths)
    marched = march(colours, densities, depths, **options)
    if config.depth_resolution_importance > 0:
        fine = rays.fine_depths(
            depths, marched.weights.detach(), uniforms.fine
        )  # where to look is no function to train
        fine_colours, fine_densities = at(fine)
        depths, order = torch.cat([depths, fine], 2).sort(2)
        colours = torch.cat([colours, fine_colours], 2).gather(2, order.expand(-1, -1, -1, colours.shape[-1]))
        densities = torch.cat([densities, fine_densities], 2).gather(2, order)
        marched = march(colours, densities, depths, **options)
    return Rays(marched.colour, marched.depth, marched.weights.sum(2))
