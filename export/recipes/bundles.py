"""Trained networks → bundles: graphs in three precisions, proof that they equal the module, contract, golden sample (docs/design/faces.md)."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np
import torch
from forge_rt import InvalidArgumentError, bundles, golden, metrics
from torch import nn

from ..errors import ExportError
from ..graphs import export_onnx, quantize_int8, round_weights, to_fp16
from ..models.detect_mini import STRIDE
from ..models.faces_mini import SIZE
from ..verify import compare, record
from . import scenes
from .class_bias import fitted_bias
from .crops import RULE, Crop, disturbed, plain
from .samples import Sample, Samples

CALIBRATION, HELD_OUT = 192, 96  #: images (scenes: half as many, twice as many)
#: What a variant may lose against float32 before it is refused: mean F1, NME (share of the inter-ocular distance), recall.
LOST_F1, LOST_NME, LOST_RECALL = 0.02, 0.004, 0.02
_CALIBRATION, _HELD_OUT = 1 << 40, 1 << 41  #: purposes of random numbers; training counts its steps from 0
THRESHOLD = 0.3  #: of detect-mini; faces-mini has the last word (CONFIDENCE)
CONFIDENCE = 0.8  #: of faces-mini in what detect-mini finds: on ten photographs with 30 faces all 30 and 6 of 46 other finds have more
MOVED = 0.004  #: share of the crop by which landmarks of a variant may be off in the mean
INPUT = {"tensor": "image", "order": "RGB", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3}
LICENCE = "Apache-2.0"
USE = (
    "Trained on synthetic faces alone; no photograph of a person was used. Meant for face parsing, landmarks and depth in user interfaces, games and research. "
    "Not meant for identification or for judging people."
)


def check_detector(name: str) -> bundles.BundleInfo:
    """The bundle whose detector shall go into another. Raises NotFoundError, CorruptFileError or InvalidArgumentError."""
    held = bundles.info(bundles.find(name))
    if "detector" not in held.manifest:
        raise InvalidArgumentError(
            f"{held.path} has no detector; name a bundle of family detector, or of faces with one"
        )
    return held


def write_faces(
    net: nn.Module, path: Path, data: list[Path], *, seed: int, steps: int, detector: str | None = None
) -> None:
    """The bundle of a trained faces-mini, its classes' biases set by `class_bias`; `detector`: a bundle whose detector goes in as well."""
    head = fr.ForgeHead()
    mirror = [label.mirror for label in head.labels]
    samples = Samples(*data)
    net = copy.deepcopy(net).cpu().float().eval()
    bias = fitted_bias(net, samples, SIZE, len(mirror), seed)
    with torch.no_grad():
        net.logits.bias += bias
    rng = np.random.default_rng([seed, _CALIBRATION])
    calibration = []
    for _ in range(CALIBRATION // 8):
        picked = rng.integers(0, len(samples), 8)
        crops = [disturbed(rng, samples[int(i)], mirror, SIZE).image for i in picked]
        calibration.append({"image": _normalised(np.stack(crops))})
    unseen = _unseen(seed)

    def score(session: fr.Session) -> dict[str, float]:
        return _score_faces(session, unseen, len(mirror))

    outputs = ["logits", "landmarks", "depth"]
    keep = [
        "landmarks",
        "MatMul",
    ]  # coordinates, and the means under attention: 8 bits there cost a tenth of the eyes' distance
    images = [{"image": _normalised(np.stack([crop.image for crop in unseen[:8]]))}]
    example = torch.zeros(1, 3, SIZE, SIZE)
    files, rows, measured = _graphs(net, "faces", example, outputs, calibration, images, keep, score)
    for name, of_variant in measured.items():
        for what, lost in (("mean_f1", LOST_F1), ("nme", LOST_NME)):
            _hold(f"{name}: {what}", abs(of_variant[what] - measured["fp32"][what]), lost)
    fields: dict[str, Any] = {
        **_about(
            seed, steps, data, "forge_rt.export.recipes.faces_mini",
            {**record(rows), "measured": measured, "class_bias": [round(float(b), 3) for b in bias]},
        ),
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
        held = check_detector(detector)
        fields["detector"] = held.manifest["detector"]
        stored = bundles.Bundle.open(held.path)
        for variant in fields["detector"]["variants"].values():
            files[variant["file"]] = bytes(np.asarray(stored.files[variant["file"]]))
    bundles.write(path, "faces", files, fields)
    golden.add(path)


def write_detector(net: nn.Module, path: Path, data: list[Path], *, seed: int, steps: int) -> None:
    """The bundle of a trained detect-mini."""
    samples = Samples(*data)

    def scenes_of(purpose: int, count: int) -> list[scenes.Scene]:
        rng = np.random.default_rng([seed, purpose])
        pick = lambda r: samples.read(int(r.integers(len(samples))), depth=False)  # noqa: E731
        return [scenes.compose(rng, pick, 320) for _ in range(count)]

    def batches_of(made: list[scenes.Scene]) -> list[dict[str, np.ndarray]]:
        images = [_normalised(scene.image[None]) for scene in made]
        return [{"image": np.concatenate(images[k : k + 8])} for k in range(0, len(images), 8)]

    held_out = scenes_of(_HELD_OUT, 2 * HELD_OUT)

    def score(session: fr.Session) -> dict[str, float]:
        return _score_detector(session, held_out)

    files, rows, measured = _graphs(
        net, "detect", torch.zeros(1, 3, 192, 320), ["score", "box", "points"], batches_of(scenes_of(_CALIBRATION, CALIBRATION // 2)),
        batches_of(held_out[:8]), ["box", "points"], score, free={"image": {2: ("h", 32), 3: ("w", 32)}},
    )  # fmt: skip
    for name, of_variant in measured.items():
        _hold(f"{name}: recall", measured["fp32"]["recall"] - of_variant["recall"], LOST_RECALL)
    fields = {
        **_about(seed, steps, data, "forge_rt.export.recipes.detect_mini", {**record(rows), "measured": measured}),
        "detector": {
            "input": INPUT,
            "variants": {name: {"file": file} for name, file in _variants("detect").items()},
            "outputs": {"score": "score", "box": "box", "points": "points"},
            "stride": STRIDE, "size": 416, "multiple": 32, "threshold": THRESHOLD, "iou": 0.4, "confidence": CONFIDENCE,
        },
    }  # fmt: skip
    bundles.write(path, "detector", files, fields)
    golden.add(path)


def _unseen(seed: int) -> list[Crop]:
    """Crops of faces that no training of this seed has seen, as the engine would cut them."""
    made = []
    plan = fr.Plan(count=HELD_OUT, seed=2**40 + seed, size=384, style="mixed")
    for batch in fr.batches(plan):
        arrays = (
            batch.rgb,
            batch.segmentation,
            batch.depth_m,
            batch.landmarks,
            batch.visibility,
            batch.landmarks_camera_m,
        )
        for rgb, mask, depth, points, visibility, camera in zip(*map(np.asarray, arrays), strict=True):
            sample = Sample(rgb, mask, depth, points, visibility == 2, float(camera[:, 2].mean()))
            made.append(plain(sample, SIZE))
    return made


def _score_faces(session: fr.Session, crops: list[Crop], classes: int) -> dict[str, float]:
    """Mean F1 at the logits' resolution, mean NME."""
    histogram = np.zeros((classes, classes), np.int64)
    errors = []
    for crop in crops:
        out = session.run({"image": _normalised(crop.image[None])}, ["logits", "landmarks"])
        histogram += metrics.confusion(
            crop.mask[::2, ::2], out["logits"].numpy()[0].argmax(0).astype(np.uint8), classes
        )
        errors.append(float(metrics.nme(crop.landmarks[None], out["landmarks"].numpy()[..., :2])[0]))
    mean, _ = metrics.mean_defined(metrics.f1(histogram), without=0)
    return {"mean_f1": round(mean, 5), "nme": round(float(np.mean(errors)), 5), "images": len(crops)}


def _score_detector(session: fr.Session, made: list[scenes.Scene]) -> dict[str, float]:
    truths = matched = found = 0
    for scene in made:
        out = session.run({"image": _normalised(scene.image[None])})
        faces = fr._core._decode_faces(
            *(out[name].numpy() for name in ("score", "box", "points")), stride=STRIDE, score_threshold=THRESHOLD
        )
        longer = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(1, initial=0)
        wanted = (longer >= scenes.SMALLEST) & (scene.visible >= scenes.SHOWN)
        boxes, certain = [face["box"] for face in faces], [face["score"] for face in faces]
        truths += int(wanted.sum())
        matched += len(metrics.match_boxes(scene.boxes[wanted], boxes, certain, 0.5))
        found += len(boxes) - len(metrics.match_boxes(scene.boxes[~wanted], boxes, certain, 0.5))
    return {
        "recall": round(matched / max(truths, 1), 5),
        "precision": round(min(matched / max(found, 1), 1.0), 5),
        "scenes": len(made),
    }


def _hold(what: str, lost: float, bar: float) -> None:
    if not lost <= bar:
        raise ExportError(f"{what} differs by {lost:.4f} from float32's; at most {bar:g} was expected")


def _variants(name: str) -> dict[str, str]:
    return {"fp32": f"{name}.onnx", "fp16": f"{name}.fp16.onnx", "int8": f"{name}.int8.onnx"}


def _graphs(
    net: nn.Module, name: str, example: torch.Tensor, outputs: list[str], calibration: list[dict[str, np.ndarray]],
    images: list[dict[str, np.ndarray]], keep: list[str], score: Callable[[fr.Session], dict[str, float]],
    *, free: dict[str, Any] | None = None,
) -> tuple[dict[str, bytes], list[dict[str, Any]], dict[str, dict[str, float]]]:  # fmt: skip
    """The files of all variants, their rows of proof, and what each scores. `keep` stays in float32 in every variant."""
    net = round_weights(copy.deepcopy(net).cpu().float().eval())
    names = _variants(name)
    with tempfile.TemporaryDirectory() as folder:
        at = {variant: Path(folder) / file for variant, file in names.items()}
        full = Path(folder) / "full.onnx"
        export_onnx(net, [example], full, ["image"], outputs, free_axes=free)
        export_onnx(net, [example], at["fp32"], ["image"], outputs, store="fp16", free_axes=free)
        to_fp16(full, at["fp16"], keep=keep)
        quantize_int8(full, at["int8"], calibration, exclude=[*outputs, *keep])
        columns = {"landmarks": ["x", "y", "visible"]} if "landmarks" in outputs else {}
        held = {"landmarks/xy": MOVED} if columns else None
        rows = [compare(net, at["fp32"], columns=columns)]
        rows += [compare(full, at[v], images, max_abs=None, mean_abs=held, columns=columns) for v in ("fp16", "int8")]
        measured = {variant: score(fr.Session(path)) for variant, path in at.items()}
        return {file: (Path(folder) / file).read_bytes() for file in names.values()}, rows, measured


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
