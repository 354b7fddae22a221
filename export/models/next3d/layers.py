"""Layers of StyleGAN2 (spec/next3d §2). Modulation scales inputs and outputs, so that a batch shares one convolution."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as nnf

from .filters import downsample2d, setup_filter, upfirdn2d, upsample2d

SQRT2 = math.sqrt(2)


def bias_act(
    x: torch.Tensor, bias: torch.Tensor | None, activation: str, gain: float | None = None, clamp: float | None = None
) -> torch.Tensor:
    """clamp(act(x + bias) · gain), channels on axis 1; lrelu has slope 0.2 and a gain of √2 unless told otherwise."""
    if bias is not None:
        x = x + bias.reshape([-1 if axis == 1 else 1 for axis in range(x.ndim)])
    if activation == "lrelu":
        x = nnf.leaky_relu(x, 0.2)
    gain = gain if gain is not None else SQRT2 if activation == "lrelu" else 1.0
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def conv2d_resample(
    x: torch.Tensor, weight: torch.Tensor, filter: torch.Tensor, up: int = 1, down: int = 1
) -> torch.Tensor:
    """Convolution with padding k//2, at twice or half the size.

    Quirk: up=1 and down=2 correlate with the stored kernel, up=2 convolves with it (a transposed convolution, not flipped).
    """
    kernel = weight.shape[-1]
    if up == 2 and kernel == 3:
        x = nnf.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return upfirdn2d(x, filter, padding=(1, 1, 1, 1), gain=4)
    if down == 2 and kernel == 3:
        return nnf.conv2d(upfirdn2d(x, filter, padding=(2, 2, 2, 2)), weight, stride=2)
    if kernel not in (1, 3) or (up, down) not in ((1, 1), (1, 2)):
        raise ValueError(
            f"a {kernel}×{kernel} convolution with up={up} and down={down} does not occur in these networks"
        )
    return nnf.conv2d(x if down == 1 else downsample2d(x, filter), weight, padding=kernel // 2)


def modulated_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    styles: torch.Tensor,
    filter: torch.Tensor,
    *,
    noise: torch.Tensor | None = None,
    up: int = 1,
    demodulate: bool = True,
) -> torch.Tensor:
    """x [N, I, H, W], weight [O, I, k, k], styles [N, I]; noise is added after demodulation."""
    x = conv2d_resample(x * styles[:, :, None, None], weight, filter, up)
    if demodulate:
        energy = styles.square() @ weight.square().sum([2, 3]).T
        x = x * (energy + 1e-8).rsqrt()[:, :, None, None]
    return x if noise is None else x + noise


class FullyConnected(nn.Module):
    """act(x · (W·m/√in)ᵀ + b·m), m the multiplier of the learning rate."""

    def __init__(
        self, inside: int, outside: int, *, activation: str = "linear", multiplier: float = 1.0, bias_init: float = 0.0
    ) -> None:
        super().__init__()
        self.activation, self.multiplier = activation, multiplier
        self.weight = nn.Parameter(torch.randn(outside, inside) / multiplier)
        self.bias = nn.Parameter(torch.full([outside], bias_init))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight * (self.multiplier / math.sqrt(self.weight.shape[1]))
        bias = self.bias if self.multiplier == 1 else self.bias * self.multiplier
        x = nnf.linear(x, weight, bias)
        return x if self.activation == "linear" else bias_act(x, None, self.activation)


class Conv2d(nn.Module):
    """Convolution without modulation and noise: encoders and fusions of the StyleUNets."""

    def __init__(
        self, inside: int, outside: int, kernel: int, *, bias: bool = True, activation: str = "linear", down: int = 1
    ) -> None:
        super().__init__()
        self.activation, self.down = activation, down
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outside)) if bias else None
        self.register_buffer("resample_filter", setup_filter())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight / math.sqrt(self.weight[0].numel())
        x = conv2d_resample(x, weight, self.resample_filter, down=self.down)
        return bias_act(x, self.bias, self.activation)


class SynthesisLayer(nn.Module):
    """Modulated 3×3 convolution with noise and leaky ReLU, at the size or from half the size."""

    def __init__(
        self, inside: int, outside: int, w_dim: int, resolution: int, *, up: int = 1, conv_clamp: float | None = None
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.conv_clamp = resolution, up, conv_clamp
        self.affine = FullyConnected(w_dim, inside, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(outside, inside, 3, 3))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.register_buffer("resample_filter", setup_filter())

    def _noise(self, x: torch.Tensor, mode: str) -> torch.Tensor | None:
        if mode == "none":
            return None
        if mode == "const":
            return self.noise_const * self.noise_strength
        if mode != "random":
            raise ValueError(f"noise_mode must be const, random or none, got {mode!r}")
        return torch.randn(x.shape[0], 1, self.resolution, self.resolution, device=x.device) * self.noise_strength

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise_mode: str = "const", gain: float = 1.0) -> torch.Tensor:
        x = modulated_conv2d(
            x, self.weight, self.affine(w), self.resample_filter, noise=self._noise(x, noise_mode), up=self.up
        )
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return bias_act(x, self.bias, "lrelu", SQRT2 * gain, clamp)


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to the image, without demodulation."""

    def __init__(self, inside: int, outside: int, w_dim: int, *, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnected(w_dim, inside, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(outside, inside, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outside))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        styles = self.affine(w) / math.sqrt(self.weight.shape[1])
        x = nnf.conv2d(x * styles[:, :, None, None], self.weight)
        return bias_act(x, self.bias, "linear", clamp=self.conv_clamp)


class SynthesisBlock(nn.Module):
    """Two layers and an image that is carried upwards ("skip"); the first block has a learned constant and one layer.

    `no_up` keeps the size of its inputs (super-resolution of the smaller models).
    """

    def __init__(
        self,
        inside: int,
        outside: int,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        conv_clamp: float | None = None,
        no_up: bool = False,
    ) -> None:
        super().__init__()
        self.inside, self.no_up = inside, no_up
        self.num_conv = 1 if inside == 0 else 2
        self.register_buffer("resample_filter", setup_filter())
        if inside == 0:
            self.const = nn.Parameter(torch.randn(outside, resolution, resolution))
        else:
            up = 1 if no_up else 2
            self.conv0 = SynthesisLayer(inside, outside, w_dim, resolution, up=up, conv_clamp=conv_clamp)
        self.conv1 = SynthesisLayer(outside, outside, w_dim, resolution, conv_clamp=conv_clamp)
        self.torgb = ToRGB(outside, image_channels, w_dim, conv_clamp=conv_clamp)

    def forward(
        self, x: torch.Tensor | None, image: torch.Tensor | None, ws: torch.Tensor, noise_mode: str = "const"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """ws [N, num_conv + 1, w_dim] → features and image."""
        w = ws.unbind(1)
        if self.inside == 0:
            x = self.const.expand(ws.shape[0], -1, -1, -1)  # len() would fix the batch of an exported graph
        else:
            assert x is not None
            x = self.conv0(x, w[0], noise_mode)
        x = self.conv1(x, w[self.num_conv - 1], noise_mode)
        rgb = self.torgb(x, w[self.num_conv])
        if image is not None:
            rgb = rgb + (image if self.no_up else upsample2d(image, self.resample_filter))
        return x, rgb
