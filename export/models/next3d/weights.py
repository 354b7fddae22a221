"""Tensors of a checkpoint → a generator, by their published names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from forge_rt import InvalidArgumentError

from .generator import EG3D, Next3D

#: What a module makes for itself, or what follows from other tensors, or what only training reads.
_OPTIONAL = re.compile(r"(.*\.)?resample_filter|dense_faces|raw_uvcoords|face_uvcoords|dataset_label_std")
#: Mapping networks of the other branches, and StyleUNet layers; which of these run depends on the StyleUNet's sizes.
_UNUSED_MAPPING = re.compile(r"(texture_backbone|mouth_backbone|neural_blending)\.mapping\..*")
_STYLE_UNET_LAYER = re.compile(r"(mouth_backbone|neural_blending)\.synthesis\.(b|fusion\.)(\d+)\..*")
_SR_NOISE = re.compile(r"superresolution\.block\d\.conv\d\.(noise_const|noise_strength)")


def is_optional(name: str, model: EG3D) -> bool:
    """True where inference does not read `name`: it may be absent from a file, or left over."""
    if _OPTIONAL.fullmatch(name) or _UNUSED_MAPPING.fullmatch(name):
        return True
    if name in ("faces", "uvfaces", "uvcoords"):
        return isinstance(model, Next3D) and model.config.topology is None
    if _SR_NOISE.fullmatch(name):
        return model.config.rendering.superresolution_noise_mode == "none"
    layer = _STYLE_UNET_LAYER.fullmatch(name)
    if layer is None or not isinstance(model, Next3D):
        return False
    net, number = getattr(model, layer[1]).synthesis, int(layer[3])
    return number <= net.final_size if layer[2] == "b" else number >= len(net.fused)


def load_weights(model: EG3D, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copies `tensors` into the model. Dead weights may be missing or left over; anything else must fit exactly.

    Raises InvalidArgumentError that names what is missing, unknown, or of another shape.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in tensors and not is_optional(name, model)]
    unknown = [name for name in tensors if name not in own and not is_optional(name, model)]
    if missing or unknown:
        raise InvalidArgumentError(
            f"these weights are not of this {type(model).__name__}: "
            + "; ".join(
                f"{len(names)} {what} ({', '.join(names[:4])})"
                for names, what in ((missing, "missing"), (unknown, "unknown"))
                if names
            )
            + "; make the model from the checkpoint's own configuration"
        )
    for name, tensor in tensors.items():
        if name not in own:
            continue
        if tensor.shape != own[name].shape:
            hint = (
                "Topology has these sizes"
                if "faces" in name or "uvcoords" in name
                else "widths follow from the configuration"
            )
            raise InvalidArgumentError(
                f"{name} must be {list(own[name].shape)} for this configuration, got {list(tensor.shape)}; {hint}"
            )
        with torch.no_grad():
            own[name].copy_(tensor)
