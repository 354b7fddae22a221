"""Features of points from three planes, and the decoder that turns them into density and colour (spec/next3d §8)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as nnf

from .layers import FullyConnected


def project(points: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
    """points [N, M, 3], axes [P, 3, 3] → coordinates on each plane [N, P, M, 2]: (column, row)."""
    return (points[:, None] @ torch.linalg.inv(axes))[..., :2]


def sample_planes(planes: torch.Tensor, points: torch.Tensor, axes: torch.Tensor, box_warp: float) -> torch.Tensor:
    """planes [N, P, C, H, W], points [N, M, 3] in world units → [N, M, C], the mean over planes.

    Bilinear; zeros outside of the planes.
    """
    n, count, channels, height, width = planes.shape
    grid = project(points * (2 / box_warp), axes).reshape(n * count, 1, -1, 2)
    flat = planes.reshape(n * count, channels, height, width)
    features = nnf.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return features.reshape(n, count, channels, -1).mean(1).transpose(1, 2)


class Decoder(nn.Module):
    """Plane features [..., C] → colours [..., F] in about 0..1, and raw density [..., 1]."""

    def __init__(self, inside: int = 32, outside: int = 32, *, hidden: int = 64, multiplier: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            FullyConnected(inside, hidden, multiplier=multiplier),
            nn.Softplus(),
            FullyConnected(hidden, 1 + outside, multiplier=multiplier),
        )

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.net(features)
        return torch.sigmoid(x[..., 1:]) * (1 + 2 * 0.001) - 0.001, x[..., :1]
