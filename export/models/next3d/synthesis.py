"""StyleGAN2 synthesis networks: neural texture and static planes (spec/next3d §4)."""

from __future__ import annotations

import torch
from torch import nn

from .layers import SynthesisBlock
from .mapping import MappingNetwork


def resolutions(last: int, first: int = 4) -> list[int]:
    """first, 2·first, …, last."""
    if last < first or last & (last - 1):
        raise ValueError(f"a resolution must be a power of two of at least {first}, got {last}")
    return [first << step for step in range((last // first).bit_length())]


def num_ws(resolution: int) -> int:
    """Style vectors of a network: one for each convolution and one for the last image layer."""
    return 2 * len(resolutions(resolution))


class SynthesisNetwork(nn.Module):
    """ws [N, num_ws, w_dim] → [N, image_channels, resolution, resolution]; no final nonlinearity.

    `first` leaves out the blocks below that resolution, which a StyleUNet stores and never runs.
    """

    def __init__(
        self,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        conv_clamp: float | None = None,
        first: int = 4,
    ) -> None:
        super().__init__()
        self.resolution, self.channel_base, self.channel_max = resolution, channel_base, channel_max
        self.num_ws = num_ws(resolution)
        for r in resolutions(resolution):
            if r < first:
                continue
            inside = self.channels(r // 2) if r > 4 else 0
            block = SynthesisBlock(inside, self.channels(r), w_dim, r, image_channels, conv_clamp=conv_clamp)
            setattr(self, f"b{r}", block)

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)

    def block(
        self,
        resolution: int,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        ws: torch.Tensor,
        noise_mode: str,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Runs one block with its part of ws: its image layer shares a style with the next block's first convolution."""
        start = max(2 * resolutions(self.resolution).index(resolution) - 1, 0)
        made = getattr(self, f"b{resolution}")
        return made(x, image, ws[:, start : start + made.num_conv + 1], noise_mode)

    def forward(self, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        x = image = None
        for r in resolutions(self.resolution):
            x, image = self.block(r, x, image, ws, noise_mode)
        assert image is not None
        return image


class Backbone(nn.Module):
    """A synthesis network beside the mapping network that it was published with."""

    def __init__(self, synthesis: nn.Module, mapping: MappingNetwork | None) -> None:
        super().__init__()
        self.synthesis = synthesis
        self.mapping = mapping
