"""Rays of a camera, and the depths at which they are sampled (spec/next3d §9.1, §9.2, §9.4)."""

from __future__ import annotations

import torch
from torch.nn import functional as nnf


def camera_rays(c: torch.Tensor, resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Published camera vectors [N, 25] → origins and unit directions [N, resolution², 3], row-major over pixels."""
    return rays(c[:, :16].reshape(-1, 4, 4), c[:, 16:25].reshape(-1, 3, 3), resolution)


def rays(cam2world: torch.Tensor, intrinsics: torch.Tensor, resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    """cam2world [N, 4, 4] (OpenCV axes), intrinsics [N, 3, 3] over the image size, skew included."""
    fx, fy, cx, cy, skew = (intrinsics[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2), (0, 1)))
    centre = (torch.arange(resolution, dtype=torch.float32, device=cam2world.device) + 0.5) / resolution
    xc, yc = centre.repeat(resolution)[None], centre.repeat_interleave(resolution)[None]
    x = (xc - cx + cy * skew / fy - skew * yc / fy) / fx
    y = (yc - cy) / fy
    ones = torch.ones_like(x)
    world = torch.stack([x, y, ones, ones], -1) @ cam2world.transpose(1, 2)
    origin = cam2world[:, None, :3, 3].expand(-1, resolution**2, -1)
    return origin, nnf.normalize(world[..., :3] - origin, dim=-1, eps=1e-12)


def box_range(origins: torch.Tensor, directions: torch.Tensor, side: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Where rays [N, R, 3] enter and leave the box of this side about the world's origin, [N, R, 1]; -1 and -2: they miss it."""
    inverse = 1 / directions
    a, b = (-side / 2 - origins) * inverse, (side / 2 - origins) * inverse
    start = torch.minimum(a, b).amax(-1, keepdim=True)
    end = torch.maximum(a, b).amin(-1, keepdim=True)
    hit = start <= end
    return torch.where(hit, start, -1.0), torch.where(hit, end, -2.0)


def auto_range(origins: torch.Tensor, directions: torch.Tensor, side: float) -> tuple[torch.Tensor, torch.Tensor]:
    """`box_range`, with a range for the rays that miss. Quirk: they end at the largest *start* of the others."""
    start, end = box_range(origins, directions, side)
    hit = end > start
    if hit.any():
        valid = start[hit]
        start, end = torch.where(hit, start, valid.min()), torch.where(hit, end, valid.max())
    return start, end


def coarse_depths(
    start: float | torch.Tensor, end: float | torch.Tensor, samples: int, uniforms: torch.Tensor
) -> torch.Tensor:
    """Stratified depths [N, R, samples, 1]; uniforms of that shape in [0, 1). Range: numbers, or [N, R, 1].

    Quirk: strata start at the samples of a closed range, so the last one reaches beyond `end`.
    """
    k = torch.arange(samples, dtype=torch.float32, device=uniforms.device) / (samples - 1)
    if isinstance(start, torch.Tensor):
        assert isinstance(end, torch.Tensor)
        start, end = start[..., None], end[..., None]
    delta = (end - start) / (samples - 1)
    return start + (end - start) * k[:, None] + uniforms * delta


def fine_depths(depths: torch.Tensor, weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """Depths drawn where the coarse weights are, unsorted.

    depths [N, R, S, 1], weights [N, R, S - 1, 1], uniforms [N·R, K] → [N, R, K, 1]
    """
    n, r, s, _ = depths.shape
    z, w = depths.reshape(n * r, s), weights.reshape(n * r, s - 1)
    smooth = nnf.max_pool1d(w[:, None], 2, 1, padding=1)
    smooth = nnf.avg_pool1d(smooth, 2, 1)[:, 0] + 0.01
    bins = 0.5 * (z[:, :-1] + z[:, 1:])
    density = smooth[:, 1:-1] + 1e-5
    density = density / density.sum(-1, keepdim=True)
    cdf = torch.cat([torch.zeros_like(density[:, :1]), density.cumsum(-1)], -1)
    above = torch.searchsorted(cdf, uniforms.contiguous(), right=True)
    low, high = (above - 1).clamp(min=0), above.clamp(max=s - 3)
    cdf_low, cdf_high = cdf.gather(1, low), cdf.gather(1, high)
    bin_low, bin_high = bins.gather(1, low), bins.gather(1, high)
    width = cdf_high - cdf_low
    width = torch.where(width < 1e-5, 1.0, width)
    return (bin_low + (uniforms - cdf_low) / width * (bin_high - bin_low)).reshape(n, r, -1, 1)
