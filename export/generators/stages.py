"""The stages of EG3D and Next3D as graphs (docs/design/next3d.md has inputs and outputs)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx
import torch
from forge_rt import UnsupportedError
from torch import nn

from ..models.next3d import EG3D, Next3D
from ..models.next3d.style_unet import StyleUNet
from ..models.next3d.synthesis import SynthesisNetwork, num_ws, resolutions
from . import layers
from .graph import Graph


@dataclass(frozen=True)
class Stage:
    name: str
    module: nn.Module  #: the definition, with the graph's inputs and outputs
    build: Callable[[], onnx.ModelProto]

    @property
    def file(self) -> str:
        return f"{self.name}.onnx"


class _Definition(nn.Module):
    """A function of the model as a module, for the comparison."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def stages(model: EG3D) -> list[Stage]:
    """In the order in which they run."""
    noise = model.config.rendering.superresolution_noise_mode
    if noise not in ("none", "const"):
        raise UnsupportedError(f"superresolution_noise_mode must be none or const in an exported model, got {noise!r}")
    found = [Stage("mapping", _Definition(model.mapping), lambda: _mapping(model))]
    if isinstance(model, Next3D):
        texture = model.texture_backbone.synthesis
        found.append(Stage("texture", _Definition(texture), lambda: _synthesis(texture, "texture", "texture")))
    static = model.backbone.synthesis
    found.append(Stage("static", _Definition(static), lambda: _synthesis(static, "static", "planes")))
    if isinstance(model, Next3D):
        nets = (
            ("mouth", model.mouth_backbone.synthesis, "crop", "mouth"),
            ("blend", model.neural_blending.synthesis, "stitched", "front"),
        )
        for name, net, condition, output in nets:
            found.append(
                Stage(name, _Definition(net), lambda n=name, t=net, c=condition, o=output: _style_unet(model, t, n, c, o))
            )  # fmt: skip
    last = _Definition(lambda features, w: model.super_resolve(features, w[:, None]))
    found.append(Stage("super_resolution", last, lambda: _super_resolution(model)))
    return found


def super_resolution_input(model: EG3D) -> int:
    """Side of the features that the graph takes."""
    kind = model.superresolution.kind
    side = model.config.neural_rendering_resolution
    return max(side, kind.input_resolution) if kind.only_enlarge else kind.input_resolution


def _mapping(model: EG3D) -> onnx.ModelProto:
    g, config = Graph("mapping"), model.config
    net = model.backbone.mapping
    assert net is not None
    z, c = g.input("z", [config.z_dim]), g.input("c", [25])
    scale = 0.0 if config.rendering.c_gen_conditioning_zero else config.rendering.c_scale
    w = layers.mapping(g, z, c, net, scale)
    ws = g.node("Expand", g.node("Unsqueeze", w, g.integers(1)), g.integers(1, net.num_ws, 1))
    return g.model({"ws": (ws, [net.num_ws, config.w_dim])})


def _synthesis(net: SynthesisNetwork, name: str, output: str) -> onnx.ModelProto:
    g = Graph(name)
    ws = g.input("ws", [net.num_ws, _w_dim(net)])
    x = image = None
    for r in resolutions(net.resolution):
        x, image = _block(g, x, image, ws, net, r)
    assert image is not None
    return g.model({output: (image, _image_shape(net))})


def _style_unet(model: Next3D, net: StyleUNet, name: str, condition_name: str, output: str) -> onnx.ModelProto:
    g = Graph(name)
    inside = net.encoder[0].fromrgb.weight.shape[1]
    condition = g.input(condition_name, [inside, net.in_size, net.in_size])
    ws = g.input("ws", [num_ws(model.config.plane_resolution), _w_dim(net)])
    features: str | None = None
    skips = []
    for i, block in enumerate(net.encoder):
        path, size = f"encoder.{i}", net.in_size >> i
        if not block.first:
            condition = layers.downsample(g, condition, block.resample_filter, inside)
        x = layers.conv2d(g, condition, block.fromrgb, f"{path}.fromrgb", size)
        if features is not None:
            x = g.node("Add", x, features)
        x = layers.conv2d(g, x, block.conv1, f"{path}.conv1", size)
        features = layers.conv2d(g, x, block.conv2, f"{path}.conv2", size)
        skips.append(features)
    value: str | None = None
    image: str | None = None
    for r in resolutions(net.resolution, 2 * net.final_size):
        if r // 2 in net.fused:
            feature = skips.pop()
            joined = feature if value is None else g.node("Concat", value, feature, axis=1)
            k = net.fused.index(r // 2)
            value = layers.conv2d(g, joined, net.fusion[k], f"fusion.{k}", r // 2)
        value, image = _block(g, value, image, ws, net, r)
    assert image is not None
    return g.model({output: (image, _image_shape(net))})


def _super_resolution(model: EG3D) -> onnx.ModelProto:
    g, config, net = Graph("super_resolution"), model.config, model.superresolution
    side = super_resolution_input(model)
    features = g.input("features", [config.feature_channels, side, side])
    w = g.input("ws", [config.w_dim])
    ws = g.node("Unsqueeze", w, g.integers(1))
    channels = config.image_channels
    image = g.node("Slice", features, g.integers(0), g.integers(channels), g.integers(1))
    noise = config.rendering.superresolution_noise_mode
    x = features
    size = side if net.kind.no_up else 2 * side
    for name, out in (("block0", size), ("block1", 2 * size)):
        x, image = layers.block(g, x, image, ws, 0, getattr(net, name), name, noise=noise, shared=True, size=out)
    return g.model({"image": (image, [channels, 2 * size, 2 * size])})


def _block(
    g: Graph, x: str | None, image: str | None, ws: str, net: SynthesisNetwork, r: int
) -> tuple[str, str]:  # fmt: skip
    first = max(2 * resolutions(net.resolution).index(r) - 1, 0)
    return layers.block(g, x, image, ws, first, getattr(net, f"b{r}"), f"b{r}")


def _w_dim(net: SynthesisNetwork) -> int:
    return int(getattr(net, f"b{net.resolution}").conv1.affine.weight.shape[1])


def _image_shape(net: SynthesisNetwork) -> list[int]:
    channels = getattr(net, f"b{net.resolution}").torgb.weight.shape[0]
    return [channels, net.resolution, net.resolution]
