"""Resampling: FIR filters on the pixel grid, and bilinear resize with antialias as a product of two matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as nnf


def setup_filter(taps: Sequence[float] = (1, 3, 3, 1)) -> torch.Tensor:
    """Outer product of `taps` with itself, of sum 1, [K, K]."""
    line = torch.tensor(taps, dtype=torch.float32)
    return torch.outer(line, line) / line.sum() ** 2


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def upfirdn2d(
    x: torch.Tensor,
    filter: torch.Tensor,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    *,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> torch.Tensor:
    """[N, C, H, W]: `up`-1 zeros after each pixel, padding (left, right, top, bottom; negative crops), convolution, every `down`-th sample.

    `up` and `down` are one number or (x, y). A true convolution; `flip_filter` makes it a correlation.
    """
    (up_x, up_y), (down_x, down_y) = _pair(up), _pair(down)
    n, channels, height, width = x.shape
    if up_x > 1 or up_y > 1:
        x = nnf.pad(x.reshape(n, channels, height, 1, width, 1), [0, up_x - 1, 0, 0, 0, up_y - 1])
        x = x.reshape(n, channels, height * up_y, width * up_x)
    if any(padding):
        x = nnf.pad(x, list(padding))
    kernel = (filter * gain).to(x.dtype)
    kernel = kernel if flip_filter else kernel.flip([0, 1])
    return nnf.conv2d(x, kernel.expand(channels, 1, *kernel.shape), stride=(down_y, down_x), groups=channels)


def upsample2d(x: torch.Tensor, filter: torch.Tensor) -> torch.Tensor:
    """Twice the size, through a filter of 4 taps."""
    return upfirdn2d(x, filter, up=2, padding=(2, 1, 2, 1), gain=4)


def downsample2d(x: torch.Tensor, filter: torch.Tensor) -> torch.Tensor:
    """Half the size, through a filter of 4 taps."""
    return upfirdn2d(x, filter, down=2, padding=(1, 1, 1, 1))


def _triangle(centre: torch.Tensor, scale: torch.Tensor, taps: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Weights of `taps` around `centre`: a triangle as wide as the larger pixel, over the valid taps, of sum 1."""
    weight = (1 - (taps + 0.5 - centre).abs() / scale.clamp(min=1)).clamp(min=0) * valid
    return weight / weight.sum(-1, keepdim=True).clamp(min=1e-12)


def resize_matrix(inside: int, outside: int, like: torch.Tensor, antialias: bool = True) -> torch.Tensor:
    """[outside, inside] matrix of a bilinear resize, align_corners=False."""
    scale = torch.tensor(inside / outside, dtype=like.dtype, device=like.device)
    centre = (torch.arange(outside, dtype=like.dtype, device=like.device)[:, None] + 0.5) * scale
    taps = torch.arange(inside, dtype=like.dtype, device=like.device)
    if not antialias:
        centre, scale = centre.clamp(0.5, inside - 0.5), torch.ones_like(scale)
    return _triangle(centre, scale, taps, torch.ones_like(taps))


def resize(x: torch.Tensor, size: tuple[int, int], antialias: bool = True) -> torch.Tensor:
    """[N, C, H, W] → [N, C, *size], bilinear."""
    rows, columns = (
        resize_matrix(inside, outside, x, antialias) for inside, outside in zip(x.shape[-2:], size, strict=True)
    )
    return rows @ x @ columns.T


def crop_matrix(start: torch.Tensor, length: torch.Tensor, inside: int, outside: int) -> torch.Tensor:
    """[N, outside, inside]: resize of the pixels start … start + length of a line to `outside` pixels.

    The box differs by image, the shapes do not: that is what lets the mouth branch run in batches and in a fixed graph.
    """
    start, length = (t.to(torch.float32)[:, None, None] for t in (start, length))
    taps = torch.arange(inside, dtype=torch.float32, device=start.device)
    scale = length / outside
    centre = start + (torch.arange(outside, dtype=torch.float32, device=start.device)[:, None] + 0.5) * scale
    return _triangle(centre, scale, taps, (taps >= start) & (taps < start + length))


def paste_matrix(start: torch.Tensor, length: torch.Tensor, inside: int, outside: int) -> torch.Tensor:
    """[N, outside, inside]: resize of `inside` pixels to the pixels start … start + length of a line; zero elsewhere."""
    start, length = (t.to(torch.float32)[:, None, None] for t in (start, length))
    at = torch.arange(outside, dtype=torch.float32, device=start.device)[:, None]
    taps = torch.arange(inside, dtype=torch.float32, device=start.device)
    scale = inside / length.clamp(min=1)
    weight = _triangle((at - start + 0.5) * scale, scale, taps, torch.ones_like(taps))
    return weight * inside_box(start, length, at)


def inside_box(start: torch.Tensor, length: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    return (at >= start) & (at < start + length)
