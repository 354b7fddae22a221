"""Small generators with random weights, and an egg for a head. `python generator_bundle.py` makes tests/data/tiny_next3d again."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import forge_rt as fr
import numpy as np

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny_next3d.forge"
EXPECTED = DATA / "tiny_next3d.npz"
ROWS, COLUMNS = 10, 16
VERTICES = (ROWS + 1) * COLUMNS
SAMPLES, PROBES = 3, 400


def egg(count: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Eggs of a head's size, each a little different: vertices [count, V, 3], landmarks [count, 68, 3], metres."""
    polar = np.pi * np.arange(ROWS + 1)[:, None] / ROWS
    turn = 2 * np.pi * np.arange(COLUMNS) / COLUMNS - np.pi  # the seam is behind
    shape = np.stack(np.broadcast_arrays(np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)), -1)
    rng = np.random.default_rng(seed)
    size = np.array([0.08, 0.12, 0.09]) * rng.uniform(0.9, 1.1, (count, 1, 3))
    vertices = shape.reshape(1, -1, 3) * size + rng.uniform(-0.003, 0.003, (count, VERTICES, 3))
    around = 2 * np.pi * np.arange(68) / 12
    lips = np.stack([-np.cos(around), np.sin(around), np.ones(68)], -1) * [0.03, 0.015, 0.08] + [0, -0.05, 0]
    landmarks = lips + rng.uniform(-0.01, 0.01, (count, 1, 3))
    return vertices.astype(np.float32), landmarks.astype(np.float32)


def numbers(count: int, z_dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(1000 + seed).standard_normal((count, z_dim)).astype(np.float32)


def cameras(count: int, seed: int = 0) -> np.ndarray:
    """[count, 25]: around the head, each with a field of view of its own."""
    rng = np.random.default_rng(2000 + seed)
    made = [
        fr.camera.orbit(yaw_deg=rng.uniform(-30, 30), pitch_deg=rng.uniform(-20, 20), fov_deg=rng.uniform(12, 16))
        for _ in range(count)
    ]
    return np.array([c.label25() for c in made], np.float32)


def probes(array: np.ndarray) -> np.ndarray:
    """A few hundred values, evenly spread."""
    flat = np.asarray(array).reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(PROBES, flat.size)).astype(np.int64)]


# ---- with torch -----------------------------------------------------------------------------------------------------


def egg_mesh():
    """Its triangles, texture coordinates (one column more than the vertices) and mask."""
    from forge_rt.export.models.next3d.views import UvMesh

    row, column = (x.ravel() for x in np.mgrid[:ROWS, :COLUMNS])

    def corner(down: int, right: int, columns: int) -> np.ndarray:
        return (row + down) * columns + (column + right) % columns

    def triangles(columns: int) -> np.ndarray:
        a, b, c, d = (corner(i, j, columns) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
        return np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).astype(np.int32)

    v, u = np.mgrid[: ROWS + 1, : COLUMNS + 1]
    uv = np.stack([2 * u / COLUMNS - 1, 2 * v / ROWS - 1], -1).reshape(-1, 2).astype(np.float32)
    fade = np.minimum(1, 3 * np.sin(np.pi * (np.arange(16) + 0.5) / 16))
    return UvMesh(triangles(COLUMNS), triangles(COLUMNS + 1), uv, (fade[:, None] * fade).astype(np.float32))


def tiny_config(**changes):
    from forge_rt.export.models.next3d import config

    values = dict(
        z_dim=8, w_dim=16, channel_base=128, channel_max=8, plane_resolution=32, plane_channels=8, decoder_hidden=16, feature_channels=8,
        superresolution="2X", sr_channels=(8, 8), neural_rendering_resolution=16, texture_resolution=32, texture_channels=8,
        mouth=config.StyleUNetConfig(32, 16, 4), blending=config.StyleUNetConfig(32, 32, 8), topology=None,
        rendering=config.RenderingConfig(depth_resolution=10, depth_resolution_importance=8, c_scale=1.0, depth_clamp="image"),
    )  # fmt: skip
    return config.Next3DConfig(**{**values, **changes})


def random_weights(model, seed: int):
    """A model in which every term counts: noise, biases, mean style; a field that is neither empty nor solid."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "noise_strength" in name:
                parameter.fill_(0.3)
            elif name.endswith("bias"):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if "noise_const" in name or name.endswith("w_avg"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
        model.decoder.net[2].bias[0] = 1.0
    return model.eval()


def tiny(seed: int = 0, **changes):
    """A narrow Next3D."""
    import torch
    from forge_rt.export.models import next3d

    torch.manual_seed(seed)
    return random_weights(next3d.Next3D(tiny_config(**changes)), seed)


def write(model, path: Path, *, proof: bool = True, **options) -> Path:
    """`proof`: graphs are compared with the definition as they are written, which takes a minute where images are large."""
    from forge_rt.export.generators import write_generator_bundle
    from forge_rt.export.generators.topology import HeadReference

    if hasattr(model, "texture_backbone") and "mesh" not in options:
        options = {"mesh": egg_mesh(), "head": HeadReference.of("egg", egg_mesh().faces, VERTICES), **options}
    with ExitStack() as stack:
        for name in () if proof else ("prove_stage", "prove_model", "record"):
            stack.enter_context(mock.patch(f"forge_rt.export.generators.bundle.{name}", return_value={}))
        write_generator_bundle(model, path, **options)
    return path


def rasterized(model, vertices: np.ndarray, landmarks: np.ndarray, mesh=None):
    """The definition's views of a head."""
    from forge_rt.export.models.next3d import views

    config = model.config
    return views.rasterize_views(
        vertices, landmarks, mesh or egg_mesh(), config.plane_resolution, all_views=config.blend_planes == "all",
        scale=config.orth_scale, shift=config.orth_shift,
    )  # fmt: skip


def main() -> None:
    import torch

    torch.set_num_threads(1)
    model = tiny()
    DATA.mkdir(exist_ok=True)
    write(model, TINY)
    (vertices, landmarks), z, labels = egg(SAMPLES), numbers(SAMPLES, model.config.z_dim), cameras(SAMPLES)
    with torch.no_grad():
        frontal = torch.from_numpy(fr.Generator(TINY).info.frontal)[None].expand(SAMPLES, -1)
        identity = model.identity(torch.from_numpy(z), frontal, psi=0.7, cutoff=model.num_static_ws)
        seen = rasterized(model, vertices, landmarks)
        planes = model.expression(identity, seen)
        out = model.view(planes, identity.ws, torch.from_numpy(labels))
    arrays = {
        "ws": identity.ws, "texture": identity.texture.permute(0, 2, 3, 1), "static_planes": identity.static_planes,
        "planes": planes.permute(0, 1, 3, 4, 2), "alpha": seen.front_alpha, "mouth_box": seen.mouth_box, "features": out.features,
        "image": out.image, "depth": out.depth, "weight": out.weight,
    }  # fmt: skip
    np.savez_compressed(EXPECTED, **{name: probes(value.numpy()) for name, value in arrays.items()})
    print(
        f"{TINY}: {sum(f.stat().st_size for f in TINY.iterdir())} bytes, {EXPECTED.name}: {EXPECTED.stat().st_size}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
