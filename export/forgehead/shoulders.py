"""Shoulders under a crew neck: a loft from inside the collar over the trapezius to the upper arms."""

from __future__ import annotations

import numpy as np

from .accessories import Accessory
from .grids import ring_mirror, rows_mirror, sheet

# per ring: half width, half depth, height at the side, centre z, drop towards the front, drop towards the back
RINGS = (
    (0.46, 0.43, -1.68, -0.39, 0.16, 0.00),
    (0.57, 0.515, -1.53, -0.39, 0.20, 0.00),
    (0.61, 0.555, -1.55, -0.39, 0.21, 0.01),
    (0.77, 0.64, -1.63, -0.40, 0.25, 0.06),
    (1.12, 0.78, -1.77, -0.40, 0.33, 0.16),
    (1.52, 0.88, -1.93, -0.42, 0.38, 0.22),
    (1.84, 0.88, -2.22, -0.42, 0.28, 0.18),
    (1.97, 0.84, -2.66, -0.40, 0.12, 0.08),
    (1.98, 0.88, -3.25, -0.38, 0.0, 0.0),
)
SQUARENESS = (0.0, 0.0, 0.0, 0.02, 0.06, 0.10, 0.14, 0.14, 0.12)


def shoulders(columns: int) -> Accessory:
    angle = np.arange(columns) * 2 * np.pi / columns
    c, s = np.cos(angle), np.sin(angle)
    rings = []
    for (half_width, half_depth, height, middle, front, back), square in zip(RINGS, SQUARENESS, strict=True):
        drop = front * np.clip(s, 0, 1) ** 2 + back * np.clip(-s, 0, 1) ** 2
        widen = np.maximum(np.abs(c), 0.05) ** -square
        rings.append(np.stack([half_width * c * widen, height - drop, middle + half_depth * s], -1))
    vertices = np.concatenate([*rings, [[0.0, RINGS[-1][2], -0.40]]])
    loft = sheet(len(RINGS), columns, closed=True)[:, ::-1]
    last, pole = (len(RINGS) - 1) * columns, len(RINGS) * columns
    column = np.arange(columns)
    cap = np.stack([last + column, last + (column + 1) % columns, np.full(columns, pole)], 1)
    mirror = np.concatenate([rows_mirror(len(RINGS), ring_mirror(columns)), [pole]])
    radius = np.linspace(0.12, 1.0, len(RINGS))[:, None]
    uv = np.concatenate([np.stack([radius * c, -radius * s], -1).reshape(-1, 2), [[0.0, -1.0]]])
    return Accessory(vertices, np.concatenate([loft, cap]), mirror, uv)
