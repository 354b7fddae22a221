"""Golden samples: what a model gave when its bundle was made, to be compared with what it gives here.

Each family has a function (bundle path, its inputs) → outputs. `add` runs it and stores the outputs beside tolerances; `compare` runs it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core
from forge_rt._core import CorruptFileError, UnsupportedError

if TYPE_CHECKING:
    from forge_rt.bundles import BundleInfo

FILE = "golden.safetensors"
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
_FAMILIES = {"head": (head, _HEAD)}


def _family(family: str, path: Path) -> tuple[Callable[[Path, dict[str, Any]], Outputs], Any]:
    if family not in _FAMILIES:
        raise UnsupportedError(f"{path} is of family '{family}', this version can replay: {', '.join(_FAMILIES)}")
    return _FAMILIES[family]


def add(folder: Path) -> None:
    """Runs the model of a bundle folder and stores what it gave in the bundle."""
    from safetensors.numpy import save

    from forge_rt.bundles import file_row

    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    run, (inputs, tolerance) = _family(manifest["family"], folder)
    data = save({name: np.ascontiguousarray(values) for name, values in run(folder, inputs).items()})
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
    run, _ = _family(about.family, about.path)
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
