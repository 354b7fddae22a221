"""Meshes that ride on the head (clothes, glasses, hats, jewellery) and objects in front of it: tables/meshes.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from .clothes import clothes
from .eyewear import FRAMES, eyewear, feelers
from .head import Head
from .headwear import headwear
from .jewellery import jewellery
from .mesh_tools import Bound, Patch
from .objects import objects
from .parameters import load_table
from .shoulders import Body
from .write import Described, to_head_frame

# internal classes (cpp/models/forge_head/shading/kinds.h)
LABELS = {"glasses": 6, "earring": 9, "neck": 14, "necklace": 15, "cloth": 16, "hat": 18, "lens": 20, "object": 21}
Shapes = dict[str, tuple[Patch, Bound | None]]  # no binding: the mesh stands free, its origin at the head frame's


def build_shapes(head: Head) -> Shapes:
    body = Body()
    return clothes(head, body) | eyewear(head) | headwear(head, body) | jewellery(head, body) | objects(head)


def build_meshes(head: Head) -> Described:
    """Arrays mesh_* of parts.safetensors (metres, head frame) and their rows (cpp/models/forge_head/model.h, MeshPart)."""
    shapes = build_shapes(head)
    position, uv, bind, weight = [], [], [], []
    triangles: list[np.ndarray] = []
    ranges: dict[str, dict[str, list[int]]] = {}
    place: dict[bytes, list[int]] = {}  # shapes of the same topology share their triangles
    vertex = triangle = 0
    for name, (patch, bound) in sorted(
        shapes.items(), key=lambda item: item[1][1] is None
    ):  # free ones last: no rows of mesh_bind
        count, faces = len(patch.vertices), patch.faces.astype(np.uint16)
        if faces.tobytes() not in place:
            place[faces.tobytes()] = [triangle, len(faces)]
            triangle += len(faces)
            triangles.append(faces)
        ranges[name] = {"vertices": [vertex, count], "triangles": place[faces.tobytes()]}
        vertex += count
        position.append(0.1 * patch.vertices if bound is None else to_head_frame(patch.vertices))
        uv.append(patch.uv)
        if bound is not None:
            bind.append(bound[0])
            weight.append(bound[1])
    arrays = {
        "mesh_position": np.concatenate(position).astype(np.float16),
        "mesh_uv": np.concatenate(uv).astype(np.float16),
        "mesh_bind": np.concatenate(bind).astype(np.uint16),
        "mesh_weight": np.concatenate(weight).astype(np.float16),
        "mesh_triangles": np.concatenate(triangles),
    }
    table = load_table("meshes")
    rows = [_row(row, ranges, table["body"]) for row in table["meshes"]]
    for row in rows:
        if row["material"] in ("glasses", "lens"):
            row["feelers"] = feelers(head, FRAMES[row["name"].removeprefix("dark_").split("_", 1)[1]])
    return Described(arrays, rows)


def _row(row: dict[str, Any], ranges: dict[str, dict[str, list[int]]], body: dict[str, Any]) -> dict[str, Any]:
    """One row of the table with its label as a number and its place in the arrays; several rows may share one shape."""
    kept = {key: value for key, value in row.items() if key not in ("shape", "label", "about")}
    if row["label"] in ("cloth", "neck", "necklace"):
        kept |= {"scale": body["scale"], "pivot_m": body["pivot_m"]}
    return kept | {"label": LABELS[row["label"]]} | ranges[row.get("shape", row["name"])]
