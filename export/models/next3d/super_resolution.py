"""Super-resolution of the rendered features (spec/next3d §10)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from .filters import resize
from .layers import SynthesisBlock


class Kind(NamedTuple):
    input_resolution: int
    channels: tuple[int, int]
    no_up: bool  #: the first block keeps the size
    only_enlarge: bool = False  #: larger inputs are taken as they are


#: by the end of the published class names, SuperresolutionHybrid…
KINDS = {
    "8XDC": Kind(128, (256, 128), False),
    "8X": Kind(128, (128, 64), False),
    "4X": Kind(128, (128, 64), True, True),
    "2X": Kind(64, (128, 64), True),
}


class SuperResolution(nn.Module):
    """rgb [N, 3, r, r], features [N, C, r, r], ws → [N, 3, R, R]. Every layer gets the last of ws."""

    def __init__(
        self,
        kind: str,
        feature_channels: int,
        w_dim: int,
        *,
        image_channels: int = 3,
        conv_clamp: float | None = 256.0,
        channels: tuple[int, int] | None = None,
        antialias: bool = True,
    ) -> None:
        super().__init__()
        self.antialias = antialias
        self.kind = KINDS[kind]
        first, second = channels or self.kind.channels
        size = self.kind.input_resolution
        size0, size1 = (size, 2 * size) if self.kind.no_up else (2 * size, 4 * size)
        self.resolution = size1
        self.block0 = SynthesisBlock(
            feature_channels, first, w_dim, size0, image_channels, conv_clamp=conv_clamp, no_up=self.kind.no_up
        )
        self.block1 = SynthesisBlock(first, second, w_dim, size1, image_channels, conv_clamp=conv_clamp)

    def forward(
        self, rgb: torch.Tensor, features: torch.Tensor, ws: torch.Tensor, noise_mode: str = "none"
    ) -> torch.Tensor:
        size = self.kind.input_resolution
        if rgb.shape[-1] < size or (rgb.shape[-1] != size and not self.kind.only_enlarge):
            features, rgb = (resize(x, (size, size), self.antialias) for x in (features, rgb))
        w = ws[:, -1:].repeat(1, 3, 1)
        x, rgb = self.block0(features, rgb, w, noise_mode)
        return self.block1(x, rgb, w, noise_mode)[1]
