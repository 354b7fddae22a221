"""Small "faces" bundles whose networks are known exactly: red is skin, green is hair, a bright red square is a face."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import bundles
from onnx_writer import model, node, value_info

CROP, FACE = 64, 40  # pixels of the network's input; side of a face that the detector finds
NORMAL = {"order": "RGB", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3}


def template() -> np.ndarray:
    """68 landmarks in the unit square around 0."""
    points = np.random.default_rng(68).uniform(-0.4, 0.4, (68, 2))
    points[36:42], points[42:48] = (-0.2, -0.2), (0.2, -0.2)
    points[30], points[48], points[54] = (0, 0.05), (-0.15, 0.3), (0.15, 0.3)
    points[0], points[16] = (-0.5, -0.5), (0.5, 0.5)
    return points.astype(np.float32)


def faces_network(classes: int = 3, batch: int | str = "n", landmarks: int = 68) -> bytes:
    """logits: 0, 8 · red, 8 · green, …; landmarks: the template on the red square (centre and area); depth: blue."""
    weight = np.zeros((classes, 3, 1, 1), np.float32)
    for c in range(1, min(classes, 3)):
        weight[c, c - 1] = 8
    axis = ((np.arange(CROP) + 0.5) / CROP).astype(np.float32)
    constants = {
        "weight": weight, "depth_weight": np.array([0, 0, 1], np.float32).reshape(1, 3, 1, 1),
        "red": np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1),
        "x": np.broadcast_to(axis[None, None, None, :], (1, 1, CROP, CROP)).copy(),
        "y": np.broadcast_to(axis[None, None, :, None], (1, 1, CROP, CROP)).copy(),
        "axes": np.array([1, 2, 3]), "tiny": np.array([1e-6], np.float32), "pixels": np.array([1 / CROP**2], np.float32),
        "template": template()[None, :landmarks], "column": np.array([0, 1, 1]), "seen": np.full((1, landmarks, 1), 2, np.float32),
        "zero": np.zeros((1, 1, 1), np.float32),
    }  # fmt: skip
    nodes = [
        node("Conv", ["image", "weight"], ["logits"], kernel_shape=[1, 1]),
        node("Conv", ["image", "depth_weight"], ["depth"], kernel_shape=[1, 1]),
        node("Conv", ["image", "red"], ["signed"], kernel_shape=[1, 1]),
        node("Relu", ["signed"], ["w"]),
        node("ReduceSum", ["w", "axes"], ["total"], keepdims=1),
        node("Add", ["total", "tiny"], ["safe"]),
        node("Mul", ["w", "x"], ["wx"]), node("ReduceSum", ["wx", "axes"], ["sx"], keepdims=1), node("Div", ["sx", "safe"], ["cx"]),
        node("Mul", ["w", "y"], ["wy"]), node("ReduceSum", ["wy", "axes"], ["sy"], keepdims=1), node("Div", ["sy", "safe"], ["cy"]),
        node("Mul", ["total", "pixels"], ["area"]), node("Sqrt", ["area"], ["side4"]),
        node("Squeeze", ["side4", "last"], ["side"]), node("Squeeze", ["cx", "last"], ["cx3"]), node("Squeeze", ["cy", "last"], ["cy3"]),
        node("Concat", ["cx3", "cy3"], ["centre"], axis=2),
        node("Mul", ["side", "template"], ["spread"]), node("Add", ["spread", "centre"], ["xy"]),
        node("Mul", ["side", "zero"], ["none"]), node("Add", ["seen", "none"], ["visible"]),
        node("Concat", ["xy", "visible"], ["landmarks"], axis=2),
    ]  # fmt: skip
    constants["last"] = np.array([3])
    del constants["column"]
    return model(
        nodes,
        [value_info("image", "float32", [batch, 3, CROP, CROP])],
        [
            value_info("logits", "float32", [batch, classes, CROP, CROP]),
            value_info("landmarks", "float32", [batch, landmarks, 3]),
            value_info("depth", "float32", [batch, 1, CROP, CROP]),
        ],
        constants,
        opset=13,
    )


def detector_network() -> bytes:
    """Fires where a red square of FACE pixels is; boxes of that side, points at the template's places."""
    kernel = np.zeros((1, 3, FACE, FACE), np.float32)
    kernel[0, 0] = 40 / FACE**2 / 2  # of values -1..1: mean of red 0..1, times 40
    t = template()
    points = np.stack([t[36], t[42], t[30], t[48], t[54]]).ravel() * 2  # in units of half the face
    constants = {
        "score_w": kernel, "score_b": np.array([20 - 40 * 0.72], np.float32),
        "box_w": np.zeros((4, 3, 8, 8), np.float32), "box_b": np.full(4, np.log(FACE / 2 / 8), np.float32),
        "points_w": np.zeros((10, 3, 8, 8), np.float32), "points_b": points.astype(np.float32),
    }  # fmt: skip
    pad = (FACE - 8) // 2
    return model(
        [
            node(
                "Conv",
                ["image", "score_w", "score_b"],
                ["score"],
                kernel_shape=[FACE, FACE],
                strides=[8, 8],
                pads=[pad] * 4,
            ),
            node("Conv", ["image", "box_w", "box_b"], ["box"], kernel_shape=[8, 8], strides=[8, 8]),
            node("Conv", ["image", "points_w", "points_b"], ["points"], kernel_shape=[8, 8], strides=[8, 8]),
        ],
        [value_info("image", "float32", [1, 3, "h", "w"])],
        [value_info(n, "float32", [1, c, "a", "b"]) for n, c in (("score", 1), ("box", 4), ("points", 10))],
        constants,
        opset=13,
    )


DETECTOR: dict[str, Any] = {
    "input": {"tensor": "image", **NORMAL}, "variants": {"fp32": {"file": "detect.onnx"}},
    "outputs": {"score": "score", "box": "box", "points": "points"},
    "stride": 8, "size": 320, "multiple": 32, "threshold": 0.5, "iou": 0.2,
}  # fmt: skip
FIELDS: dict[str, Any] = {
    "licence": "Apache-2.0",
    "input": {"tensor": "image", "size": [CROP, CROP], **NORMAL, "border": "constant"},
    "crop": {"rule": "five_points", "eyes": 5.0, "mouth": 4.0, "shift": 0.1, "scale": 1.0, "rotate": True, "box": {"scale": 2.0, "shift": [0.0, 0.0]}},
    "variants": {"fp32": {"stages": [{"file": "faces.onnx"}]}},
    "outputs": {
        "parsing": {"tensor": "logits", "kind": "logits", "ignore": []},
        "landmarks": {"tensor": "landmarks", "unit": "crop", "columns": ["x", "y", "visible"]},
        "depth": {"tensor": "depth", "unit": "m", "scale": 2.0, "relative_to": "the sea"},
    },
    "labels": [
        {"id": 0, "name": "background", "color": [0, 0, 0], "mirror": 0},
        {"id": 1, "name": "skin", "color": [255, 0, 0], "mirror": 1},
        {"id": 2, "name": "hair", "color": [0, 255, 0], "mirror": 2},
    ],
    "side": "subject",
    "detector": DETECTOR,
}  # fmt: skip


def fields(**changes: Any) -> dict[str, Any]:
    """FIELDS with members replaced; None removes one."""
    out = copy.deepcopy(FIELDS)
    for name, value in changes.items():
        if value is None:
            del out[name]
        else:
            out[name] = value
    return out


def write_faces(path: Path, manifest: dict[str, Any] | None = None, **files: bytes) -> Path:
    """A bundle; `files` by name without .onnx."""
    graphs = {"faces": faces_network(), "detect": detector_network(), **files}
    bundles.write(path, "faces", {f"{name}.onnx": data for name, data in graphs.items()}, manifest or fields())
    return path


def picture(width: int, height: int, *squares: tuple[float, ...]) -> np.ndarray:
    """Black, with red squares (left, top[, side]); fractions of a pixel are blended."""
    out = np.zeros((height, width, 3), np.float64)
    for left, top, *rest in squares:
        side = rest[0] if rest else FACE
        x = np.clip(np.minimum(np.arange(width) + 1, left + side) - np.maximum(np.arange(width), left), 0, 1)
        y = np.clip(np.minimum(np.arange(height) + 1, top + side) - np.maximum(np.arange(height), top), 0, 1)
        out[:, :, 0] = np.maximum(out[:, :, 0], 255 * y[:, None] * x[None])
    return out.round().astype(np.uint8)
