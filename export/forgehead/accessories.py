"""Meshes that ride on the head: shoulders, hair styles, glasses. Built once on the base head, moved with the skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .grids import Index, outward, ring_mirror, rows_mirror, sheet
from .parameters import Array, Parameters, smoothstep
from .sculpture import Sculpture
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


# ---------------------------------------------------------------- hair
EAR_ROOT, EAR_ROOM = 0.60, np.array([0.33, 0.48, 0.40])  # dome over an ear that hanging hair keeps outside of
HAIR_CENTRE = np.array([0.0, 0.22, -0.12])
HAIRLINE_DEPTH = (-0.95, -0.62, -0.40, -0.22, -0.10, 0.04, 0.14, 0.20, 0.30, 0.44, 0.58, 0.70, 0.82)
HAIRLINE_HEIGHT = (-0.62, -0.66, -0.45, -0.22, 0.10, 0.10, -0.10, -0.22, 0.12, 0.36, 0.62, 0.66, 0.67)


def hairline(z: Array) -> Array:
    """Lowest scalp height that carries hair, as a function of depth."""
    return np.interp(z, HAIRLINE_DEPTH, HAIRLINE_HEIGHT)


def hair(style: dict[str, Any], sculpture: Sculpture, p: Parameters, scale: float) -> Accessory:
    """Polar sheet from the crown: rows follow the scalp to the hairline, then hang, then fold back underneath.

    style: pole [y, z], thick, round, tip (height of the ends), front (fringe length), wave, lump, columns, rows,
    hang_rows.
    """
    columns = 4 * round(style["columns"] * scale / 4)
    rows, hang_rows = style["rows"], style.get("hang_rows", 0)
    azimuth = np.arange(columns) * 2 * np.pi / columns  # 0 = subject's left, pi / 2 = forward
    scalp = _scalp_rows(style, sculpture, azimuth, rows)
    along = np.linspace(0.0, 1.0, rows)
    forward = np.sin(azimuth)

    end = scalp[-1]
    at_side = np.maximum(smoothstep(0.33, 0.50, np.abs(end[:, 0])), smoothstep(0.30, 0.12, end[:, 2]))
    fall = np.maximum(end[:, 1] - style["tip"], 0.1) if "tip" in style else np.zeros(columns)
    length = fall * at_side + style.get("front", 0.0) * (1.0 - at_side)
    hanging = length > 0.02
    normal = sculpture.normal(_fold(scalp.reshape(-1, 3))).reshape(scalp.shape)
    normal[..., 0] *= np.where(scalp[..., 0] < 0, -1.0, 1.0)
    rounding = np.sqrt(np.maximum(1.0 - along ** style["round"], 0.0))[:, None]
    profile = np.where(hanging, 1.0, rounding) * (0.75 + 0.25 * smoothstep(0.0, 0.35, along))[:, None]
    profile[-1, ~hanging] = -0.12  # the rim dips under the skin
    layers = [scalp + normal * (style["thick"] * profile)[..., None]]
    if hang_rows:
        layers.append(_hanging_rows(style, sculpture, layers[0][-1], length, hang_rows))
    grid = np.concatenate(layers)
    if hang_rows:
        grid = _over_ears(grid, p)
    lump = style.get("lump", 0.0)
    if lump:
        outward = (grid - HAIR_CENTRE) / np.linalg.norm(grid - HAIR_CENTRE, axis=-1, keepdims=True)
        wobble = np.cos(7 * grid[..., 1]) * np.cos(8 * np.abs(grid[..., 0])) + np.cos(9 * grid[..., 2] + 1)
        fade = np.ones(len(grid))
        fade[rows - 2 : rows] = 0.3
        grid += outward * (lump * wobble * fade[:, None])[..., None]

    mirror = rows_mirror(len(grid), ring_mirror(columns))
    vertices = grid.reshape(-1, 3)
    vertices = 0.5 * (vertices + vertices[mirror] * FLIP)
    faces = sheet(len(grid), columns, closed=True)
    live = np.ones(len(vertices), bool)
    if hang_rows:  # columns that do not hang end at the hairline
        live[rows * columns :] = np.tile(hanging, len(grid) - rows)
        faces = faces[live[faces].all(1)]
    pole = scalp[0].mean(0) + np.array([0.0, 0.6 * style["thick"], 0.0])
    vertices = np.concatenate([vertices, [pole]])
    column = np.arange(columns)
    fan = np.stack([np.full(columns, len(vertices) - 1), column, (column + 1) % columns], 1)
    radius = np.linspace(0.06, 1.0, len(grid))[:, None]
    uv = np.stack([radius * np.cos(azimuth), -radius * forward], -1).reshape(-1, 2)  # forward = down in the chart
    uv = np.concatenate([uv, [[0.0, 0.0]]])
    return _drop_unused(vertices, np.concatenate([fan, faces]), np.concatenate([mirror, [len(vertices) - 1]]), uv)


def _over_ears(points: Array, p: Parameters) -> Array:
    """Moves points [..., 3] sideways out of a dome over each ear."""
    across = (points[..., 1:] - [p["ear.y"], p["ear.z"] - 0.08]) / EAR_ROOM[1:]
    dome = EAR_ROOM[0] * np.sqrt(np.maximum(1.0 - (across**2).sum(-1), 0.0))
    width = np.abs(points[..., 0])
    outside = np.where((dome > 0.0) & (width > 0.3), np.maximum(width, EAR_ROOT + dome), width)
    return np.stack([np.where(points[..., 0] < 0, -outside, outside), points[..., 1], points[..., 2]], -1)


def _fold(points: Array) -> Array:
    return np.abs(points) * [1, 0, 0] + points * [0, 1, 1]


def _scalp_rows(style: dict[str, Any], sculpture: Sculpture, azimuth: Array, rows: int) -> Array:
    """[rows, columns, 3] scalp points from the crown to the hairline."""
    pole = np.array([0.0, *style["pole"]])
    pole /= np.linalg.norm(pole)
    side = np.array([1.0, 0.0, 0.0])
    ahead = np.cross(side, pole)
    spoke = np.cos(azimuth)[:, None] * side + np.sin(azimuth)[:, None] * ahead
    theta = np.linspace(0.06, 2.75, 90)
    direction = np.cos(theta)[:, None, None] * pole + np.sin(theta)[:, None, None] * spoke
    origin = HAIR_CENTRE + 2.6 * direction.reshape(-1, 3)
    travelled = sculpture.march(origin, -direction.reshape(-1, 3), 2.6)
    points = (origin - travelled[:, None] * direction.reshape(-1, 3)).reshape(direction.shape)
    covered = points[..., 1] > hairline(points[..., 2]) - style.get("low", 0.0)
    end = np.where(covered.all(0), len(theta) - 1, np.argmin(covered, 0))
    end = theta[np.maximum(end - 1, 3)]
    end = sum(w * np.roll(end, k) for k, w in ((-2, 0.1), (-1, 0.2), (0, 0.4), (1, 0.2), (2, 0.1)))
    share = 1.0 - (1.0 - np.linspace(0.0, 1.0, rows)) ** 1.4
    wanted = 0.06 + share[:, None] * (end - 0.06)
    place = np.clip((wanted - theta[0]) / (theta[1] - theta[0]), 0, len(theta) - 1.001)
    base = place.astype(int)
    weight = (place - base)[..., None]
    column = np.arange(len(azimuth))
    return points[base, column] * (1 - weight) + points[base + 1, column] * weight


def _hanging_rows(style: dict[str, Any], sculpture: Sculpture, start: Array, length: Array, count: int) -> Array:
    """[count + 2, columns, 3] rows below the hairline, pushed out of the head; the last two fold back inside."""
    share = np.arange(1, count + 1) / count
    away = (start - [0.0, 0.0, -0.15]) * [1, 0, 1]
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    drop = share[:, None] * length
    swing = 0.10 * np.sqrt(share)[:, None] * np.minimum(length, 0.5) * (1 - 0.9 * smoothstep(0.3, 1.0, share))[:, None]
    ripple = style.get("wave", 0.0) * np.sin(9.0 * drop) * smoothstep(0.0, 0.3, share)[:, None]
    rows = start + away * (swing + ripple)[..., None]
    rows[..., 1] -= drop
    flat = rows.reshape(-1, 3)
    gap = 0.6 * style["thick"] + 0.03
    for _ in range(2):
        value, slope = sculpture.evaluate(_fold(flat))
        slope[:, 0] *= np.where(flat[:, 0] < 0, -1.0, 1.0)
        slope /= np.linalg.norm(slope, axis=1, keepdims=True) + 1e-9
        flat = flat + slope * np.clip(gap - value, 0.0, 0.5)[:, None]
    rows = flat.reshape(rows.shape)
    tip = rows[-1]
    inward = away * np.minimum(0.07, 0.5 * np.abs(length))[:, None]
    under = rows[max(count // 3, 0)] - 0.5 * inward
    return np.concatenate([rows, [tip - inward, under]])


def _drop_unused(vertices: Array, faces: Index, mirror: Index, uv: Array) -> Accessory:
    used = np.unique(faces)
    new = np.full(len(vertices), -1)
    new[used] = np.arange(len(used))
    return Accessory(vertices[used], new[faces], new[mirror[used]], uv[used])


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
