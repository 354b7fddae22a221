"""Convolution blocks of our own small networks. (Depthwise ones have fewer numbers, and on a CPU twice the time.)"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as nnf


def conv_bn(inside: int, outside: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Two 3×3 convolutions, with a shortcut where the shape stays."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        self.residual = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nnf.relu(x + self.body(x) if self.residual else self.body(x))


class Merge(nn.Module):
    """Twice the size (nearest), beside the skip, 1×1, Block."""

    def __init__(self, deep: int, skip: int, outside: int) -> None:
        super().__init__()
        self.squeeze = conv_bn(deep + skip, outside, 1)
        self.block = Block(outside, outside)

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.block(self.squeeze(torch.cat([nnf.interpolate(deep, scale_factor=2.0, mode="nearest"), skip], 1)))


def macs(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Multiply-accumulates of all convolutions and linear layers of one run."""
    total = 0

    def count(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, (nn.Conv2d, nn.Linear))
        total += out.numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        module(*inputs)
    for hook in hooks:
        hook.remove()
    return total
