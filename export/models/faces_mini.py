"""faces-mini: one U-Net backbone, a label map, 68 landmarks with visibility, depth. Our own design; sizes below."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .blocks import Block, Merge, conv_bn

SIZE = 256
LANDMARKS = 68
DEPTH_UNIT_M = 0.1  #: the depth head's unit: its output is multiplied by it


class LandmarkHead(nn.Module):
    """Attention maps over a feature grid: the mean place under each map, refined by the mean feature under it, which also says
    whether the point can be seen. Coordinates are 0..1 of the crop."""

    def __init__(self, channels: int, side: int, points: int = LANDMARKS) -> None:
        super().__init__()
        self.side, self.points = side, points
        self.features = Block(channels, channels)
        self.maps = nn.Conv2d(channels, points, 1)
        self.refine = nn.Parameter(torch.zeros(points, channels, 3))
        self.bias = nn.Parameter(torch.zeros(points, 3))
        axis = (torch.arange(side) + 0.5) / side
        grid = torch.stack([axis.repeat(side), axis.repeat_interleave(side)], 1)
        self.register_buffer("grid", grid, persistent=False)  # [side², 2] x, y

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, side, side] → [B, points, 3]: x, y, visibility logit."""
        x = self.features(x)
        weight = self.maps(x).flatten(2).float().softmax(-1)  # [B, P, side²]
        place = weight @ self.grid  # [B, P, 2]
        seen = weight @ x.float().flatten(2).transpose(1, 2)  # [B, P, C]
        extra = (seen.unsqueeze(2) @ self.refine.float()).squeeze(2) + self.bias  # [B, P, 3]
        return torch.cat([place + 0.05 * extra[..., :2], extra[..., 2:]], -1)


class FacesMini(nn.Module):
    """[B, 3, 256, 256], (byte - 127.5) / 127.5 → logits [B, classes, 128, 128], landmarks [B, 68, 3], depth [B, 1, 128, 128]."""

    def __init__(
        self,
        classes: int = 19,
        widths: tuple[int, ...] = (16, 32, 64, 112, 160),
        depths: tuple[int, ...] = (1, 1, 2, 1),
    ) -> None:
        super().__init__()
        self.stem = conv_bn(3, widths[0], 3, 2)
        self.down = nn.ModuleList(
            nn.Sequential(Block(a, b, 2), *(Block(b, b) for _ in range(n)))
            for (a, b), n in zip(pairwise(widths), depths, strict=True)
        )
        self.up = nn.ModuleList(Merge(b, a, a) for a, b in list(pairwise(widths))[::-1])
        self.logits = nn.Conv2d(widths[0], classes, 1)
        self.depth = nn.Conv2d(widths[0], 1, 1)
        self.landmarks = LandmarkHead(widths[2], SIZE // 8)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.stem(image)
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        pyramid = []
        for stage, skip in zip(self.up, skips[-2::-1], strict=True):
            x = stage(x, skip)
            pyramid.append(x)
        return self.logits(x), self.landmarks(pyramid[1]), self.depth(x) * DEPTH_UNIT_M
