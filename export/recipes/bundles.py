"""Trained networks → bundles: graphs in three precisions, proof that they equal the module, contract, golden sample (docs/design/faces.md)."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np
import torch
from forge_rt import bundles, golden
from torch import nn

from ..graphs import export_onnx, quantize_int8, round_weights, to_fp16
from ..models.detect_mini import STRIDE
from ..models.faces_mini import SIZE
from ..verify import compare, record
from . import scenes
from .crops import RULE, disturbed
from .samples import Samples

CALIBRATION = 192  # images
INPUT = {"tensor": "image", "order": "RGB", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3}
LICENCE = "Apache-2.0"
USE = (
    "Trained on synthetic faces alone; no photograph of a person was used. Meant for face parsing, landmarks and depth in user interfaces, games and research. "
    "Not meant for identification or for judging people."
)


def write_faces(
    net: nn.Module, path: Path, data: list[Path], *, seed: int, steps: int, detector: str | None = None
) -> None:
    """The bundle of a trained faces-mini; `detector`: a bundle whose detector goes in as well."""
    head = fr.ForgeHead()
    mirror = [label.mirror for label in head.labels]
    samples = Samples(*data)

    def calibration() -> Iterator[dict[str, np.ndarray]]:
        rng = np.random.default_rng([seed, 77])
        for _ in range(CALIBRATION // 8):
            picked = rng.integers(0, len(samples), 8)
            crops = [disturbed(rng, samples[int(i)], mirror, SIZE).image for i in picked]
            yield {"image": _normalised(np.stack(crops))}

    outputs = ["logits", "landmarks", "depth"]
    files, rows = _graphs(
        net, "faces", torch.zeros(1, 3, SIZE, SIZE), outputs, list(calibration()), coordinates=["landmarks"]
    )
    fields: dict[str, Any] = {
        **_about(seed, steps, data, "forge_rt.export.recipes.faces_mini", record(rows)),
        "input": {**INPUT, "size": [SIZE, SIZE], "border": "constant"},
        "crop": RULE,
        "variants": {name: {"stages": [{"file": file}]} for name, file in _variants("faces").items()},
        "outputs": {
            "parsing": {"tensor": "logits", "kind": "logits", "ignore": []},
            "landmarks": {"tensor": "landmarks", "unit": "crop", "columns": ["x", "y", "visible"]},
            "depth": {
                "tensor": "depth", "unit": "m", "scale": 1.0, "relative_to": "the mean camera z of the 68 landmarks",
            },
        },
        "labels": [
            {"id": label.id, "name": label.name, "color": list(label.color), "mirror": label.mirror} for label in head.labels
        ],
        "side": "subject",
    }  # fmt: skip
    if detector is not None:
        held = bundles.info(bundles.find(detector))
        fields["detector"] = held.manifest["detector"]
        stored = fr.bundles.Bundle.open(held.path)
        for variant in fields["detector"]["variants"].values():
            files[variant["file"]] = bytes(np.asarray(stored.files[variant["file"]]))
    bundles.write(path, "faces", files, fields)
    golden.add(path)


def write_detector(net: nn.Module, path: Path, data: list[Path], *, seed: int, steps: int) -> None:
    """The bundle of a trained detect-mini."""
    samples = Samples(*data)
    rng = np.random.default_rng([seed, 77])
    calibration = []
    for _ in range(CALIBRATION // 16):
        made = [
            scenes.compose(rng, lambda r: samples.read(int(r.integers(len(samples))), depth=False), 320)
            for _ in range(8)
        ]
        calibration.append({"image": _normalised(np.stack([scene.image for scene in made]))})
    free = {"image": {2: ("h", 32), 3: ("w", 32)}}
    files, rows = _graphs(
        net,
        "detect",
        torch.zeros(1, 3, 192, 320),
        ["score", "box", "points"],
        calibration,
        coordinates=["box", "points"],
        free=free,
    )
    fields = {
        **_about(seed, steps, data, "forge_rt.export.recipes.detect_mini", record(rows)),
        "detector": {
            "input": INPUT,
            "variants": {name: {"file": file} for name, file in _variants("detect").items()},
            "outputs": {"score": "score", "box": "box", "points": "points"},
            "stride": STRIDE, "size": 320, "multiple": 32, "threshold": 0.5, "iou": 0.4,
        },
    }  # fmt: skip
    bundles.write(path, "detector", files, fields)
    golden.add(path)


def _variants(name: str) -> dict[str, str]:
    return {"fp32": f"{name}.onnx", "fp16": f"{name}.fp16.onnx", "int8": f"{name}.int8.onnx"}


def _graphs(
    net: nn.Module, name: str, example: torch.Tensor, outputs: list[str], calibration: list[dict[str, np.ndarray]],
    *, coordinates: list[str], free: dict[str, Any] | None = None,
) -> tuple[dict[str, bytes], list[dict[str, Any]]]:  # fmt: skip
    """The files of all variants and their rows of proof. Coordinates stay in float32 in every variant."""
    net = round_weights(copy.deepcopy(net).cpu().float().eval())
    names = _variants(name)
    with tempfile.TemporaryDirectory() as folder:
        at = {variant: Path(folder) / file for variant, file in names.items()}
        full = Path(folder) / "full.onnx"
        export_onnx(net, [example], full, ["image"], outputs, free_axes=free)
        export_onnx(net, [example], at["fp32"], ["image"], outputs, store="fp16", free_axes=free)
        to_fp16(full, at["fp16"], keep=coordinates)
        quantize_int8(full, at["int8"], calibration, exclude=outputs)
        real = calibration[:2]
        rows = [
            compare(net, at["fp32"]),
            compare(full, at["fp16"], real, max_abs=None),
            compare(full, at["int8"], real, max_abs=None),
        ]
        return {file: (Path(folder) / file).read_bytes() for file in names.values()}, rows


def _normalised(images: np.ndarray) -> np.ndarray:
    """[B, H, W, 3] uint8 → [B, 3, H, W] float32 as the bundle's `input` says."""
    return np.ascontiguousarray((images.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 127.5)


def _about(seed: int, steps: int, data: list[Path], made_by: str, export: dict[str, Any]) -> dict[str, Any]:
    plans = []
    for folder in data:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        plans.append({"plan": plan["plan"], "sha256": plan["sha256"]})
    return {
        "licence": LICENCE,
        "use": USE,
        "provenance": {"made_by": made_by, "seed": seed, "steps": steps, "data": plans, "outside_data": "none"},
        "export": export,
    }
