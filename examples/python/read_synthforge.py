"""Reads layout `synthforge` as code written for the published data set does: colours to classes, 8-bit depth, `2d_kps`.

forge-rt generate --out faces --count 100 --layout synthforge
python read_synthforge.py faces
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

#: classes 0..18; what is near none of these colours is background, 19
COLORS = """f5dccb 440f85 9dab3b e4f18f 757ae4 e5a5e7 0000ff f600ff 8fa9d3 d38f8f 656b38 00ff3c fcff00 008880 d91717 002f99 c602ac 683516 50443d"""
PALETTE = np.array([list(bytes.fromhex(color)) for color in COLORS.split()], np.uint8)


def lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb.astype(np.float32).reshape(1, -1, 3) / 255, cv2.COLOR_RGB2LAB)[0]


def classes(seg: np.ndarray) -> np.ndarray:
    """[H, W, 3] RGB → [H, W] class ids: CIELAB distance below 2.3 to the palette, each mask grown by one pixel, the first that covers wins."""
    distance = np.linalg.norm(lab(seg)[:, None] - lab(PALETTE)[None], axis=2).reshape(*seg.shape[:2], -1)
    masks = np.stack(
        [cv2.dilate((distance[..., k] < 2.3).astype(np.uint8), np.ones((3, 3), np.uint8)) for k in range(19)]
    )
    return np.where(masks.any(0), masks.argmax(0), 19)


def read(folder: str, i: int) -> dict:
    root = Path(folder)
    note = json.loads((root / f"annotations/{i:05d}.json").read_text())
    return {
        "image": cv2.imread(str(root / f"images/{i:05d}.png"))[..., ::-1],
        "labels": classes(cv2.imread(str(root / f"seg/{i:05d}.png"))[..., ::-1]),
        "depth": cv2.imread(str(root / f"depth/{i:05d}.png"), cv2.IMREAD_UNCHANGED) / 255.0,
        "landmarks": np.array(note["2d_kps"], np.float32),
        "camera": np.array(note["camera_params"], np.float32),
    }


if __name__ == "__main__":
    sample = read(sys.argv[1], 0)
    print({name: values.shape for name, values in sample.items()}, "classes", np.unique(sample["labels"]))
