"""Conditional StyleUNet: a synthesis network that is steered by an image (spec/next3d §5)."""

from __future__ import annotations

import torch
from torch import nn

from .filters import downsample2d, setup_filter
from .layers import Conv2d
from .synthesis import SynthesisNetwork, resolutions


class EncoderBlock(nn.Module):
    """One step down of the encoder. The raw condition image is carried beside the features."""

    def __init__(self, condition_channels: int, inside: int, outside: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.register_buffer("resample_filter", setup_filter())
        self.fromrgb = Conv2d(condition_channels, inside, 1, bias=False)
        self.conv1 = Conv2d(inside, inside, 3, activation="lrelu")
        self.conv2 = Conv2d(inside, outside, 3, activation="lrelu", down=2)

    def forward(
        self, condition: torch.Tensor, features: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.first:
            condition = downsample2d(condition, self.resample_filter)
        x = self.fromrgb(condition)
        if features is not None:
            x = x + features
        return condition, self.conv2(self.conv1(x))


class StyleUNet(SynthesisNetwork):
    """condition [N, C, in_size, in_size], ws → [N, image_channels, resolution, resolution].

    Blocks up to `final_size` and the last fusion are in published files and never run; `dead_weights` makes them.
    """

    def __init__(
        self,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        in_size: int,
        final_size: int,
        condition_channels: int | None = None,
        condition_resolution: int | None = None,
        channel_base: int = 32768,
        channel_max: int = 512,
        conv_clamp: float | None = None,
        dead_weights: bool = False,
    ) -> None:
        super().__init__(
            w_dim,
            resolution,
            image_channels,
            channel_base=channel_base,
            channel_max=channel_max,
            conv_clamp=conv_clamp,
            first=4 if dead_weights else 2 * final_size,
        )
        condition_resolution = condition_resolution or in_size
        if not 4 <= final_size < in_size <= resolution or condition_resolution > in_size:
            raise ValueError(
                "a StyleUNet needs 4 <= final_size < in_size <= resolution and condition_resolution <= in_size, got "
                f"{final_size}, {in_size}, {resolution} and {condition_resolution}"
            )
        self.final_size, self.in_size = final_size, in_size
        sizes = resolutions(in_size, final_size)[::-1]
        self.encoder = nn.ModuleList(
            EncoderBlock(condition_channels or image_channels, self.channels(r), self.channels(r // 2), first=i == 0)
            for i, r in enumerate(sizes[:-1])
        )
        #: resolutions at which features of the encoder join
        self.fused = [r for r in sizes[::-1] if r < condition_resolution]
        stored = [r for r in sizes[::-1] if r <= condition_resolution] if dead_weights else self.fused
        self.fusion = nn.ModuleList(
            Conv2d(self.channels(r) * (1 if i == 0 else 2), self.channels(r), 3) for i, r in enumerate(stored)
        )

    def forward(self, condition: torch.Tensor, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:  # type: ignore[override]
        features, skips = None, []
        for block in self.encoder:
            condition, features = block(condition, features)
            skips.append(features)
        x = image = None
        for r in resolutions(self.resolution, 2 * self.final_size):
            if r // 2 in self.fused:
                feature = skips.pop()
                joined = feature if x is None else torch.cat([x, feature], 1)
                x = self.fusion[self.fused.index(r // 2)](joined)
            x, image = self.block(r, x, image, ws, noise_mode)
        assert image is not None
        return image
