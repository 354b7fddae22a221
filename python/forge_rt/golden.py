"""Golden samples: what a model gave when its bundle was made, to be compared with what it gives here.

Each family has a function (bundle path, its inputs) → outputs. `add` runs it and stores the outputs beside tolerances; `compare` runs it again.
Inputs are never stored: faces come from seeds, images from the counter-based generator.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core
from forge_rt._core import CorruptFileError, UnsupportedError
from forge_rt.backend import Session

if TYPE_CHECKING:
    from forge_rt.bundles import BundleInfo

FILE = "golden.safetensors"
LARGEST = 200_000  #: bytes of stored outputs
FP32 = 1e-3  #: largest difference between machines in float32
Outputs = dict[str, np.ndarray]
#: how an output is compared: largest difference, or share of elements that differ
_MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "max": lambda a, b: float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0)),
    "mean": lambda a, b: float(np.abs(a.astype(np.float64) - b.astype(np.float64)).mean()),
    "share": lambda a, b: float((a != b).mean()),
}


def head(path: Path, inputs: dict[str, Any]) -> Outputs:
    """ForgeHead: meshes and small pictures of some random faces."""
    from forge_rt import camera
    from forge_rt.forge_head import ForgeHead

    model = ForgeHead(path)
    faces = [model.sample(inputs["seed"], i, "mixed") for i in range(inputs["faces"])]
    mesh = model.mesh(faces)
    views = [camera.orbit(yaw_deg=yaw, size=inputs["size"]) for yaw in inputs["yaw_deg"]]
    images = model.render(faces, views)
    return {
        "vertices": np.asarray(mesh.vertices)[:, :: inputs["every"]],
        "landmarks": np.asarray(mesh.landmarks),
        "segmentation": np.asarray(images.segmentation),
        "depth_m": np.asarray(images.depth_m).astype(np.float16),
        "rgb": np.asarray(images.rgb),
    }


#: inputs; output → (measure, tolerance). The tolerances span CPU paths and devices (docs/design/forgehead.md).
_HEAD: tuple[dict[str, Any], dict[str, tuple[str, float]]] = (
    {"seed": 2024, "faces": 4, "yaw_deg": [0, 25, -40, 60], "size": 64, "every": 16},
    {
        "vertices": ("max", 2e-6),
        "landmarks": ("max", 2e-6),
        "segmentation": ("share", 2e-3),
        "depth_m": ("mean", 1e-3),
        "rgb": ("mean", 0.5),
    },
)


def networks(path: Path, inputs: dict[str, Any]) -> Outputs:
    """Families faces and detector: what each variant's graphs give for pseudo-random images: `numbers` of each output.

    The graphs run as the engine runs them (forge_rt.Session), without detection, cropping and un-warping: those are the engine's own.
    """
    outputs: Outputs = {}
    for variant, stages in _variants(_core.Bundle.open(path).manifest, path).items():
        part = variant.split("/")[0]
        images = {name: shape for name, shape in inputs["images"].items() if name.startswith(part + "/")}
        ready = {name.removeprefix(part + "/"): _image(name, shape, inputs) for name, shape in images.items()}
        for file, session in stages:
            wanted = {port.name: ready[port.name] for port in session.inputs if port.name in ready}
            if len(wanted) != len(session.inputs):
                raise CorruptFileError(
                    f"{path}: {file} wants {[p.name for p in session.inputs]}, its stage has {sorted(ready)}"
                )
            for name, tensor in session.run(wanted).items():
                ready[name] = tensor.numpy()
                outputs[f"{variant}/{name}"] = _some(ready[name], inputs["numbers"])
    return outputs


def _some(values: np.ndarray, numbers: int) -> np.ndarray:
    """At most `numbers` of the values, evenly spread; the step is odd so that it does not walk along one column of a map."""
    step = -(-values.size // numbers)
    return np.ascontiguousarray(values.ravel()[:: step | 1 if step > 1 else 1], np.float32)


def _variants(manifest: dict[str, Any], path: Path) -> dict[str, list[tuple[str, Session]]]:
    """ "faces/fp32" → its graphs in order; "detector/fp32" likewise."""
    bundle = _core.Bundle.open(path)
    parts = (
        {"faces": manifest, "detector": manifest.get("detector")}
        if manifest["family"] == "faces"
        else {"detector": manifest["detector"]}
    )
    found = {}
    for part, about in parts.items():
        for variant, row in (about or {}).get("variants", {}).items():
            files = [stage["file"] for stage in row["stages"]] if "stages" in row else [row["file"]]
            found[f"{part}/{variant}"] = [
                (file, Session(bundle.files[file].numpy().tobytes(), threads=1, name=f"{path}/{file}"))
                for file in files
            ]
    if not found:
        raise CorruptFileError(f"{path}: bundle.json names no variants")
    return found


def _image(name: str, shape: list[int], inputs: dict[str, Any]) -> np.ndarray:
    """Soft blobs in −1..1, of the generator alone: the same numbers on every machine."""
    batch, channels, height, width = shape
    coarse = _core.random_uniform(
        [batch, channels, height // 8, width // 8], inputs["seed"], 0, f"golden.{name}"
    ).numpy()
    return np.ascontiguousarray(2 * coarse.repeat(8, 2).repeat(8, 3) - 1, np.float32)


def _network_inputs(manifest: dict[str, Any]) -> dict[str, Any]:
    """Batch 2 at the bundle's sizes."""
    images = {}
    if manifest["family"] == "faces":
        images[f"faces/{manifest['input']['tensor']}"] = [2, 3, *manifest["input"]["size"]]
    if detector := manifest.get("detector"):
        step = int(detector.get("multiple", 32))
        side = -(-128 // step) * step
        images[f"detector/{detector['input']['tensor']}"] = [2, 3, side, side + step]
    return {"seed": 2024, "images": images, "numbers": 2048}


def _network_tolerances(outputs: Outputs) -> dict[str, tuple[str, float]]:
    """fp32: other instruction sets and summation orders. Others: they differ from fp32 by what their precision costs, and two machines may
    round differently on the way, so a replay may be off by as much again, and no more: twice the mean distance from fp32."""
    bars = {}
    for name, values in outputs.items():
        part, variant, tensor = name.split("/")
        exact = outputs.get(f"{part}/fp32/{tensor}")
        if variant == "fp32" or exact is None:
            bars[name] = ("max", FP32)
        else:
            bars[name] = ("mean", float(f"{2 * _MEASURES['mean'](values, exact) + 1e-4:.1e}"))
    return bars


@dataclass(frozen=True)
class _Family:
    run: Callable[[Path, dict[str, Any]], Outputs]
    inputs: Callable[[dict[str, Any]], dict[str, Any]]
    tolerances: Callable[[Outputs], dict[str, tuple[str, float]]]


_NETWORKS = _Family(networks, _network_inputs, _network_tolerances)
_FAMILIES = {"head": _Family(head, lambda _: _HEAD[0], lambda _: _HEAD[1]), "faces": _NETWORKS, "detector": _NETWORKS}


def _family(family: str, path: Path) -> _Family:
    if family not in _FAMILIES:
        raise UnsupportedError(f"{path} is of family '{family}', this version can replay: {', '.join(_FAMILIES)}")
    return _FAMILIES[family]


def add(folder: Path) -> None:
    """Runs the model of a bundle folder and stores what it gave in the bundle."""
    from safetensors.numpy import save

    from forge_rt.bundles import file_row

    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    family = _family(manifest["family"], folder)
    inputs = family.inputs(manifest)
    outputs = family.run(folder, inputs)
    stored = sum(values.nbytes for values in outputs.values())
    if "numbers" in inputs and stored > LARGEST:
        inputs = {**inputs, "numbers": inputs["numbers"] * LARGEST // stored}
        outputs = family.run(folder, inputs)
    tolerance = family.tolerances(outputs)
    data = save({name: np.ascontiguousarray(values) for name, values in outputs.items()})
    files = manifest.pop("files")
    files[FILE] = file_row(data)
    manifest["golden"] = {
        "file": FILE,
        "inputs": inputs,
        "tolerance": {name: {"measure": m, "at_most": bar} for name, (m, bar) in tolerance.items()},
    }
    manifest["files"] = files
    (folder / FILE).write_bytes(data)
    (folder / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def compare(about: BundleInfo) -> list[tuple[str, float, float]]:
    """(output, error, tolerance) of each output of the golden sample; a shape or dtype that differs is an error of infinity."""
    run = _family(about.family, about.path).run
    golden = about.manifest["golden"]
    stored = {k: v.numpy() for k, v in _core.Bundle.open(about.path).tensors(golden["file"]).items()}
    outputs = run(about.path, golden.get("inputs", {}))
    rows = []
    for name, rule in golden["tolerance"].items():
        if name not in stored or rule.get("measure") not in _MEASURES:
            raise CorruptFileError(f"{about.path}: golden sample has no '{name}', or no measure this version knows")
        ours, theirs = outputs.get(name), stored[name]
        same = ours is not None and ours.shape == theirs.shape and ours.dtype == theirs.dtype
        error = _MEASURES[rule["measure"]](ours, theirs) if same and ours is not None else float("inf")
        rows.append((name, error, float(rule["at_most"])))
    return rows
