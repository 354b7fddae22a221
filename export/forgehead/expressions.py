"""Expressions as displacement fields on the template: lid curves, a jaw turn, and Gaussian lobes from a table.

An expression row of `tables/expressions.json`:
  blink, wide   [left, right] amounts of the lid curves
  jaw           radians of jaw opening, as displacement
  lobes         list of {at, size, move, ...}: a Gaussian bump of displacement, mirrored to both sides by default
Lobe keys: at [x, y, z?] on |x|; size [x, y, z?]; move [outwards, up, forward]; scale [x, y] contraction towards `at`;
side left | right | both; odd true = the same direction on both sides (not mirrored); only = a mask name (skin, upper,
lower, red, jaw, inside = lower teeth and tongue); above = [y0, y1] smooth limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .curves import eye_rings
from .head import Head
from .parameters import Array, base_parameters, load_table, smoothstep
from .sculpture import Sculpture
from .skinning import rotate_about

JAW_HINGE = np.array([0.0, -0.14, 0.10])
FADE_BEHIND, FULL_BEFORE = 0.0, 0.25  # lobes act on the face, not on the back of the head


@dataclass(frozen=True)
class Expression:
    name: str
    about: str
    displacement: Array  # [V, 3] at weight 1, working unit


class ExpressionBuilder:
    def __init__(self, head: Head, jaw: Array) -> None:
        self.head = head
        self.jaw = jaw
        self.base = base_parameters()
        self.sculpture = Sculpture(self.base)
        self.open_lids = eye_rings(self.base, self.sculpture, head.skin.plan)
        self.masks = self._masks()

    def _masks(self) -> dict[str, Array]:
        """[V] weights that lobes can be limited to."""
        head, skin = self.head, self.head.skin
        _, lip, sine = skin.ring_parameters()
        inside_mouth = lip < 8.0
        q = head.rest[: skin.count]
        spread = 0.05 + 0.8 * np.maximum(np.abs(q[:, 0]) - 0.9 * self.base["mouth.w"], 0.0)  # soft beside the corners
        height = (q[:, 1] - self.base["mouth.y"]) / spread
        above = np.where(inside_mouth, smoothstep(-0.25, 0.25, sine), smoothstep(-1.0, 1.0, height))
        on_skin = np.zeros(head.count)
        on_skin[: skin.count] = 1.0
        upper = np.zeros(head.count)
        upper[: skin.count] = above
        red = np.zeros(head.count)
        red[: skin.count] = np.where(inside_mouth, smoothstep(1.5, 0.9, lip), 0.0)
        return {"skin": on_skin, "upper": upper, "lower": on_skin - upper, "red": red, "jaw": self.jaw,
                "inside": self.jaw * (1.0 - on_skin)}  # fmt: skip

    def lids(self, blink: tuple[float, float], wide: tuple[float, float]) -> Array:
        """[V, 3] displacement of the lid rings (left, right)."""
        skin = self.head.skin
        result = np.zeros((self.head.count, 3))
        for side, start in ((0, 0), (1, skin.eye_size)):
            if blink[side] == 0.0 and wide[side] == 0.0:
                continue
            moved = eye_rings(self.base, self.sculpture, skin.plan, blink[side], wide[side])
            shift = (moved - self.open_lids).reshape(-1, 3)
            result[start : start + skin.eye_size] = shift if side == 0 else shift * [-1, 1, 1]
        return result

    def lobe(self, row: dict[str, Any]) -> Array:
        """[V, 3] displacement of one table row."""
        q = self.head.rest
        sign = np.where(q[:, 0] < 0, -1.0, 1.0)
        place = np.stack([np.abs(q[:, 0]), q[:, 1], q[:, 2]], 1)
        exponent = np.zeros(len(q))
        for axis, (centre, size) in enumerate(zip(row["at"], row["size"], strict=True)):
            exponent += ((place[:, axis] - centre) / size) ** 2
        weight = np.exp(-exponent) * smoothstep(FADE_BEHIND, FULL_BEFORE, q[:, 2]) * self.masks[row.get("only", "skin")]
        weight[weight < 2e-3] = 0.0
        if "above" in row:
            low, high = row["above"]
            weight *= smoothstep(low, high, q[:, 1])
        side = row.get("side", "both")
        if side != "both":
            fade = smoothstep(-0.06, 0.06, q[:, 0])
            weight *= fade if side == "left" else 1.0 - fade
        shift = np.zeros_like(q)
        if "move" in row:
            outwards = np.ones(len(q)) if row.get("odd") else sign * smoothstep(0.0, 0.05, place[:, 0])
            shift += weight[:, None] * np.stack([outwards, np.ones(len(q)), np.ones(len(q))], 1) * row["move"]
        if "scale" in row:
            towards = np.stack([q[:, 0], q[:, 1] - row["at"][1]], 1)
            shift[:, :2] += weight[:, None] * towards * row["scale"]
        return shift

    def build(self, row: dict[str, Any]) -> Expression:
        shift = self.lids(tuple(row.get("blink", (0.0, 0.0))), tuple(row.get("wide", (0.0, 0.0))))
        for lobe in row.get("lobes", ()):
            shift += self.lobe(lobe)
        if row.get("jaw"):
            opened = rotate_about(self.head.rest, JAW_HINGE, row["jaw"])
            shift += self.jaw[:, None] * (opened - self.head.rest)
        return Expression(row["name"], row["about"], shift)

    def all(self) -> list[Expression]:
        return [self.build(row) for row in load_table("expressions")["expressions"]]


def field_displacement(builder: ExpressionBuilder, lobes: tuple[dict[str, Any], ...]) -> Array:
    """[V, 3] of a slider that is a vertex field (asymmetry sliders)."""
    shift = np.zeros_like(builder.head.rest)
    for row in lobes:
        shift += builder.lobe(row)
    return shift
