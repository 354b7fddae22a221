"""Layout `synthforge`: the files of the published data set (spec next3d §18.6), so that code written for it reads ours.

images/NNNNN.png · seg/NNNNN.png in palette colours on white · depth/NNNNN.png 8 bit at a quarter of the size, far = 255, scaled by each
image's own range · annotations/NNNNN.json. Its masks show the bare head mesh, so hair, glasses and hats are not in them. Not in a
ForgeHead and left empty: z, flame_shape, flame_exp (100 and 50 FLAME components). fan_kps and mse are those of the generator plan's detector, where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forge_rt.production import encode
from forge_rt.production.encode import Member
from forge_rt.production.layouts.folders import FoldersLayout
from forge_rt.production.samples import Sample

#: RGB of the 20 classes (spec face_analysis §1.3); background is white in the files, and every colour not in the palette means it
PALETTE = np.array(
    [
        (0xF5, 0xDC, 0xCB), (0x44, 0x0F, 0x85), (0x9D, 0xAB, 0x3B), (0xE4, 0xF1, 0x8F), (0x75, 0x7A, 0xE4),
        (0xE5, 0xA5, 0xE7), (0x00, 0x00, 0xFF), (0xF6, 0x00, 0xFF), (0x8F, 0xA9, 0xD3), (0xD3, 0x8F, 0x8F),
        (0x65, 0x6B, 0x38), (0x00, 0xFF, 0x3C), (0xFC, 0xFF, 0x00), (0x00, 0x88, 0x80), (0xD9, 0x17, 0x17),
        (0x00, 0x2F, 0x99), (0xC6, 0x02, 0xAC), (0x68, 0x35, 0x16), (0x50, 0x44, 0x3D), (0xFF, 0xFF, 0xFF),
    ],
    np.uint8,
)  # fmt: skip


def depth8(depth_m: np.ndarray) -> np.ndarray:
    """[H/4, W/4] uint8: (d - min) / (max - min) · 255, truncated; what is not the head is far, 255."""
    small = depth_m[2::4, 2::4]
    covered = small > 0
    if not covered.any():
        return np.full(small.shape, 255, np.uint8)
    near, far = float(small[covered].min()), float(small[covered].max())
    scaled = (small - near) / max(far - near, 1e-6) * 254.0
    return np.where(covered, scaled, 255).astype(np.uint8)


class SynthForgeLayout(FoldersLayout):
    places: Mapping[str, tuple[str, str]] = {
        "png": ("images", ".png"),
        "seg.png": ("seg", ".png"),
        "depth.png": ("depth", ".png"),
        "json": ("annotations", ".json"),
    }

    def names(self) -> list[str]:
        return ["png", "seg.png", "depth.png", "json"]

    def stem(self, key: str) -> str:
        return f"{int(key):05d}"

    def members(self, sample: Sample, record: dict[str, Any]) -> list[Member]:
        mask, depth = self.source.published_pictures(sample)
        note = {
            "z": [],
            "camera_params": record["camera"]["label25"],
            "flame_shape": [],
            "flame_exp": [],
            "flame_pose": [],
            "2d_kps": [point[:2] for point in record["landmarks_px"]],
            "fan_kps": [],
            "mse": None,
            **self.source.published_parameters(sample),
        }
        return [
            ("png", encode.png(sample.rgb)),
            ("seg.png", encode.png(mask)),
            ("depth.png", encode.png(depth)),
            ("json", encode.dump_json(note)),
        ]
