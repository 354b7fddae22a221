"""Writes fake.forge: a bundle of family "faces" with networks of a few numbers, so that tests need no trained ones.

    python tests/capi/make_fake_bundle.py [FOLDER]

A bright blob of about 40 pixels is a face. Its pixels are class 1 where they are bright, 2 where they are much redder than blue, else 0;
the landmarks lie on a ring around the crop's middle, and depth follows the brightness. Bytes are a function of this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from forge_rt import bundles
from onnx_writer import model, node, value_info

CROP = 32  # side of the parser's input
CLASSES = (("background", (0, 0, 0)), ("skin", (204, 178, 153)), ("lip", (200, 60, 60)))


def floats(*values: float, shape: tuple[int, ...] | None = None) -> np.ndarray:
    array = np.array(values, np.float32)
    return array if shape is None else array.reshape(shape)


def detector() -> bytes:
    """Score: how bright the 40 pixels around a cell are, above 0 from about 80 % of them on. Boxes of 40 pixels, points of an upright face."""
    size, stride = 40, 8
    reach = float(np.log(size / 2 / stride))
    points = floats(-0.4, -0.3, 0.4, -0.3, 0.0, 0.1, -0.3, 0.5, 0.3, 0.5)
    return model(
        [
            node("AveragePool", ["image"], ["around"], kernel_shape=[size, size], strides=[stride, stride], pads=[16] * 4, count_include_pad=1),
            node("Conv", ["around", "bright", "threshold"], ["score"]),
            node("Conv", ["around", "none4", "reach"], ["box"]),
            node("Conv", ["around", "none10", "where"], ["points"]),
        ],
        [value_info("image", "float32", ["n", 3, "h", "w"])],
        [value_info("score", "float32", ["n", 1, "y", "x"]), value_info("box", "float32", ["n", 4, "y", "x"]),
         value_info("points", "float32", ["n", 10, "y", "x"])],
        {"bright": np.full((1, 3, 1, 1), 8, np.float32), "threshold": floats(-13), "none4": np.zeros((4, 3, 1, 1), np.float32),
         "reach": floats(*[reach] * 4), "none10": np.zeros((10, 3, 1, 1), np.float32), "where": points},
    )  # fmt: skip


def parser() -> bytes:
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    ring = np.stack([0.5 + 0.3 * np.sin(angle), 0.5 - 0.3 * np.cos(angle), np.full(68, 2.0)], 1).astype(np.float32)
    return model(
        [
            node("Conv", ["image", "colours", "offsets"], ["logits"]),
            node("Conv", ["image", "grey", "middle"], ["depth"]),
            node("GlobalAveragePool", ["image"], ["mean"]),
            node("Flatten", ["mean"], ["flat"]),
            node("Gemm", ["flat", "drift", "ring"], ["points"]),
            node("Reshape", ["points", "shape"], ["landmarks"]),
        ],
        [value_info("image", "float32", ["n", 3, CROP, CROP])],
        [value_info("logits", "float32", ["n", 3, CROP, CROP]), value_info("landmarks", "float32", ["n", 68, 3]),
         value_info("depth", "float32", ["n", 1, CROP, CROP])],
        {"colours": floats(0, 0, 0, 2, 2, 2, 8, 0, -8, shape=(3, 3, 1, 1)), "offsets": floats(0, 0, -4),
         "grey": floats(0.01, 0.01, 0.01, shape=(1, 3, 1, 1)), "middle": floats(0.5),
         "drift": np.full((3, 204), 1e-3, np.float32), "ring": ring.reshape(-1), "shape": np.array([0, 68, 3], np.int64)},
    )  # fmt: skip


def write(folder: Path) -> str:
    pixels = {"tensor": "image", "order": "RGB", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3}
    fields = {
        "licence": "Apache-2.0",
        "provenance": "tests/capi/make_fake_bundle.py",
        "input": {**pixels, "size": [CROP, CROP], "border": "constant"},
        "crop": {"rule": "five_points", "eyes": 4.0, "mouth": 3.6, "shift": 0.1, "scale": 1.1, "rotate": True,
                 "box": {"scale": 1.9, "shift": [0.0, -0.08]}},
        "variants": {"fp32": {"stages": [{"file": "faces.onnx"}]}},
        "outputs": {
            "parsing": {"tensor": "logits", "kind": "logits", "ignore": []},
            "landmarks": {"tensor": "landmarks", "unit": "crop", "columns": ["x", "y", "visible"]},
            "depth": {"tensor": "depth", "unit": "m", "scale": 1.0},
        },
        "labels": [{"id": i, "name": name, "color": list(color), "mirror": i} for i, (name, color) in enumerate(CLASSES)],
        "side": "subject",
        "detector": {
            "input": pixels,
            "variants": {"fp32": {"file": "detect.onnx"}},
            "outputs": {"score": "score", "box": "box", "points": "points"},
            "stride": 8, "size": 320, "multiple": 32, "threshold": 0.5, "iou": 0.4,
        },
    }  # fmt: skip
    return bundles.write(folder, "faces", {"faces.onnx": parser(), "detect.onnx": detector()}, fields, name="fake")


if __name__ == "__main__":
    print(write(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("fake.forge"))))
