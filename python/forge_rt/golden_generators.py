"""Golden samples of generators: what each stage gives for fixed numbers, and the picture of a head where the package has that head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import _core
from forge_rt.backend import Session
from forge_rt.generator import Generator
from forge_rt.golden_measures import Outputs, some

SEED = 2024
_YAW_DEG = (-25, 20)


def inputs(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"seed": SEED, "numbers": 2048}


def run(path: Path, given: dict[str, Any], stored: Outputs) -> Outputs:
    """Stages of every variant on uniform numbers in ±1.7, and two views of one head: image, raw image, distance where there is weight."""
    manifest = _core.Bundle.open(path).manifest
    files = _core.Bundle.open(path).files
    outputs: Outputs = {}
    for variant, about in manifest["variants"].items():
        for stage, row in about["stages"].items():
            session = Session(files[row["file"]].numpy().tobytes(), threads=1, name=f"{path}/{row['file']}")
            made = session.run({port.name: _numbers(port.name, port.shape, given["seed"]) for port in session.inputs})
            for name, tensor in made.items():
                outputs[f"{variant}/{stage}/{name}"] = some(tensor.numpy(), given["numbers"])
    mesh = _mesh(manifest["generator"])
    if mesh is not None:
        outputs |= _views(path, manifest["generator"], mesh, given)
    return outputs


def tolerances(outputs: Outputs) -> dict[str, tuple[str, float]]:
    """Other instruction sets and orders of summation: 1e-4 of the largest value, as the published vectors allow."""
    return {
        name: ("max", float(f"{1e-4 * max(1.0, float(np.abs(values).max())):.1e}")) for name, values in outputs.items()
    }


def _mesh(entry: dict[str, Any]) -> tuple[Any, Any] | None:
    """Vertices and landmarks of the head; (None, None) where there is none; None where it is somebody else's (FLAME)."""
    head = entry.get("head")
    if "mouth" not in entry["config"]:
        return None, None
    if not head or head["family"] != "forgehead":
        return None
    from forge_rt.forge_head import ForgeHead

    model = ForgeHead()
    mesh = model.mesh(model.face(expression={"smile": 0.7, "jaw_open": 0.3}))
    fits = head["vertices"] == mesh.vertices.shape[1]
    return (np.asarray(mesh.vertices), np.asarray(mesh.landmarks)) if fits else None


def _views(path: Path, entry: dict[str, Any], mesh: tuple[Any, Any], given: dict[str, Any]) -> Outputs:
    from forge_rt import camera

    generator = Generator(path)
    z = _numbers("z", (1, generator.info.z_dim), given["seed"])
    world = entry["world"]
    views = [camera.orbit(yaw_deg=yaw, size=64) for yaw in _YAW_DEG]
    labels = camera.labels25(views, world["scale"], world["shift"]).astype(np.float32)
    identity = generator.identity(z, labels[:1])
    view = generator.view(generator.expression(identity, *mesh), labels)
    depth, weight = np.asarray(view.depth), np.asarray(view.weight)
    pictures = {"image": view.image, "image_raw": view.image_raw, "depth": np.where(weight > 1e-5, weight * depth, 0)}
    return {f"view/{name}": some(np.asarray(values), given["numbers"]) for name, values in pictures.items()}


def _numbers(name: str, shape: Any, seed: int) -> np.ndarray:
    """One sample; of unit variance, equal on every machine."""
    size = [1 if n < 0 else int(n) for n in shape]
    uniform = np.asarray(_core.random_uniform(size, seed, 0, f"golden.{name}"))
    return ((uniform - np.float32(0.5)) * np.float32(12**0.5)).astype(np.float32)
