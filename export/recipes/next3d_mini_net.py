"""next3d-mini's two sizes, one training step's forward pass, and how the small one grows into the large one."""

from __future__ import annotations

import dataclasses
import math
import re

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


def numbers_to_regress(z: torch.Tensor) -> torch.Tensor:
    """[N, 64] → [N, 43] of unit variance: what the teacher makes of its numbers, hair as a point on a circle."""
    s = torch.from_numpy(people.numbers(z.numpy()))
    out = torch.erf(s / math.sqrt(2)) * math.sqrt(3)
    x, y = (people.NUMBERS.index(f"hair angle {axis}") for axis in "xy")
    radius = torch.hypot(s[:, x], s[:, y])
    out[:, x], out[:, y] = math.sqrt(2) * s[:, x] / radius, math.sqrt(2) * s[:, y] / radius
    return out.float()


def teach_mapping(net: Next3D, steps: int, seed: int, batch: int = 256, highest: float = 1e-2) -> float:
    """Regression of the teacher's numbers from w, through a linear layer that is then thrown away; R² of the last tenth.

    Without it a long time passes before codes differ in more than their background. Weights carry a multiplier of 0.01: hence the rates.
    """
    mapping = net.backbone.mapping
    assert mapping is not None
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        read = nn.Linear(net.config.w_dim, len(people.NUMBERS))
    device = next(mapping.parameters()).device
    mapping.cpu()
    copies, mapping.num_ws = mapping.num_ws, 1
    groups = [
        {"params": list(mapping.parameters()), "factor": 100.0},
        {"params": list(read.parameters()), "factor": 1.0},
    ]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.99))
    errors = []
    for step in range(steps):
        rate = highest * min((step + 1) / 50, 1.0) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in adam.param_groups:
            group["lr"] = rate * group["factor"]
        z = torch.randn(batch, net.config.z_dim, generator=random)
        w = mapping(z, torch.zeros(batch, 25))[:, 0]
        error = (read(w) - numbers_to_regress(z)).square().mean()
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
            _scale(getattr(large, network), rf"synthesis\.b{resolution}\.torgb\.weight", 0.1 / 0.3)
            _scale(getattr(large, network), r"synthesis\.encoder\.0\.conv2\.weight", 0.1)
    return new


def _name_in_small(name: str) -> str:
    """The first encoder of a StyleUNet works at the size of its input: all others move by one."""
    found = re.fullmatch(r"(.*\.encoder\.)(\d+)(\..*)", name)
    if found is None:
        return name
    return f"{found[1]}{int(found[2]) - 1}{found[3]}"
