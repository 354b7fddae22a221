"""The published size with weights from a seed: for measurements and checks that need no checkpoint. It draws no head."""

from __future__ import annotations

import dataclasses

import forge_rt as fr
import numpy as np
import torch

from .config import Next3DConfig, RenderingConfig, Topology
from .generator import Next3D
from .views import UvMesh

#: Of what StyleGAN2 starts with zero, so that no term is left out.
_NOISE, _BIAS = 0.1, 0.1
#: Spread of raw densities, of about 1 without it.
_DENSITY = 4.0


def forge_head_mesh(mask_size: int = 256) -> UvMesh:
    """ForgeHead in place of FLAME: its triangles and texture coordinates, and the front of its chart as the mask."""
    arrays = fr._core.read_safetensors(str(fr.asset_path("forgehead.forge") / "head.safetensors"))
    uv = np.asarray(arrays["uv"])
    grid = np.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], -1).astype(np.float32)
    line = np.linspace(-1, 1, mask_size, dtype=np.float32)
    mask = np.clip(1.5 - np.hypot(line[:, None], line[None]), 0, 1)
    triangles = np.ascontiguousarray(fr.ForgeHead().triangles, np.int32)
    return UvMesh(triangles, np.ascontiguousarray(arrays["uv_faces"], np.int32), grid, mask)


def full_config(mesh: UvMesh) -> Next3DConfig:
    """FFHQ-512 with the options of the published training command, on another head."""
    return Next3DConfig(
        topology=Topology(len(mesh.faces), len(mesh.uvcoords), 0), rendering=RenderingConfig(c_scale=1.0)
    )


def procedural_model(
    seed: int = 0, config: Next3DConfig | None = None, *, mesh: UvMesh | None = None, dead_weights: bool = False
) -> Next3D:
    """Noise, biases and average styles are random, too; densities are spread so that some rays end early and some go through."""
    mesh = mesh or forge_head_mesh()
    config = dataclasses.replace(config or full_config(mesh))
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        model = Next3D(config, dead_weights=dead_weights).eval()
        with torch.no_grad():
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                if name.endswith("noise_strength"):
                    tensor.fill_(_NOISE)
                elif name.endswith((".bias", "w_avg")) and "affine" not in name:
                    tensor.copy_(_BIAS * torch.randn(tensor.shape))
            model.decoder.net[2].weight[0] *= _DENSITY
    finally:
        torch.random.set_rng_state(state)
    if config.topology is not None:
        model.faces.copy_(torch.from_numpy(mesh.faces.astype(np.int64))[None])
        model.uvfaces.copy_(torch.from_numpy(mesh.uvfaces.astype(np.int64))[None])
        model.uvcoords[0, :, :2] = torch.from_numpy(mesh.uvcoords)
        model.uvcoords[0, :, 2] = 1
    return model


def posed_heads(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """vertices [count, V, 3] and landmarks [count, 68, 3] of ForgeHead's people, head frame, metres."""
    head = fr.ForgeHead()
    mesh = head.mesh([head.sample(seed, i) for i in range(count)])
    return np.array(mesh.vertices, np.float32), np.array(mesh.landmarks, np.float32)


def orbit_labels(yaws_deg: list[float], config: Next3DConfig) -> np.ndarray:
    """[N, 25] cameras on a circle around the published pivot."""
    made = np.zeros((len(yaws_deg), 25), np.float32)
    radius, pivot = config.rendering.avg_camera_radius, np.asarray(config.rendering.avg_camera_pivot)
    for row, yaw in zip(made, np.radians(yaws_deg), strict=True):
        matrix = np.eye(4)
        axis = np.array([np.sin(yaw), 0, np.cos(yaw)])
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = (np.cos(yaw), 0, -np.sin(yaw)), (0, -1, 0), -axis
        matrix[:3, 3] = radius * axis + pivot
        row[:16] = matrix.ravel()
        row[16:] = 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1
    return made
