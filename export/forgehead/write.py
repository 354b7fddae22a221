"""Writes the bundle: the only place that knows metres and the head frame."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from .parameters import TABLES, Array, load_table, sliders
from .parts import EYE_LAST_ANGLE, IRIS_ANGLE

METRES = 0.1


@dataclass(frozen=True)
class Described:
    """Arrays of one file and the rows of bundle.json that name their parts."""

    arrays: dict[str, np.ndarray]
    rows: list[dict[str, Any]]


ORIGIN_SHIFT = np.array([0.0, 0.03, -0.035])  # metres: pupils at y = 0.03, origin near the head's centre


def to_head_frame(points: Array) -> Array:
    """Working unit -> metres in the head frame (FLAME's axes)."""
    return points * METRES + ORIGIN_SHIFT


def describe_parts() -> list[dict[str, Any]]:
    labels = {row["name"]: row["id"] for row in load_table("labels")["labels"]}
    return [
        {"name": row["name"], "label": labels[row["label"]]} | ({"chart": row["chart"]} if "chart" in row else {})
        for row in load_table("parts")["parts"]
    ]


def _save(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Writes one file; returns its row of bundle.json's `files`."""
    path = folder / name
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, path)
    path.chmod(0o644)
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def option_sets() -> list[dict[str, Any]]:
    """The discrete sets of tables/options_*.json, in the order of the file names."""
    tables = sorted(path.stem for path in TABLES.glob("options_*.json"))
    return [row for name in tables for row in load_table(name)["sets"]]


def write_bundle(folder: Path, arrays: dict[str, np.ndarray], meshes: Described, strands: Described,
                 expressions: list[dict[str, str]], provenance: dict[str, Any],
                 blink_gain: list[float]) -> dict[str, Any]:  # fmt: skip
    """Writes the arrays and `bundle.json`; returns the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"head.safetensors": _save(folder, "head.safetensors", arrays)}
    files["parts.safetensors"] = _save(folder, "parts.safetensors", meshes.arrays)
    files["strands.safetensors"] = _save(folder, "strands.safetensors", strands.arrays)
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
        "meshes": meshes.rows,
        "strands": strands.rows,
        "sets": option_sets(),
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
        },
        "licence": "Apache-2.0",
        "provenance": provenance,
        "files": files,
    }  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(bundle, indent=1) + "\n")
    return bundle
