"""next3d-mini's two sizes, one training step's forward pass, and how the small one grows into the large one."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import torch
from torch import nn

from ..models.next3d import Next3D, Next3DConfig, StyleUNetConfig, Uniforms
from ..models.next3d.config import RenderingConfig
from . import next3d_teacher_people as people
from .next3d_mini_data import Batch
from .next3d_mini_render import Rendered, Volume, render
from .next3d_teacher_views import BOX_WARP, ORTH_SCALE, ORTH_SHIFT

#: name → (channel base, widest layer, channels of a plane, channels of the super-resolution)
WIDTHS = {"M": (2048, 64, 16, (32, 16)), "M+": (4096, 96, 24, (48, 24))}
PLANE_NETWORKS = ("backbone", "texture_backbone", "mouth_backbone", "neural_blending")


def config(size: int = 256, width: str = "M", samples: int = 16) -> Next3DConfig:
    """Of pictures of size² (256 ships, 128 is where training starts): planes and texture of half that, rays of a quarter.

    Sizes that do not decide what a layer does are the same in both, so that nearly every tensor is kept when the network grows.
    """
    base, widest, channels, sr_channels = WIDTHS[width]
    planes = size // 2
    return Next3DConfig(
        z_dim=people.Z_DIM,
        w_dim=128,
        layer_features=512,  # of the mapping alone: a wider one knows codes better, and costs nothing
        channel_base=base,
        channel_max=widest,
        plane_resolution=planes,
        plane_channels=channels,
        decoder_hidden=32,
        feature_channels=channels,
        superresolution={128: "2X", 256: "4X"}[size],
        sr_channels=sr_channels,
        sr_conv_clamp=None,
        neural_rendering_resolution=size // 4,
        rendering=RenderingConfig(
            ray_start=2.35,
            ray_end=3.05,
            depth_resolution=samples,
            depth_resolution_importance=samples,
            box_warp=BOX_WARP,
            depth_clamp="image",
            c_scale=0.0,
            avg_camera_pivot=(0.0, 0.0, 0.0),
        ),
        texture_resolution=planes,
        texture_channels=channels,
        # A mouth's box is about a fifth of a plane wide.
        mouth=StyleUNetConfig(planes // 4, planes // 4, 4),
        blending=StyleUNetConfig(planes, planes, 8),
        orth_scale=ORTH_SCALE,
        orth_shift=ORTH_SHIFT,
        topology=None,
    )


def shipped(trained: Next3DConfig) -> Next3DConfig:
    """More samples a ray than in training; the network does not mind."""
    rendering = dataclasses.replace(trained.rendering, depth_resolution=24, depth_resolution_importance=24)
    return dataclasses.replace(trained, rendering=rendering)


def fresh(made: Next3DConfig, seed: int) -> Next3D:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Next3D(made)
    with torch.no_grad():
        for name in PLANE_NETWORKS:  # planes start small: colours would saturate
            _scale(getattr(net, name), r"synthesis\.b\d+\.torgb\.weight", 0.3)
        net.decoder.net[2].weight[0] *= 8  # densities are hundreds, colours units
    return net


def _scale(net: nn.Module, pattern: str, factor: float) -> None:
    for name, parameter in net.named_parameters():
        if re.fullmatch(pattern, name):
            parameter.mul_(factor)


# ---- a step ----


def forward(
    net: Next3D, batch: Batch, uniforms: Uniforms, *, guided: bool = True, half: bool = False
) -> tuple[torch.Tensor, Rendered]:
    """→ pictures [N, 3, S, S] and what was rendered. Heads are made once, whatever the number of their views; noise is off.

    half    convolutions in bfloat16; styles, rays and the decoder stay in float32
    """
    resolution, device = net.config.neural_rendering_resolution, batch.z.device
    ws = net.mapping(batch.z, torch.zeros(len(batch.z), 25, device=device))
    views = len(batch.camera) // len(batch.z)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        head = _identity(net, ws)
        planes = net.expression(head, batch.views, noise_mode="none")
    with torch.autocast(device.type, enabled=False):
        volume = Volume(planes.float(), net.decoder, net.plane_axes, net.config.rendering)
        rendered = render(volume, batch.camera, resolution, uniforms, batch.distance if guided else None)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        image = net.super_resolve(rendered.features, ws.repeat_interleave(views, 0))
    return image.float(), rendered


def _identity(net: Next3D, ws: torch.Tensor):
    from ..models.next3d import Identity

    return Identity(ws, net.static_planes(ws, "none"), net.texture(ws, "none"))


# ---- the mapping network, before anything is rendered ----


#: How far a trait moves w, against the others' 1: first what colours large areas, then what makes the outline.
COUNTS = {
    "melanin": 6.0, "hair": 3.0, "backdrop": 3.0, "lamp": 3.0, "style": 2.0, "undertone": 2.0, "redness": 2.0, "weight": 2.0,
    "proportions": 2.0, "masculine": 2.0, "head width": 2.0, "hair volume": 2.0, "iris": 0.6, "light warmth": 0.6,
}  # fmt: skip
#: What traits have of w's mean square of 1.
SHARE = 0.4
STRAIGHT = (
    *people.SHAPE, "melanin", "undertone", "redness", "stubble", "lip tint", "brow darkness", "hair volume", "hair length", "light warmth",
)  # fmt: skip


def traits(z: torch.Tensor) -> dict[str, np.ndarray]:
    """z [N, 64] → name → [N, k]: what the teacher makes of a code, as near to the picture as it gets without drawing one.

    Palettes are followed to their colours, and the hair's angle to its style: the mapping learns such steps cheaply, the networks behind do not.
    """
    s = people.numbers(z.numpy())
    u = 0.5 + 0.5 * torch.erf(torch.from_numpy(s) / math.sqrt(2)).numpy()
    at = {name: u[:, i] for i, name in enumerate(people.NUMBERS)}
    value = {name: low + (high - low) * at[name] for name, (low, high) in people.LOOK.items()}
    out = {name: at[name][:, None] for name in STRAIGHT}

    red = np.maximum(value["hair red"], 0)[:, None] * [0.8, -0.2, -0.5]
    out["hair"] = _shown(_along(people.HAIR, value["hair colour"]) * (1 + red))
    out["iris"] = _shown(_along(people.IRIS, value["iris"]))
    light, r, b = (value[f"backdrop {name}"] for name in ("lightness", "red", "blue"))
    out["backdrop"] = np.clip(np.stack([light + r, light - 0.5 * (r + b), light + b], -1), 0, 1)
    yaw, pitch = np.radians(value["light yaw"]), np.radians(value["light pitch"])
    towards = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], -1)
    out["lamp"] = value["light strength"][:, None] * towards
    x, y = (s[:, people.NUMBERS.index(f"hair angle {axis}")] for axis in "xy")
    styles = len(people.HAIR_STYLES)
    sector = np.floor(np.arctan2(y, x) / (2 * math.pi) % 1 * styles).clip(max=styles - 1)
    out["style"] = (sector[:, None] == np.arange(styles)).astype(np.float64)
    return out


def _along(colours: tuple[tuple[float, float, float], ...], t: np.ndarray) -> np.ndarray:
    table = np.asarray(colours)
    return np.stack([np.interp(t * (len(table) - 1), np.arange(len(table)), table[:, c]) for c in range(3)], -1)


def _shown(linear: np.ndarray) -> np.ndarray:
    return np.clip(linear, 0, 1) ** (1 / 2.2)


def teach_mapping(net: Next3D, steps: int, seed: int, batch: int = 256, highest: float = 2e-2) -> float:
    """Regression of the traits from w through a fixed orthonormal matrix; the R² of the last tenth, each trait as it counts.

    Without it a long time passes before codes differ in more than their background. The matrix says how far a trait moves w, and so
    how soon the networks behind take notice of it. Weights carry a multiplier of 0.01: hence the rates.
    """
    mapping = net.backbone.mapping
    assert mapping is not None
    random = torch.Generator().manual_seed(seed)
    many = traits(torch.randn(65536, net.config.z_dim, generator=random))
    mean = np.concatenate([x.mean(0) for x in many.values()])
    unit = np.concatenate([np.full(x.shape[1], COUNTS.get(name, 1.0) / x.std(0).mean()) for name, x in many.items()])
    energy = float(np.square(np.concatenate([x.std(0) for x in many.values()]) * unit).sum())
    scale = math.sqrt(SHARE * net.config.w_dim / energy)
    rows, _ = torch.linalg.qr(torch.randn(net.config.w_dim, len(mean), generator=random))
    offset = nn.Parameter(torch.zeros(len(mean)))
    device = next(mapping.parameters()).device
    mapping.cpu()
    copies, mapping.num_ws = mapping.num_ws, 1
    groups = [
        {"params": list(mapping.parameters()), "factor": 100.0},
        {"params": [offset], "factor": 1.0},
    ]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.99))
    errors = []
    for step in range(steps):
        rate = highest * min((step + 1) / 50, 1.0) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in adam.param_groups:
            group["lr"] = rate * group["factor"]
        z = torch.randn(batch, net.config.z_dim, generator=random)
        wanted = scale * unit * (np.concatenate(list(traits(z).values()), 1) - mean)
        w = mapping(z, torch.zeros(batch, 25))[:, 0]
        error = (w @ rows + offset - torch.from_numpy(wanted).float()).square().sum(1).mean() / (scale**2 * energy)
        # The networks behind expect styles of about unit size.
        loss = error + 0.1 * (w.square().mean() - 1).square()
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step >= 0.9 * steps:
            errors.append(error.item())
    mapping.num_ws = copies
    mapping.to(device)
    return 1 - sum(errors) / max(len(errors), 1)


# ---- growth ----


def grow(small: Next3D, large: Next3D) -> list[str]:
    """Copies what the small network knows; `large` (fresh) then makes about the same picture at twice the size. Returns what stays new.

    Blocks are found by their resolution. A new block's image layer starts small, and so does what a new encoder hands down.
    """
    old = small.state_dict()
    new = []
    with torch.no_grad():
        for name, tensor in large.state_dict().items():
            source = old.get(_name_in_small(name))
            if source is not None and source.shape == tensor.shape:
                tensor.copy_(source)
            elif not name.endswith(("resample_filter", "noise_const", "plane_axes")):
                new.append(name)
        for network in PLANE_NETWORKS:
            resolution = getattr(large, network).synthesis.resolution
            _scale(getattr(large, network), rf"synthesis\.b{resolution}\.torgb\.weight", 0.03 / 0.3)
            _scale(getattr(large, network), r"synthesis\.encoder\.0\.conv2\.weight", 0.1)
    return new


def _name_in_small(name: str) -> str:
    """The first encoder of a StyleUNet works at the size of its input: all others move by one."""
    found = re.fullmatch(r"(.*\.encoder\.)(\d+)(\..*)", name)
    if found is None:
        return name
    return f"{found[1]}{int(found[2]) - 1}{found[3]}"
