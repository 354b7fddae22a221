"""Triangle lists of regular vertex grids. Vertex index = row * columns + column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


def sheet(rows: int, columns: int, closed: bool) -> Index:
    """[2 (rows - 1) columns, 3] quads split in two; `closed` joins the last column to the first.

    Counter-clockwise when columns run counter-clockwise around and rows go outwards.
    """
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    here = (row * columns + column).ravel()
    beside = (row * columns + (column + 1) % columns).ravel()
    lower = np.stack([here, here + columns, beside], 1)
    upper = np.stack([beside, here + columns, beside + columns], 1)
    return np.stack([lower, upper], 1).reshape(-1, 3)


def polar(rings: int, columns: int) -> Index:
    """Vertex 0 is the pole, then `rings` rings of `columns` vertices, counter-clockwise seen from outside the pole."""
    column = np.arange(columns)
    fan = np.stack([np.zeros(columns, int), 1 + column, 1 + (column + 1) % columns], 1)
    return np.concatenate([fan, 1 + sheet(rings, columns, closed=True)])


def ring_mirror(columns: int) -> Index:
    """Mirror of a closed ring whose vertex 0 lies at angle 0 (the +x side): angle -> pi - angle."""
    return (columns // 2 - np.arange(columns)) % columns


def rows_mirror(rows: int, row_mirror: Index) -> Index:
    """The same mirror for every row of a grid."""
    return (np.arange(rows)[:, None] * len(row_mirror) + row_mirror[None]).ravel()


def with_pole(mirror: Index) -> Index:
    """Adds a leading pole vertex that mirrors onto itself."""
    return np.concatenate([[0], 1 + mirror])


def outward(vertices: NDArray[np.float64], faces: Index, reference: NDArray[np.float64]) -> Index:
    """The faces, all reversed if most of their area looks towards `reference` ([3] or one point per face)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    looking_out = (np.cross(b - a, c - a) * ((a + b + c) / 3.0 - reference)).sum()
    return faces if looking_out >= 0.0 else faces[:, ::-1]
