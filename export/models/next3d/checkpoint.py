"""Checkpoint → generator: sizes from the tensors, choices from the options that it carries (spec/next3d §13, §15)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from forge_rt import InvalidArgumentError, UnsupportedError

from ...readers.stylegan_pickle import Checkpoint
from .config import EG3D_AXES, NEXT3D_AXES, Axes, EG3DConfig, Next3DConfig, RenderingConfig, StyleUNetConfig, Topology
from .generator import EG3D, Next3D
from .super_resolution import KINDS
from .weights import load_weights

#: (in_size, final_size) of the published mouth and blending networks; neither is in a checkpoint.
_MOUTH, _BLENDING = (64, 4), (256, 32)


def make_model(checkpoint: Checkpoint, config: EG3DConfig | None = None) -> EG3D:
    """The generator of a checkpoint, with its weights; `config` overrides what `read_config` finds."""
    config = config or read_config(checkpoint)
    model = (Next3D if isinstance(config, Next3DConfig) else EG3D)(config)  # type: ignore[arg-type]
    load_weights(model, checkpoint.tensors)
    return model.eval()


def read_config(
    checkpoint: Checkpoint, *, blend_planes: str = "front", superresolution: str | None = None
) -> EG3DConfig:
    """`blend_planes`: "front" fits the released weights, whose own source differs from the published one; "all" own trainings.

    A state dict without options gets the published ones (FFHQ at 512 pixels). `superresolution`: of a file that does not say it.
    """
    tensors, options = checkpoint.tensors, checkpoint.init_kwargs
    is_next3d = any(name.startswith("texture_backbone.") for name in tensors)
    sizes = _network(tensors, "backbone")
    rendering = RenderingConfig.from_published(checkpoint.rendering_kwargs)
    half_blocks = options.get("sr_num_fp16_res", 4)  # 4: the published configuration
    embed = tensors.get("backbone.mapping.embed.weight")
    mapping_layers = len({n for n in tensors if re.fullmatch(r"backbone\.mapping\.fc\d+\.weight", n)})
    if not mapping_layers:
        raise InvalidArgumentError("the checkpoint has no backbone.mapping; it is no EG3D or Next3D generator")
    first, last = (_tensor(tensors, f"backbone.mapping.fc{i}.weight") for i in (0, mapping_layers - 1))
    embed_features = 0 if embed is None else embed.shape[0]
    common: dict[str, Any] = dict(
        z_dim=first.shape[1] - embed_features,
        c_dim=0 if embed is None else embed.shape[1],
        w_dim=last.shape[0],
        image_channels=_tensor(tensors, "superresolution.block1.torgb.weight").shape[0],
        mapping_layers=mapping_layers,
        embed_features=embed_features or None,
        layer_features=first.shape[0],
        channel_base=sizes["channel_base"],
        channel_max=sizes["channel_max"],
        conv_clamp=_conv_clamp(
            checkpoint, f"backbone.synthesis.b{sizes['resolution']}.conv1", options.get("conv_clamp")
        ),
        plane_resolution=sizes["resolution"],
        plane_channels=sizes["channels"] // 3,
        plane_axes=_axes(checkpoint, NEXT3D_AXES if is_next3d else EG3D_AXES),
        decoder_hidden=_tensor(tensors, "decoder.net.0.weight").shape[0],
        feature_channels=_tensor(tensors, "decoder.net.2.weight").shape[0] - 1,
        superresolution=superresolution or _super_resolution(checkpoint),
        sr_channels=(
            _tensor(tensors, "superresolution.block0.torgb.weight").shape[1],
            _tensor(tensors, "superresolution.block1.torgb.weight").shape[1],
        ),
        sr_conv_clamp=_conv_clamp(checkpoint, "superresolution.block1.conv1", 256.0 if half_blocks else None),
        neural_rendering_resolution=checkpoint.neural_rendering_resolution or 64,
        rendering=rendering,
    )
    if is_next3d:
        for name in ("fill_mouth", "load_lms"):
            if checkpoint.attributes.get(name) is False:
                raise UnsupportedError(
                    f"this generator has {name} switched off, as no published model has; that is not supported"
                )
        texture = _network(tensors, "texture_backbone")
        common.update(
            texture_resolution=texture["resolution"],
            texture_channels=texture["channels"],
            mouth=_style_unet(tensors, "mouth_backbone", _MOUTH),
            blending=_style_unet(tensors, "neural_blending", _BLENDING),
            blend_planes=blend_planes,
            topology=_topology(tensors),
        )
        for name, count in (("orth_scale", 1), ("orth_shift", 3)):
            value = checkpoint.attributes.get(name)
            if isinstance(value, torch.Tensor) and value.numel() == count:
                numbers = tuple(round(float(x), 7) for x in value.flatten())  # 0.01, not its nearest float32
                common[name] = numbers if count > 1 else numbers[0]
    config = (Next3DConfig if is_next3d else EG3DConfig)(**common)
    config.validate()
    return config


def _tensor(tensors: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    if name not in tensors or tensors[name].ndim < 2:
        raise InvalidArgumentError(f"the checkpoint has no {name}; it is no EG3D or Next3D generator")
    return tensors[name]


def _conv_clamp(checkpoint: Checkpoint, layer: str, otherwise: Any) -> float | None:
    """As a layer of an official file says, which knows its constructor's defaults; else from the constructor's arguments."""
    value = checkpoint.attributes.get(f"{layer}.conv_clamp", otherwise)
    if value is not None and (not isinstance(value, (int, float)) or not value > 0):
        raise InvalidArgumentError(f"conv_clamp must be a positive number, got {value!r}"[:300])
    return None if value is None else float(value)


def _network(tensors: Mapping[str, torch.Tensor], name: str) -> dict[str, int]:
    """Sizes of a synthesis network: last block, channels of its image, and base and maximum that give the widths of every block."""
    found = (re.fullmatch(rf"{name}\.synthesis\.b(\d{{1,5}})\.torgb\.weight", key) for key in tensors)
    blocks = sorted(int(m[1]) for m in found if m)
    if not blocks:
        raise InvalidArgumentError(f"the checkpoint has no blocks of {name}; it is no EG3D or Next3D generator")
    widths = {r: _tensor(tensors, f"{name}.synthesis.b{r}.torgb.weight").shape[1] for r in blocks}
    last = blocks[-1]
    return {
        "resolution": last,
        "channels": tensors[f"{name}.synthesis.b{last}.torgb.weight"].shape[0],
        "channel_base": max(r * w for r, w in widths.items() if w < max(widths.values()) or r == last),
        "channel_max": max(widths.values()),
    }


def _style_unet(tensors: Mapping[str, torch.Tensor], name: str, published: tuple[int, int]) -> StyleUNetConfig:
    resolution, (in_size, final_size) = _network(tensors, name)["resolution"], published
    levels = len({n for n in tensors if re.fullmatch(rf"{name}\.synthesis\.encoder\.\d+\.conv1\.weight", n)})
    if final_size << levels != in_size:
        raise UnsupportedError(
            f"{name} has an encoder of {levels} levels, the published one goes from {in_size} to {final_size}; "
            "give its sizes with a configuration of your own"
        )
    return StyleUNetConfig(resolution, in_size, final_size)


def _topology(tensors: Mapping[str, torch.Tensor]) -> Topology | None:
    if "faces" not in tensors or "uvcoords" not in tensors:
        return None
    dense = tensors.get("dense_faces")
    return Topology(
        _tensor(tensors, "faces").shape[1],
        _tensor(tensors, "uvcoords").shape[1],
        0 if dense is None or dense.ndim < 2 else dense.shape[1],
    )


def _axes(checkpoint: Checkpoint, default: Axes) -> Axes:
    value = checkpoint.attributes.get("renderer.plane_axes")
    if not isinstance(value, torch.Tensor):
        return default
    if value.shape != (3, 3, 3):
        raise InvalidArgumentError(f"renderer.plane_axes must be [3, 3, 3], got {list(value.shape)}")
    return tuple(tuple(tuple(row) for row in plane) for plane in value.tolist())


def _super_resolution(checkpoint: Checkpoint) -> str:
    """From the class that the options name, else from the shapes: a first block at the input's size is one of the smaller models."""
    module = checkpoint.rendering_kwargs.get("superresolution_module")
    if module is not None:
        kind = str(module).rpartition("SuperresolutionHybrid")[2]
        if kind not in KINDS:
            raise UnsupportedError(
                f"super-resolution {str(module)[:200]} is not supported; known are SuperresolutionHybrid{', …'.join(KINDS)}"
            )
        return kind
    noise = checkpoint.tensors.get("superresolution.block0.conv0.noise_const")
    width = _tensor(checkpoint.tensors, "superresolution.block0.torgb.weight").shape[1]
    if width == 256:
        return "8XDC"
    if noise is None or noise.ndim != 2:
        raise InvalidArgumentError(
            "the checkpoint does not say which super-resolution it has: neither options nor noise that would tell 8X, 4X and 2X apart; "
            "give its configuration"
        )
    return {64: "2X", 128: "4X"}.get(noise.shape[0], "8X")
