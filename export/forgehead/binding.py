"""Binds points of the template to the skin, so that they follow every identity and expression."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .grids import Index
from .head import Head
from .parameters import Array

CANDIDATES = 10  # nearest triangles (by centre) that are tried


def closest_on_triangles(points: Array, a: Array, b: Array, c: Array) -> Array:
    """[..., 3] barycentrics of the point of each triangle that is closest to each point (Ericson 2005, 5.1.5)."""
    ab, ac, ap = b - a, c - a, points - a
    d1, d2 = (ab * ap).sum(-1), (ac * ap).sum(-1)
    bp, cp = points - b, points - c
    d3, d4 = (ab * bp).sum(-1), (ac * bp).sum(-1)
    d5, d6 = (ab * cp).sum(-1), (ac * cp).sum(-1)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    tiny = 1e-15
    total = np.where(np.abs(va + vb + vc) < tiny, tiny, va + vb + vc)
    v, w = vb / total, vc / total
    # the closest point of each edge, where the inside formula does not hold
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    along_ab = np.clip(d1 / np.maximum(d1 - d3, tiny), 0, 1)
    along_ac = np.clip(d2 / np.maximum(d2 - d6, tiny), 0, 1)
    along_bc = np.clip((d4 - d3) / np.maximum((d4 - d3) + (d5 - d6), tiny), 0, 1)
    zero = np.zeros_like(v)
    options = np.stack([
        np.stack([1 - along_ab, along_ab, zero], -1),
        np.stack([1 - along_ac, zero, along_ac], -1),
        np.stack([zero, 1 - along_bc, along_bc], -1),
    ])  # fmt: skip
    spots = options[..., :1] * a + options[..., 1:2] * b + options[..., 2:] * c
    best = np.argmin(((spots - points) ** 2).sum(-1), axis=0)
    edge = np.take_along_axis(options, best[None, ..., None], 0)[0]
    return np.where(inside[..., None], np.stack([1 - v - w, v, w], -1), edge)


def bind(head: Head, points: Array, eligible: np.ndarray) -> tuple[Index, Array]:
    """Closest points on the triangles with all corners `eligible` [V]: vertex ids [N, 3] and barycentrics [N, 3]."""
    faces = head.faces[eligible[head.faces].all(1)]
    corners = head.rest[faces]
    _, near = cKDTree(corners.mean(1)).query(points, k=CANDIDATES)
    a, b, c = (corners[near][:, :, k] for k in range(3))
    share = closest_on_triangles(points[:, None], a, b, c)
    spot = (share[..., None] * np.stack([a, b, c], 2)).sum(2)
    best = np.argmin(((spot - points[:, None]) ** 2).sum(-1), axis=1)
    rows = np.arange(len(points))
    return faces[near[rows, best]], share[rows, best]
