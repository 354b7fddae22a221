"""Writes the bundle: the only place that knows metres and the head frame."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from .parameters import Array, load_table, sliders
from .parts import EYE_LAST_ANGLE, IRIS_ANGLE

METRES = 0.1
ORIGIN_SHIFT = np.array([0.0, 0.03, -0.035])  # metres: pupils at y = 0.03, origin near the head's centre


def to_head_frame(points: Array) -> Array:
    """Working unit -> metres in the head frame (FLAME's axes)."""
    return points * METRES + ORIGIN_SHIFT


def describe_parts() -> list[dict[str, Any]]:
    labels = {row["name"]: row["id"] for row in load_table("labels")["labels"]}
    return [
        {"name": row["name"], "label": labels[row["label"]], "group": row["group"]}
        | ({"chart": row["chart"]} if "chart" in row else {})
        for row in load_table("parts")["parts"]
    ]


def write_bundle(folder: Path, arrays: dict[str, np.ndarray], expressions: list[dict[str, str]],
                 provenance: dict[str, Any], blink_gain: list[float]) -> dict[str, Any]:  # fmt: skip
    """Writes `head.safetensors` and `bundle.json`; returns the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "head.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, weights)
    weights.chmod(0o644)
    content = weights.read_bytes()
    parts_table = load_table("parts")
    bundle = {
        "format_version": 1,
        "family": "head",
        "name": "forgehead",
        "n_shape": len(sliders()),
        "n_expression": len(expressions),
        "unit": "metre",
        "frame": "y up, z out of the face, +x = the subject's left; pupils at y = 0.03",
        "sliders": [
            {"name": s.name, "region": s.region, "default": 0, "min": s.minimum, "max": s.maximum, "about": s.about}
            for s in sliders()
        ],
        "expressions": expressions,
        "parts": describe_parts(),
        "labels": load_table("labels")["labels"],
        "joints": parts_table["joints"],
        "landmark_contour": "row a = head turned a degrees about +y (face towards the subject's left = image right); "
        "row 39 - a for negative a; points 0-16 from image left to right",
        "blink_gain": {
            "about": "opening of an identity's lids against the neutral one: 1 + sum(gain * slider); "
            "a blink of 1 closes the prior's heads, this weight closes any other",
            "gain": blink_gain,
        },
        "charts": {
            "skin": parts_table["skin_chart"],
            "eye": {"about": "disc in the part's chart [u, v, half width, half height]: centre = pupil, "
                    "radius 1 = last_angle radians from the optical axis",
                    "last_angle": EYE_LAST_ANGLE, "iris_angle": IRIS_ANGLE},
            "hair": {"about": "disc in the part's chart: radius = along the strand (0 crown, 1 tip), "
                     "angle = around the head (down = forward)"},
        },
        "licence": "Apache-2.0",
        "provenance": provenance,
        "files": {weights.name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}},
    }  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(bundle, indent=1) + "\n")
    return bundle
