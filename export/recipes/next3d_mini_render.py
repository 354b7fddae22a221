"""The definitions' volume renderer with a fast backward pass on the CPU: the same values, for training.

Samples are chosen first and evaluated once, in order, so that nothing is sorted or merged afterwards. Gathering from the planes and scattering
their gradient are products with a sparse matrix of twelve weights a row (three planes, four texels), several times faster than
`grid_sample`, which wants channels outermost and always works out a gradient of positions. The decoder runs in blocks that stay in the cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as nnf

from ..models.next3d.config import RenderingConfig
from ..models.next3d.rays import camera_rays, coarse_depths, fine_depths
from ..models.next3d.renderer import Uniforms, march
from ..models.next3d.tri_plane import Decoder, project, sample_planes

#: Fine samples of a guided ray lie within this of the teacher's surface: world units, 12 mm of head.
GUIDE = 0.03
#: Points that the decoder takes at once.
BLOCK = 8192


class Rendered(NamedTuple):
    features: torch.Tensor  #: [N, F, r, r]; the first three are the raw image, about -1..1
    weights: torch.Tensor  #: [N, R, S - 1], of the intervals
    depths: torch.Tensor  #: [N, R, S - 1], their middles


# ---- planes ----


def taps(points: torch.Tensor, axes: torch.Tensor, box_warp: float, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """points [I, M, 3] in I stacks of three planes → texels [I·M, 12] int32 and weights [I·M, 12].

    Planes have a border of one zero texel here, so what lies outside needs no test.
    """
    stacks, count, _ = points.shape
    grid = project(points * (2 / box_warp), axes).transpose(1, 2)  # [I, M, 3, 2]
    at = ((grid + 1) * (size / 2) + 0.5).clamp_(0, size + 1)
    low = at.floor().clamp_(max=size)
    x, y = (at - low).unbind(-1)
    column, row = low.to(torch.int32).unbind(-1)
    stride = size + 2
    plane = torch.arange(3 * stacks, dtype=torch.int32, device=points.device).reshape(stacks, 1, 3) * stride**2
    first = plane + row * stride + column
    y = y / 3  # the mean over planes
    above, below = 1 / 3 - y, y
    right_above, right_below = above * x, below * x
    index = torch.stack([first, first + 1, first + stride, first + stride + 1], -1)
    weight = torch.stack([above - right_above, right_above, below - right_below, right_below], -1)
    return index.reshape(stacks * count, 12), weight.reshape(stacks * count, 12)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, texels: torch.Tensor, index: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ends = np.arange(0, index.numel() + 1, 12, dtype=np.int32)
        parts = (weight.numpy().reshape(-1), index.numpy().reshape(-1), ends)
        ctx.matrix = sparse.csr_array(parts, shape=(len(index), len(texels)), copy=False)
        return torch.from_numpy(ctx.matrix @ texels.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return torch.from_numpy(ctx.matrix.T @ grads[0].contiguous().numpy()), None, None


def gather(planes: torch.Tensor, points: torch.Tensor, axes: torch.Tensor, box_warp: float) -> torch.Tensor:
    """`sample_planes`, with a gradient for the planes alone: planes [I, 3, C, H, H], points [I, M, 3] → [I, M, C]."""
    stacks, _, channels, size, width = planes.shape
    if planes.is_cuda or size != width:
        return sample_planes(planes, points, axes, box_warp)
    index, weight = taps(points, axes, box_warp, size)
    texels = nnf.pad(planes.float().permute(0, 1, 3, 4, 2), (0, 0, 1, 1, 1, 1)).reshape(-1, channels)
    return _Gather.apply(texels, index, weight).reshape(stacks, -1, channels)  # type: ignore[no-any-return]


# ---- decoder ----


class _Decode(torch.autograd.Function):
    """features [M, C] → density [M] and sigmoid of colours [M, F]; weights as `linear` takes them."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor
    ) -> Any:
        soft = x.new_empty(len(x), len(w1))
        density, colour = x.new_empty(len(x)), x.new_empty(len(x), len(w2) - 1)
        for part in _blocks(len(x)):
            torch.addmm(b1, x[part], w1.T, out=soft[part])
            soft[part] = nnf.softplus(soft[part])
            out = torch.addmm(b2, soft[part], w2.T)
            density[part] = out[:, 0]
            torch.sigmoid(out[:, 1:], out=colour[part])
        ctx.save_for_backward(x, w1, w2, soft, colour)
        return density, colour

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        x, w1, w2, soft, colour = ctx.saved_tensors
        of_density, of_colour = grads
        dx = torch.empty_like(x)
        dw1, dw2 = torch.zeros_like(w1), torch.zeros_like(w2)
        db1, db2 = w1.new_zeros(len(w1)), w2.new_zeros(len(w2))
        for part in _blocks(len(x)):
            c, s = colour[part], soft[part]
            out = x.new_empty(len(c), len(w2))
            out[:, 0] = of_density[part]
            torch.mul(of_colour[part], c - c * c, out=out[:, 1:])
            dw2.addmm_(out.T, s)
            db2 += out.sum(0)
            inner = out @ w2
            inner.addcmul_(inner, torch.exp(-s), value=-1)  # the slope of softplus is 1 - exp(-softplus)
            dw1.addmm_(inner.T, x[part])
            db1 += inner.sum(0)
            torch.mm(inner, w1, out=dx[part])
        return dx, dw1, db1, dw2, db2


def _blocks(count: int) -> list[slice]:
    return [slice(i, min(i + BLOCK, count)) for i in range(0, count, BLOCK)]


def decode(decoder: Decoder, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """features [M, C] → density [M] and colours [M, F] *before* the decoder's widening of the sigmoid."""
    first, second = decoder.net[0], decoder.net[2]
    parts = []
    for layer in (first, second):
        parts += [layer.weight * (layer.multiplier * layer.weight.shape[1] ** -0.5), layer.bias * layer.multiplier]
    if features.is_cuda:
        out = nnf.linear(nnf.softplus(nnf.linear(features, *parts[:2])), *parts[2:])
        return out[:, 0], torch.sigmoid(out[:, 1:])
    return _Decode.apply(features, *parts)  # type: ignore[no-any-return]


# ---- rays ----


def guided_depths(uniforms: Uniforms, truth: torch.Tensor, config: RenderingConfig) -> torch.Tensor:
    """Sorted depths [N, R, S + K, 1]: S over the whole range, K near the teacher's surface `truth` [N, R, 1], over the range where it has none."""
    start, end = float(config.ray_start), float(config.ray_end)
    coarse = coarse_depths(start, end, config.depth_resolution, uniforms.coarse)
    n, rays, _, _ = coarse.shape
    fine = uniforms.fine.reshape(n, rays, -1)
    k = (torch.arange(fine.shape[2], device=fine.device) + fine) / fine.shape[2]  # stratified
    near = truth + (2 * k - 1) * GUIDE
    fine = torch.where(truth > 0, near, start + (end - start) * k)
    return torch.cat([coarse, fine[..., None]], 2).sort(2).values


class Volume(NamedTuple):
    """What rays are cast into. Views of one head share its planes: the rays' batch is a multiple of the planes'."""

    planes: torch.Tensor  #: [I, 3, C, H, H]
    decoder: Decoder
    axes: torch.Tensor
    config: RenderingConfig

    def at(
        self, origins: torch.Tensor, directions: torch.Tensor, depths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Densities [N, R, S, 1] and colours [N, R, S, F] (see `decode`) at depths [N, R, S, 1]."""
        n, rays, samples, _ = depths.shape
        points = origins[:, :, None] + depths * directions[:, :, None]
        features = gather(self.planes, points.reshape(len(self.planes), -1, 3), self.axes, self.config.box_warp)
        density, colour = decode(self.decoder, features.flatten(0, 1))
        return density.reshape(n, rays, samples, 1), colour.reshape(n, rays, samples, -1)


def importance_depths(
    volume: Volume, origins: torch.Tensor, directions: torch.Tensor, uniforms: Uniforms
) -> torch.Tensor:
    """Sorted depths as the published renderer chooses them; where to look is no function to train."""
    config = volume.config
    with torch.no_grad():
        depths = coarse_depths(config.ray_start, config.ray_end, config.depth_resolution, uniforms.coarse)
        density, _ = volume.at(origins, directions, depths)
        fine = fine_depths(depths, march(density, density, depths).weights, uniforms.fine)
        return torch.cat([depths, fine], 2).sort(2).values


def render(
    volume: Volume, c: torch.Tensor, resolution: int, uniforms: Uniforms, truth: torch.Tensor | None = None
) -> Rendered:
    """c [N, 25]; truth [N, r, r]: the teacher's ray distances, which then guide the fine samples."""
    origins, directions = camera_rays(c, resolution)
    depths = (
        importance_depths(volume, origins, directions, uniforms)
        if truth is None
        else guided_depths(uniforms, truth.flatten(1)[..., None], volume.config)
    )
    density, colour = volume.at(origins, directions, depths)
    density, depths = density[..., 0], depths[..., 0]
    # Intervals between neighbours, as the published march takes them.
    delta = depths[..., 1:] - depths[..., :-1]
    alpha = 1 - torch.exp(-nnf.softplus(0.5 * (density[..., 1:] + density[..., :-1]) - 1) * delta)
    through = nnf.pad((1 - alpha + 1e-10).cumprod(-1)[..., :-1], (1, 0), value=1.0)
    weights = alpha * through
    # Colours of intervals are means of two samples: each sample gets half of the intervals around it.
    share = 0.5 * (nnf.pad(weights, (1, 0)) + nnf.pad(weights, (0, 1)))
    mixed = (share.unsqueeze(2) @ colour).squeeze(2)
    total = weights.sum(-1, keepdim=True)
    features = 2 * (mixed * (1 + 2 * 0.001) - 0.001 * total) - 1
    features = features.transpose(1, 2).unflatten(2, (resolution, resolution))
    return Rendered(features, weights, 0.5 * (depths[..., 1:] + depths[..., :-1]))
