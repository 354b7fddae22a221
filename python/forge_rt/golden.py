"""Golden samples: what a model gave when its bundle was made, to be compared with what it gives here.

Each family has a function (bundle path, its inputs, stored pictures) → outputs. `add` runs it and stores the outputs beside tolerances; `compare`
runs it again. Networks look at a rendered face: on noise the attention of landmarks is spread over the crop, and no bar means anything. The
picture is stored, because renders differ by single values between instruction sets, and outputs of a network then by more than 1e-3.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core, golden_generators
from forge_rt._core import CorruptFileError, InvalidArgumentError, UnsupportedError
from forge_rt.backend import Session
from forge_rt.golden_measures import MEASURES, Outputs, some

if TYPE_CHECKING:
    from forge_rt.bundles import BundleInfo

FILE = "golden.safetensors"
PICTURE = "picture.png"  #: tensor of the file: the bytes of a PNG
LARGEST = 200_000  #: bytes of stored outputs and pictures
PLACES = 0.01  #: of the crop: mean error that no variant's landmarks may exceed, whatever its precision cost
SIDE = 256  #: of the picture, pixels; networks of other sizes see it enlarged or reduced
FP32 = 1e-3  #: largest difference between machines in float32


def head(path: Path, inputs: dict[str, Any], pictures: Outputs) -> Outputs:
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


def networks(path: Path, inputs: dict[str, Any], pictures: Outputs) -> Outputs:
    """Families faces and detector: what each variant's graphs give for a face and its mirror image: `numbers` of each output, landmarks in parts.

    The graphs run as the engine runs them (forge_rt.Session), without detection, cropping and un-warping: those are the engine's own.
    """
    manifest = _core.Bundle.open(path).manifest
    picture = _decoded(pictures, path)
    outputs: Outputs = {}
    for variant, stages in _variants(manifest, path).items():
        part = variant.split("/")[0]
        about = manifest["input"] if part == "faces" else manifest["detector"]["input"]
        images = {name: shape for name, shape in inputs["images"].items() if name.startswith(part + "/")}
        ready = {name.removeprefix(part + "/"): _image(picture, shape, about) for name, shape in images.items()}
        for file, session in stages:
            wanted = {port.name: ready[port.name] for port in session.inputs if port.name in ready}
            if len(wanted) != len(session.inputs):
                raise CorruptFileError(
                    f"{path}: {file} wants {[p.name for p in session.inputs]}, its stage has {sorted(ready)}"
                )
            for name, tensor in session.run(wanted).items():
                ready[name] = tensor.numpy()
                for piece, values in split(
                    name, ready[name], landmark_columns(manifest) if part == "faces" else {}
                ).items():
                    outputs[f"{variant}/{piece}"] = some(values, inputs["numbers"])
    return outputs


def landmark_columns(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Tensor → names of its last axis, of a bundle's landmarks; {} where it has none."""
    about = manifest.get("outputs", {}).get("landmarks", {})
    return {about["tensor"]: about["columns"]} if {"tensor", "columns"} <= about.keys() else {}


def split(name: str, values: np.ndarray, columns: Mapping[str, Sequence[str]]) -> Outputs:
    """An output in parts that have one unit each: columns x and y as "NAME/xy", any other as "NAME/column". Without columns as it is.

    One bar for places in 0..1 and logits of ±6 is none for the places.
    """
    if name not in columns:
        return {name: values}
    if values.shape[-1:] != (len(columns[name]),):
        raise CorruptFileError(
            f"{name} must have {len(columns[name])} columns {list(columns[name])}, got shape {list(values.shape)}"
        )
    groups: dict[str, list[int]] = {}
    for i, column in enumerate(columns[name]):
        groups.setdefault("xy" if column in ("x", "y") else column, []).append(i)
    return {f"{name}/{group}": values[..., which] for group, which in groups.items()}


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


def _portrait(manifest: dict[str, Any]) -> Outputs:
    """The picture that networks look at: a frontal face of ForgeHead."""
    import cv2

    from forge_rt.forge_head import ForgeHead

    rgb = np.asarray(ForgeHead().generate(seed=2024, index=0, size=SIDE, camera="frontal").rgb)[0]
    return {PICTURE: cv2.imencode(".png", rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()}


def _decoded(pictures: Outputs, path: Path) -> np.ndarray:
    """[H, W, 3] uint8 RGB."""
    import cv2

    data = pictures.get(PICTURE)
    image = None if data is None or not data.size else cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise CorruptFileError(f"{path}: the golden sample has no readable {PICTURE}; write it anew with golden.add")
    return np.ascontiguousarray(image[..., ::-1])


def _image(picture: np.ndarray, shape: Sequence[int], about: dict[str, Any]) -> np.ndarray:
    """[2, 3, H, W] float32: the picture in the top left corner and the mirror image of that, as the input contract `about` has it.

    Nearest pixels by integer arithmetic: the same numbers on every machine, for any size.
    """
    _, channels, height, width = shape
    side = min(height, width)
    rows, columns = (np.arange(side) * size // side for size in picture.shape[:2])
    frame = np.zeros((height, width, channels), np.uint8)
    frame[:side, :side] = picture[rows[:, None], columns]
    if about.get("order", "RGB") == "BGR":
        frame = frame[..., ::-1]
    mean, scale = (
        np.asarray(about.get(k, default), np.float32) for k, default in (("mean", 127.5), ("scale", 1 / 127.5))
    )
    both = (np.stack([frame, frame[:, ::-1]]).astype(np.float32) - mean) * scale
    return np.ascontiguousarray(both.transpose(0, 3, 1, 2), np.float32)


def _network_inputs(manifest: dict[str, Any]) -> dict[str, Any]:
    """Batch 2 at the bundle's sizes."""
    images = {}
    if manifest["family"] == "faces":
        images[f"faces/{manifest['input']['tensor']}"] = [2, 3, *manifest["input"]["size"]]
    if detector := manifest.get("detector"):
        step = int(detector.get("multiple", 32))
        side = -(-128 // step) * step
        images[f"detector/{detector['input']['tensor']}"] = [2, 3, side, side + step]
    return {"images": images, "numbers": 2048}


def _network_tolerances(outputs: Outputs) -> dict[str, tuple[str, float]]:
    """fp32: other instruction sets and summation orders. Others: they differ from fp32 by what their precision costs, and two machines may
    round differently on the way, so a replay may be off by as much again, and no more: twice the mean distance from fp32."""
    bars = {}
    for name, values in outputs.items():
        part, variant, tensor = name.split("/", 2)
        exact = outputs.get(f"{part}/fp32/{tensor}")
        if variant == "fp32" or exact is None:
            bars[name] = ("max", FP32)
        else:
            bar = 2 * MEASURES["mean"](values, exact) + 1e-4
            bars[name] = ("mean", float(f"{min(bar, PLACES) if tensor.endswith('/xy') else bar:.1e}"))
    return bars


@dataclass(frozen=True)
class _Family:
    run: Callable[[Path, dict[str, Any], Outputs], Outputs]
    inputs: Callable[[dict[str, Any]], dict[str, Any]]  #: of the manifest: what bundle.json says
    pictures: Callable[[dict[str, Any]], Outputs]  #: of the manifest: what is stored beside the outputs
    tolerances: Callable[[Outputs], dict[str, tuple[str, float]]]


_NETWORKS = _Family(networks, _network_inputs, _portrait, _network_tolerances)
_GENERATORS = _Family(golden_generators.run, golden_generators.inputs, lambda _: {}, golden_generators.tolerances)
_FAMILIES = {
    "head": _Family(head, lambda _: _HEAD[0], lambda _: {}, lambda _: _HEAD[1]),
    "faces": _NETWORKS,
    "detector": _NETWORKS,
    "next3d": _GENERATORS,
    "eg3d": _GENERATORS,
}


def _family(family: str, path: Path) -> _Family:
    if family not in _FAMILIES:
        raise UnsupportedError(f"{path} is of family '{family}', this version can replay: {', '.join(_FAMILIES)}")
    return _FAMILIES[family]


def add(folder: str | os.PathLike[str]) -> None:
    """Runs the model of a bundle folder and stores what it gave in the bundle."""
    from safetensors.numpy import save

    from forge_rt.bundles import MANIFEST, file_row
    from forge_rt.production.files import write_atomically

    folder = Path(folder)
    if folder.is_file():
        raise InvalidArgumentError(
            f"{folder} is an archive; add the golden sample to the bundle's folder, then pack it"
        )
    manifest = _core.Bundle.open(folder).manifest
    family = _family(manifest["family"], folder)
    inputs, pictures = family.inputs(manifest), family.pictures(manifest)
    outputs = family.run(folder, inputs, pictures)
    room = LARGEST - sum(values.nbytes for values in pictures.values())
    stored = sum(values.nbytes for values in outputs.values())
    if "numbers" in inputs and stored > room:
        inputs = {**inputs, "numbers": inputs["numbers"] * room // stored}
        outputs = family.run(folder, inputs, pictures)
    tolerance = family.tolerances(outputs)
    data = save({name: np.ascontiguousarray(values) for name, values in {**pictures, **outputs}.items()})
    files = manifest.pop("files")

    def write_manifest() -> None:
        text = json.dumps({**manifest, "files": files}, indent=1, allow_nan=False) + "\n"
        write_atomically(folder / MANIFEST, text.encode())

    if manifest.pop("golden", None) is not None:  # without the old sample first: the bundle is whole at every moment
        files.pop(FILE, None)
        write_manifest()
    write_atomically(folder / FILE, data)
    files[FILE] = file_row(data)
    manifest["golden"] = {
        "file": FILE,
        "inputs": inputs,
        "tolerance": {name: {"measure": m, "at_most": bar} for name, (m, bar) in tolerance.items()},
    }
    write_manifest()


def compare(about: BundleInfo) -> list[tuple[str, float, float]]:
    """(output, error, tolerance) of each output of the golden sample; a shape or dtype that differs is an error of infinity."""
    run = _family(about.family, about.path).run
    golden = about.manifest["golden"]
    stored = {k: v.numpy() for k, v in _core.Bundle.open(about.path).tensors(golden["file"]).items()}
    outputs = run(about.path, golden.get("inputs", {}), stored)
    rows = []
    for name, rule in golden["tolerance"].items():
        if name not in stored or rule.get("measure") not in MEASURES:
            raise CorruptFileError(f"{about.path}: golden sample has no '{name}', or no measure this version knows")
        ours, theirs = outputs.get(name), stored[name]
        same = ours is not None and ours.shape == theirs.shape and ours.dtype == theirs.dtype
        error = MEASURES[rule["measure"]](ours, theirs) if same and ours is not None else float("inf")
        rows.append((name, error, float(rule["at_most"])))
    return rows
