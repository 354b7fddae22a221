"""Guide strands of hair styles, brows, lashes and beards, as tables/strands.json describes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .beards import beard
from .binding import bind
from .brows import brow, lash
from .hair_styles import Scalp, bun, crowded, grow, parted
from .hairline import hair_distance
from .head import Head
from .parameters import Array, load_table
from .skinning import jaw_share
from .write import Described, to_head_frame

RIBBON_KEYS = (
    "locks", "segments", "width_m", "tip_width", "ragged", "depth_m", "clump", "clumps", "curl", "curl_m",
    "curl_pitch_m", "stray_m", "start", "parallel",
)  # fmt: skip
SCALP_REACH = -0.05  # hair hangs on the scalp, not on the face it covers


class _Table:
    """Collects the groups: rows of points, cells, and their descriptions."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.points: list[Array] = []
        self.bound: list[np.ndarray] = []
        self.weight: list[Array] = []
        self.cells: list[np.ndarray] = []
        self.rows: list[dict[str, Any]] = []
        self.row = self.cell = 0

    def add(
        self,
        name: str,
        material: str,
        guides: Array,
        cells: np.ndarray,
        split: np.ndarray | None,
        row: dict[str, Any],
        mirror: str,
        eligible: np.ndarray | None,
        bound: tuple[np.ndarray, Array] | None = None,
    ) -> None:
        """One group; of `guides` [G, P, 3] the first half is stored when mirror is "both"."""
        stored = guides[: len(guides) // 2] if mirror == "both" else guides
        flat = stored.reshape(-1, 3)
        if bound is None:
            assert eligible is not None
            bound = bind(self.head, flat, eligible)
        flags = np.zeros(len(cells), int) if split is None else split
        self.points.append(flat)
        self.bound.append(bound[0].reshape(-1, 3))
        self.weight.append(bound[1].reshape(-1, 3))
        self.cells.append(np.concatenate([cells, flags[:, None]], 1))
        described = {
            "name": name,
            "material": material,
            "row": self.row,
            "guides": len(guides),
            "points": guides.shape[1],
            "cells": [self.cell, len(cells)],
            "mirror": mirror,
        }
        described |= {key: row[key] for key in RIBBON_KEYS if key in row}
        if material == "hair" and row.get("behind_hairline", True):
            described["behind_hairline"] = True
        self.rows.append(described)
        self.row += len(flat)
        self.cell += len(cells)

    def repeat_mirrored(self, name: str) -> None:
        """The last group again, left and right exchanged."""
        self.rows.append(self.rows[-1] | {"name": name, "mirror": "flip"})

    def described(self) -> Described:
        arrays = {
            "guide_points": to_head_frame(np.concatenate(self.points)).astype(np.float16),
            "guide_bind": np.concatenate(self.bound).astype(np.uint16),
            "guide_weight": np.concatenate(self.weight).astype(np.float16),
            "guide_cells": np.concatenate(self.cells).astype(np.uint16),
        }
        return Described(arrays, self.rows)


def build_strands(head: Head) -> Described:
    """Arrays guide_* of strands.safetensors and their rows (cpp/models/forge_head/model.h, StrandGroup)."""
    table = load_table("strands")
    out = _Table(head)
    on_skin = np.arange(head.count) < head.skin.count
    lid, lip, _ = head.skin.ring_parameters()
    smooth = on_skin.copy()
    smooth[: head.skin.count] &= (lid > 0.3) & (lip > 0.9)
    widest = table["hairlines"][table["widest"]]
    back = (head.rest[:, 1] < -0.2) & (head.rest[:, 2] < -0.1)
    still = on_skin & (jaw_share(head) < 0.1) & ((hair_distance(head.rest, widest) > SCALP_REACH) | back)
    scalp = Scalp(head, widest)
    for row in table["hair"]:
        style = table["defaults"]["hair"] | row
        if style.get("kind") == "bun":
            guides = bun(style)
            i = np.arange(len(guides))
            cells = np.stack([i, (i + 1) % len(i), (i + 2) % len(i)], 1)
            out.add(style["name"], "hair", guides, cells, None, style | {"behind_hairline": False}, "none", still)
            continue
        guides = grow(scalp, style)
        split = parted(guides, scalp.cells)
        often = crowded(scalp.cells, scalp.roots, style["crowd"])
        out.add(
            style["name"], "hair", guides, scalp.cells[often], split[often], style, style.get("mirror", "none"), still
        )
        if "flip" in style:
            out.repeat_mirrored(style["flip"])
    for row in table["brows"]:
        guides, cells = brow(row)
        out.add(f"brow_{row['name']}", "brow", guides, cells, None, table["defaults"]["brow"] | row, "both", smooth)
    for row in table["lashes"]:
        guides, cells, anchors, weights = lash(head, row)
        out.add(
            row["name"], "lash", guides, cells, None, table["defaults"]["lash"] | row, "both", None, (anchors, weights)
        )
    for row in table["beards"]:
        style = table["defaults"]["beard"] | row
        guides, cells = beard(head, scalp.body, style)
        out.add(style["name"], "beard", guides, cells, None, style, "both", smooth)
    return out.described()
