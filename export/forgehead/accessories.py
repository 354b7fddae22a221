"""Meshes that ride on the head: shoulders and glasses (hair: hair.py). Built on the base head, moved with the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .grids import Index, outward, ring_mirror, rows_mirror, sheet
from .parameters import Array, Parameters
from .template import FLIP


@dataclass(frozen=True)
class Accessory:
    """A mesh with its chart coordinates in -1..1. Face order is made outward by the caller, except for tubes."""

    vertices: Array
    faces: Index
    mirror: Index
    uv: Array


def _grid_uv(rows: int, columns: int) -> Array:
    v, u = np.meshgrid(np.linspace(1.0, -1.0, rows), np.linspace(-1.0, 1.0, columns), indexing="ij")
    return np.stack([u.ravel(), v.ravel()], 1)


# ---------------------------------------------------------------- shoulders
# per ring: half width, half depth, height, how square the outline is
SHOULDER_RINGS = (
    (0.40, 0.42, -1.50, 0.0), (0.56, 0.55, -1.45, 0.0), (0.61, 0.60, -1.50, 0.0), (0.72, 0.66, -1.60, 0.05),
    (1.20, 0.80, -1.82, 0.12), (1.72, 0.92, -2.18, 0.12), (1.90, 0.98, -2.75, 0.10), (1.85, 0.95, -3.25, 0.10),
)  # fmt: skip


def shoulders(columns: int) -> Accessory:
    """A lofted bust from inside the collar down, closed below."""
    angle = np.arange(columns) * 2 * np.pi / columns
    c, s = np.cos(angle), np.sin(angle)
    rings = []
    for k, (half_width, half_depth, height, square) in enumerate(SHOULDER_RINGS):
        dip = 0.16 * np.clip(s, 0, 1) ** 2 if k < 4 else 0.0 * s
        widen = np.maximum(np.abs(c), 0.05) ** -square
        rings.append(np.stack([half_width * c * widen, height - dip, -0.40 + half_depth * s], -1))
    vertices = np.concatenate([*rings, [[0.0, SHOULDER_RINGS[-1][2], -0.40]]])
    loft = sheet(len(SHOULDER_RINGS), columns, closed=True)[:, ::-1]
    last, pole = (len(SHOULDER_RINGS) - 1) * columns, len(SHOULDER_RINGS) * columns
    column = np.arange(columns)
    cap = np.stack([last + column, last + (column + 1) % columns, np.full(columns, pole)], 1)
    mirror = np.concatenate([rows_mirror(len(SHOULDER_RINGS), ring_mirror(columns)), [pole]])
    radius = np.linspace(0.12, 1.0, len(SHOULDER_RINGS))[:, None]
    uv = np.stack([radius * c, -radius * s], -1).reshape(-1, 2)
    uv = np.concatenate([uv, [[0.0, -1.0]]])
    return Accessory(vertices, np.concatenate([loft, cap]), mirror, uv)


# ---------------------------------------------------------------- glasses
def glasses(p: Parameters, lid_front: float, ear_top: Array, columns: int, sides: int = 4) -> Accessory:
    """Round frames: two lens rings, a bridge, two temples. `lid_front` = largest z of the lids."""
    angle = np.arange(columns) * 2 * np.pi / columns
    centre = np.array([p["eye.x"] + 0.005, p["eye.y"] - 0.03])
    z = lid_front + 0.09
    lens = np.stack([centre[0] + 0.235 * np.cos(angle), centre[1] + 0.215 * np.sin(angle), np.full(columns, z)], -1)
    lens[:, 2] -= 0.5 * np.maximum(lens[:, 0] - 0.1, 0.0) ** 2
    outer, inner = lens[0], lens[columns // 2]
    temple = np.array([
        np.add(outer, [0.0, 0.03, 0.0]),
        np.add(outer, [0.06, 0.035, -0.10]),
        [ear_top[0] - 0.05, outer[1] + 0.02, ear_top[2] + 0.25],
        [ear_top[0] - 0.04, outer[1] - 0.08, ear_top[2] - 0.04],
    ])  # fmt: skip
    half_bridge = np.array([inner, [0.6 * inner[0], inner[1] + 0.05, z + 0.015]])
    bridge = np.concatenate([half_bridge, (half_bridge * FLIP)[::-1]])

    meshes, mirrors, uvs, count = [], [], [], 0
    vertices = []
    tubes = ((lens, 0.016, True, True), (temple, 0.014, False, True), (bridge, 0.014, False, False))
    for path, radius, closed, paired in tubes:
        tube, faces = _tube(path, radius, sides, closed)
        uv = _grid_uv(len(path), sides)
        if paired:
            size = len(tube)
            vertices += [tube, tube * FLIP]
            meshes += [faces + count, (faces + count + size)[:, ::-1]]
            mirrors += [np.arange(size) + count + size, np.arange(size) + count]
            uvs += [uv, uv]
            count += 2 * size
        else:
            flip = cKDTree(tube).query(tube * FLIP)[1]
            vertices.append(0.5 * (tube + tube[flip] * FLIP))
            meshes.append(faces + count)
            mirrors.append(flip + count)
            uvs.append(uv)
            count += len(tube)
    return Accessory(np.concatenate(vertices), np.concatenate(meshes), np.concatenate(mirrors), np.concatenate(uvs))


def _tube(path: Array, radius: float, sides: int, closed: bool) -> tuple[Array, Index]:
    """[n * sides, 3] square or round tube around a polyline; faces outwards."""
    tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        tangent[0], tangent[-1] = path[1] - path[0], path[-1] - path[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    reference = np.array([0.0, 0.0, 1.0]) if closed else np.array([0.0, 1.0, 0.0])
    across = np.cross(tangent, reference)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(tangent, across)
    turn = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    ring = np.cos(turn)[None, :, None] * across[:, None] + np.sin(turn)[None, :, None] * other[:, None]
    vertices = (path[:, None] + radius * ring).reshape(-1, 3)
    faces = sheet(len(path) + closed, sides, closed=True) % len(vertices)
    return vertices, outward(vertices, faces, path[faces[:, 0] // sides])


# ---------------------------------------------------------------- riding on the skin
def attachment(vertices: Array, skin: Array, reach: float, neighbours: int = 48) -> sp.csr_matrix:
    """[A, S] rows that sum to 1: each accessory vertex moves with a Gaussian mean of nearby skin vertices."""
    distance, index = cKDTree(skin).query(vertices, k=neighbours)
    width = reach + 0.7 * distance[:, :1]
    weight = np.exp(-((distance / width) ** 2))
    weight /= weight.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(vertices)), neighbours)
    return sp.csr_matrix((weight.ravel(), (rows, index.ravel())), (len(vertices), len(skin)))
