"""Latent and camera label → style vectors (spec/next3d §3)."""

from __future__ import annotations

import torch
from torch import nn

from .layers import FullyConnected


def normalize(x: torch.Tensor) -> torch.Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MappingNetwork(nn.Module):
    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        *,
        num_layers: int = 2,
        embed_features: int | None = None,
        layer_features: int | None = None,
        multiplier: float = 0.01,
    ) -> None:
        super().__init__()
        self.num_ws, self.num_layers = num_ws, num_layers
        embed = (embed_features or w_dim) if c_dim else 0
        widths = [z_dim + embed, *[layer_features or w_dim] * (num_layers - 1), w_dim]
        self.embed = FullyConnected(c_dim, embed) if c_dim else None
        for layer in range(num_layers):
            made = FullyConnected(widths[layer], widths[layer + 1], activation="lrelu", multiplier=multiplier)
            setattr(self, f"fc{layer}", made)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self, z: torch.Tensor, c: torch.Tensor | None, psi: float = 1.0, cutoff: int | None = None
    ) -> torch.Tensor:
        """z [N, z_dim], c [N, c_dim] → [N, num_ws, w_dim]; the first `cutoff` of them are truncated (None: all)."""
        x = normalize(z.to(torch.float32))
        if self.embed is not None:
            assert c is not None
            x = torch.cat([x, normalize(self.embed(c.to(torch.float32)))], 1)
        for layer in range(self.num_layers):
            x = getattr(self, f"fc{layer}")(x)
        ws = x[:, None].repeat(1, self.num_ws, 1)
        if psi == 1:
            return ws
        cut = self.num_ws if cutoff is None else min(cutoff, self.num_ws)
        return torch.cat([self.w_avg + psi * (ws[:, :cut] - self.w_avg), ws[:, cut:]], 1)
