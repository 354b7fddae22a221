"""StyleGAN2's layers as graph nodes (spec/next3d §2). Styles scale what goes into and comes out of a convolution, so a batch shares its weights.

The leaky ReLU's gain √2 is multiplied into the scale and the bias before it: lrelu(a)·√2 = lrelu(a·√2).
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..models.next3d import layers
from ..models.next3d.mapping import MappingNetwork
from . import short
from .graph import Graph

SLOPE = 0.2


def stored(g: Graph, name: str, values: torch.Tensor, gain: float = 1.0) -> str:
    """A weight as the checkpoint has it, times its gain: runtimes multiply constants when they load a graph.

    So half floats hold the numbers that they hold in the definition with rounded weights.
    """
    weight = g.weight(name, values)
    return weight if gain == 1 else g.node("Mul", weight, g.constant(gain))


def linear(g: Graph, x: str, layer: layers.FullyConnected, path: str) -> str:
    """[n, in] → [n, out], without the activation."""
    weight = stored(g, f"{path}.weight", layer.weight, layer.multiplier / math.sqrt(layer.weight.shape[1]))
    bias = stored(g, f"{path}.bias", layer.bias, layer.multiplier)
    return g.node("Gemm", x, weight, bias, transB=1)


def leaky(g: Graph, x: str) -> str:
    return g.node("LeakyRelu", x, alpha=SLOPE)


def clip(g: Graph, x: str, limit: float | None) -> str:
    return x if limit is None else g.node("Clip", x, g.constant(-limit), g.constant(limit))


def normalize(g: Graph, x: str) -> str:
    """x / sqrt(mean x² + 1e-8)"""
    mean = g.node("ReduceMean", g.node("Mul", x, x), g.integers(1), keepdims=1)
    return g.node("Mul", x, _rsqrt(g, mean))


def _rsqrt(g: Graph, x: str) -> str:
    return g.node("Reciprocal", g.node("Sqrt", g.node("Add", x, g.constant(1e-8))))


def mapping(g: Graph, z: str, c: str, net: MappingNetwork, c_scale: float) -> str:
    """z [n, z], c [n, C] → w [n, w]"""
    x = normalize(g, z)
    if net.embed is not None:
        labels = g.node("Slice", c, g.integers(0), g.integers(net.embed.weight.shape[1]), g.integers(1))
        label = linear(g, g.node("Mul", labels, g.constant(c_scale)), net.embed, "embed")
        x = g.node("Concat", x, normalize(g, label), axis=1)
    for i in range(net.num_layers):
        layer: layers.FullyConnected = getattr(net, f"fc{i}")
        x = g.node("Mul", leaky(g, linear(g, x, layer, f"fc{i}")), g.constant(layers.SQRT2))
    return x


def styles(g: Graph, ws: str, index: int, layer: layers.FullyConnected, path: str) -> str:
    """ws [n, k, w] → styles [n, in]"""
    w = g.node("Gather", ws, g.constant(index, np.int64), axis=1)
    return linear(g, w, layer, f"{path}.affine")


def as_channels(g: Graph, x: str) -> str:
    """[n, C] → [n, C, 1, 1]"""
    return g.node("Unsqueeze", x, g.integers(2, 3))


def as_map(g: Graph, bias: str) -> str:
    """[C] → [C, 1, 1], of constants"""
    return g.node("Unsqueeze", bias, g.integers(1, 2))


def demodulation(g: Graph, style: str, weight: str) -> str:
    """√2 / ‖weight · style‖ by output channel, [n, O, 1, 1]"""
    energy = g.node("ReduceSum", g.node("Mul", weight, weight), g.integers(2, 3), keepdims=0)  # of constants
    total = g.node("MatMul", g.node("Mul", style, style), g.node("Transpose", energy, perm=[1, 0]))
    return as_channels(g, g.node("Mul", _rsqrt(g, total), g.constant(layers.SQRT2)))


def synthesis_layer(
    g: Graph, x: str, ws: str, index: int, layer: layers.SynthesisLayer, path: str, noise: str, size: int
) -> str:
    """Modulated 3 × 3 convolution, noise, bias, leaky ReLU, to size × size."""
    style = styles(g, ws, index, layer.affine, path)
    weight = stored(g, f"{path}.weight", layer.weight)
    x = g.node("Mul", x, as_channels(g, style))
    x = convolution(g, x, weight, layer, size)
    x = g.node("Mul", x, demodulation(g, style, weight))
    if noise == "const" and layer.noise_strength.item() != 0:
        strength = layer.noise_strength.item() * layers.SQRT2
        x = g.node("Add", x, stored(g, f"{path}.noise_const", layer.noise_const, strength))
    x = g.node("Add", x, as_map(g, stored(g, f"{path}.bias", layer.bias, layers.SQRT2)))
    return clip(g, leaky(g, x), layer.conv_clamp)


def convolution(g: Graph, x: str, weight: str, layer: layers.SynthesisLayer, size: int) -> str:
    """3 × 3, to the size or to twice it, in the form that is faster."""
    if layer.up == 2:
        return up_convolution(g, x, weight, layer)
    outside, inside = layer.weight.shape[:2]
    if short.pays(inside, outside, size):
        return short.convolution(g, x, weight, inside, outside, size)
    return g.node("Conv", x, weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def up_convolution(g: Graph, x: str, weight: str, layer: layers.SynthesisLayer) -> str:
    """Transposed convolution to 2N + 1, then the filter."""
    turned = g.node("Transpose", weight, perm=[1, 0, 2, 3])
    x = g.node("ConvTranspose", x, turned, kernel_shape=[3, 3], strides=[2, 2])
    return depthwise(g, x, layer.resample_filter * 4, layer.weight.shape[0], pads=1)


def depthwise(g: Graph, x: str, taps: torch.Tensor, channels: int, *, pads: int) -> str:
    """Every channel through one filter."""
    taps = taps.flip([0, 1])  # a true convolution
    kernel = g.node(
        "Expand", g.constant(taps[None, None].cpu().numpy()), g.integers(channels, 1, *taps.shape)
    )  # of constants
    return g.node("Conv", x, kernel, kernel_shape=list(taps.shape), pads=[pads] * 4, group=channels)


def upsample(g: Graph, x: str, taps: torch.Tensor, channels: int) -> str:
    """Twice the size."""
    kernel = g.node("Expand", g.constant((taps * 4)[None, None].cpu().numpy()), g.integers(channels, 1, *taps.shape))
    return g.node("ConvTranspose", x, kernel, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1], group=channels)


def to_rgb(g: Graph, x: str, ws: str, index: int, layer: layers.ToRGB, path: str, size: int) -> str:
    """1 × 1 convolution whose styles are multiplied into the weights: a product of matrices."""
    style = styles(g, ws, index, layer.affine, path)
    outside, inside = layer.weight.shape[:2]
    weight = stored(g, f"{path}.weight", layer.weight, 1 / math.sqrt(inside))
    weight = g.node("Reshape", weight, g.integers(outside, inside))
    own = g.node("Mul", g.node("Unsqueeze", style, g.integers(1)), weight)
    x = g.node("MatMul", own, g.node("Reshape", x, g.integers(0, inside, size * size)))
    x = g.node("Add", x, g.node("Unsqueeze", stored(g, f"{path}.bias", layer.bias), g.integers(1)))
    return clip(g, g.node("Reshape", x, g.integers(0, outside, size, size)), layer.conv_clamp)


def block(
    g: Graph,
    x: str | None,
    image: str | None,
    ws: str,
    first: int,
    net: layers.SynthesisBlock,
    path: str,
    *,
    noise: str = "const",
    shared: bool = False,
    size: int | None = None,
) -> tuple[str, str]:
    """Features and image of one block; its styles start at `first` of ws (`shared`: all are that one). `size` None: its own."""
    size = size or net.conv1.resolution
    at = [first] * 3 if shared else [first, first + 1, first + 2]
    if net.inside == 0:
        x = stored(g, f"{path}.const", net.const)
    else:
        assert x is not None
        x = synthesis_layer(g, x, ws, at[0], net.conv0, f"{path}.conv0", noise, size)
    x = synthesis_layer(g, x, ws, at[net.num_conv - 1], net.conv1, f"{path}.conv1", noise, size)
    rgb = to_rgb(g, x, ws, at[net.num_conv], net.torgb, f"{path}.torgb", size)
    if image is not None:
        if not net.no_up:
            image = upsample(g, image, net.resample_filter, net.torgb.weight.shape[0])
        rgb = g.node("Add", rgb, image)
    return x, rgb


def conv2d(g: Graph, x: str, layer: layers.Conv2d, path: str, size: int) -> str:
    """Convolution without modulation, at the size or to half of it; its gains are multiplied into its weights."""
    gain = layers.SQRT2 if layer.activation == "lrelu" else 1.0
    outside, inside, kernel, _ = layer.weight.shape
    weight = stored(g, f"{path}.weight", layer.weight, gain / math.sqrt(layer.weight[0].numel()))
    bias = None if layer.bias is None else stored(g, f"{path}.bias", layer.bias, gain)
    if layer.down == 1 and kernel == 3 and short.pays(inside, outside, size):
        x = short.convolution(g, x, weight, inside, outside, size)
        x = x if bias is None else g.node("Add", x, as_map(g, bias))
    else:
        inputs = [weight] if bias is None else [weight, bias]
        if layer.down == 2:
            x = depthwise(g, x, layer.resample_filter, inside, pads=2)
            x = g.node("Conv", x, *inputs, kernel_shape=[kernel] * 2, strides=[2, 2])
        else:
            x = g.node("Conv", x, *inputs, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4)
    return leaky(g, x) if layer.activation == "lrelu" else x


def downsample(g: Graph, x: str, taps: torch.Tensor, channels: int) -> str:
    """Half the size."""
    kernel = g.node(
        "Expand", g.constant(taps.flip([0, 1])[None, None].cpu().numpy()), g.integers(channels, 1, *taps.shape)
    )
    return g.node("Conv", x, kernel, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1], group=channels)
