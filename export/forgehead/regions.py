"""Semantic regions of the skin as functions of the template position; labels are thresholds on them."""

from __future__ import annotations

import numpy as np

from .parameters import Array, load_table

NOSE_HEIGHTS = (-0.48, -0.44, -0.38, -0.26, -0.14, 0.04)
NOSE_HALF_WIDTHS = (0.08, 0.150, 0.168, 0.120, 0.080, 0.055)
BROW_START, BROW_LENGTH, BROW_HEIGHT = 0.095, 0.385, 0.198
BROW_ARCH, BROW_DROP, BROW_HALF_WIDTH = 0.050, 0.04, 0.043


def label_ids() -> dict[str, int]:
    return {row["name"]: row["id"] for row in load_table("labels")["labels"]}


def brow_line(share: Array) -> Array:
    """Height of the brow's centre line, share 0 (at the nose) .. 1 (at the temple)."""
    share = np.clip(share, 0.0, 1.0)
    return BROW_HEIGHT + BROW_ARCH * np.sin(np.pi * 0.82 * share) - BROW_DROP * np.clip(share - 0.7, 0.0, None)


def brow_coordinates(q: Array) -> tuple[Array, Array]:
    """Position [N, 3] -> (along: 0 at the nose .. 1 at the temple, across: -1 .. 1 inside the brow)."""
    along = (np.abs(q[:, 0]) - BROW_START) / BROW_LENGTH
    inside = np.clip(along, 0.0, 1.0)
    half_width = BROW_HALF_WIDTH * (1.0 - 0.74 * inside**1.8)
    return along, (q[:, 1] - brow_line(along)) / half_width


def is_brow(q: Array) -> np.ndarray:
    along, across = brow_coordinates(q)
    rounded = np.minimum(1.0, np.sqrt(np.clip((along + 0.02) / 0.10, 0.0, 1.0)))
    return (along > -0.02) & (along < 1.0) & (np.abs(across) < rounded) & (q[:, 2] > 0.3)


def is_nose(q: Array) -> np.ndarray:
    half_width = np.interp(q[:, 1], NOSE_HEIGHTS, NOSE_HALF_WIDTHS)
    inside = (q[:, 1] > NOSE_HEIGHTS[0]) & (q[:, 1] < NOSE_HEIGHTS[-1]) & (q[:, 2] > 0.68)
    return inside & (np.abs(q[:, 0]) < half_width)


def is_neck(q: Array) -> np.ndarray:
    """Below the jaw line in front, below the ear line behind."""
    y, z = q[:, 1], q[:, 2]
    jaw_line = -1.16 + 0.36 * np.clip((0.75 - z) / 0.7, 0.0, 1.0)
    return np.where(z > 0.05, y < jaw_line, y < -0.55)


def skin_labels(q: Array, lid: Array, lip: Array, sine: Array) -> np.ndarray:
    """[N] class ids of skin points. `lid`, `lip`: ring parameters (9 elsewhere), `sine` of the ring angle (0 off it).

    The strip behind the lid margin (caruncle, tear line) counts as eye: the eye label ends at the margin.
    """
    ids = label_ids()
    result = np.full(len(q), ids["skin"])
    result[is_neck(q)] = ids["neck"]
    result[is_nose(q)] = ids["nose"]
    brow = is_brow(q)
    result[brow & (q[:, 0] > 0)] = ids["l_brow"]
    result[brow & (q[:, 0] <= 0)] = ids["r_brow"]
    left = q[:, 0] > 0
    result[(lid < -0.02) & left] = ids["l_eye"]
    result[(lid < -0.02) & ~left] = ids["r_eye"]
    on_lip = lip < 1.0
    result[on_lip & (sine >= 0)] = ids["u_lip"]
    result[on_lip & (sine < 0)] = ids["l_lip"]
    return result
