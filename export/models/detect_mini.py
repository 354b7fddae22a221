"""detect-mini: faces as box and five points, at one stride. Our own design."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as nnf

from .blocks import Block, conv_bn

STRIDE = 8


class DetectMini(nn.Module):
    """[B, 3, H, W], sides multiples of 32, (byte - 127.5) / 127.5 → score [B, 1, H/8, W/8] logits, box [B, 4, …] log of the distances
    left, top, right, bottom over the stride, points [B, 10, …] offsets over the box's size (cpp: ops/decode_faces.h)."""

    def __init__(self, widths: tuple[int, ...] = (8, 16, 32, 48, 64)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.stem = nn.Sequential(conv_bn(3, a, 3, 2), conv_bn(a, b, 3, 2))
        self.eight = nn.Sequential(conv_bn(b, c, 3, 2), Block(c, c), Block(c, c))
        self.sixteen = nn.Sequential(conv_bn(c, d, 3, 2), Block(d, d), Block(d, d))
        self.thirty_two = nn.Sequential(conv_bn(d, e, 3, 2), Block(e, e))
        self.to_sixteen, self.from_sixteen = conv_bn(e, c, 1), conv_bn(d, c, 1)
        self.mix = conv_bn(c, c)
        self.last = nn.Sequential(Block(c, c), Block(c, c))
        self.score = nn.Conv2d(c, 1, 1)
        self.box = nn.Conv2d(c, 4, 1)
        self.points = nn.Conv2d(c, 10, 1)
        nn.init.constant_(self.score.bias, -4.0)
        nn.init.constant_(self.box.bias, 1.0)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        eight = self.eight(self.stem(image))
        sixteen = self.sixteen(eight)
        deep = self.to_sixteen(self.thirty_two(sixteen))
        x = self.from_sixteen(sixteen) + nnf.interpolate(deep, scale_factor=2.0, mode="nearest")
        x = self.last(eight + nnf.interpolate(self.mix(x), scale_factor=2.0, mode="nearest"))
        return self.score(x), self.box(x), self.points(x)
