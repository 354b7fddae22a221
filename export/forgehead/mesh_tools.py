"""Small meshes: sheets, tubes, lathes, level sets; and how they are bound to the head. Working unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .grids import Index, outward, sheet
from .head import Head
from .parameters import Array, smoothstep
from .template import FLIP

Bound = tuple[np.ndarray, np.ndarray]  # ids [N, 4], weights [N, 4]
TINY = 1e-9


@dataclass(frozen=True)
class Patch:
    """Vertices [N, 3], triangles [F, 3] and texture coordinates [N, 2] (mostly metres along the cloth)."""

    vertices: Array
    faces: Index
    uv: Array

    def moved(self, offset: Sequence[float]) -> Patch:
        return Patch(self.vertices + np.asarray(offset), self.faces, self.uv)

    def turned(self, matrix: Array) -> Patch:
        return Patch(self.vertices @ matrix.T, self.faces, self.uv)

    def mirrored(self) -> Patch:
        return Patch(self.vertices * FLIP, self.faces[:, ::-1], self.uv)

    def both_sides(self) -> Patch:
        return join(self, self.mirrored())


def join(*patches: Patch) -> Patch:
    start = np.cumsum([0] + [len(p.vertices) for p in patches])
    return Patch(
        np.concatenate([p.vertices for p in patches]),
        np.concatenate([p.faces + s for p, s in zip(patches, start, strict=False)]),
        np.concatenate([p.uv for p in patches]),
    )


def unit(v: Array) -> Array:
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + TINY)


def arc_length(points: Array, axis: int) -> Array:
    """Distance travelled along `axis` of a grid of points, from 0."""
    step = np.linalg.norm(np.diff(points, axis=axis), axis=-1)
    first = np.zeros_like(np.take(step, [0], axis))
    return np.concatenate([first, np.cumsum(step, axis)], axis)


def grid(points: Array, closed: bool = False, uv: Array | None = None, inside: Array | None = None) -> Patch:
    """A sheet of [R, C, 3]; faces look away from `inside` (default: as the rows and columns run)."""
    rows, columns = points.shape[:2]
    if uv is None:
        uv = 0.1 * np.stack([arc_length(points, 1), arc_length(points, 0)], -1)
    vertices, faces = points.reshape(-1, 3), sheet(rows, columns, closed)
    if inside is not None:
        faces = outward(vertices, faces, np.asarray(inside))
    return Patch(vertices, faces, uv.reshape(-1, 2))


def smooth_path(knots: Array, count: int, closed: bool = False) -> Array:
    """[count, D] Catmull-Rom curve through the knots, evenly spaced in the knots' parameter."""
    knots = np.asarray(knots, float)
    n = len(knots)
    t = np.linspace(0.0, n if closed else n - 1, count, endpoint=not closed)
    i = np.minimum(t.astype(int), n - 1 if closed else n - 2)
    f = (t - i)[:, None]
    at = (lambda k: knots[k % n]) if closed else (lambda k: knots[np.clip(k, 0, n - 1)])
    a, b, c, d = at(i - 1), at(i), at(i + 1), at(i + 2)
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def tube(path: Array, radius: float | Array, sides: int = 6, closed: bool = False, up: Sequence[float] = (0, 1, 0),
         power: float = 1.0) -> Patch:  # fmt: skip
    """A tube along `path`; `radius` [n] or [n, 2] (across, along `up`); power < 1 makes the section square; ends are capped."""
    path = np.asarray(path, float)
    n = len(path)
    radius = np.broadcast_to(np.asarray(radius, float), (n,)) if np.ndim(radius) < 2 else np.asarray(radius, float)
    radius = np.stack([radius, radius], 1) if radius.ndim == 1 else radius
    tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        tangent[0], tangent[-1] = path[1] - path[0], path[-1] - path[-2]
    across = unit(np.cross(tangent, np.asarray(up, float)))
    other = unit(np.cross(across, tangent))
    turn = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    c, s = np.cos(turn), np.sin(turn)
    if power != 1.0:
        c, s = np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power
    ring = path[:, None] + radius[:, None, :1] * c[None, :, None] * across[:, None]
    ring = ring + radius[:, None, 1:] * s[None, :, None] * other[:, None]
    along = 0.1 * np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    around = np.arange(sides) / sides * 0.1 * float(radius.mean()) * 6.28
    uv = np.stack(np.broadcast_arrays(around[None, :], along[:, None]), -1)
    faces = sheet(n + closed, sides, closed=True) % (n * sides)
    vertices = ring.reshape(-1, 3)
    faces = outward(vertices, faces, path[faces[:, 0] // sides])
    patch = Patch(vertices, faces, uv.reshape(-1, 2))
    if closed:
        return patch
    caps = []
    column = np.arange(sides)
    for row, reverse in ((0, False), (n - 1, True)):
        fan = np.stack(
            [np.full(sides, n * sides + (row > 0)), row * sides + column, row * sides + (column + 1) % sides], 1
        )
        caps.append(
            outward(
                np.concatenate([vertices, path[[0, -1]]]),
                fan,
                path[row] + (tangent[row] if not reverse else -tangent[row]),
            )
        )
    return Patch(np.concatenate([vertices, path[[0, -1]]]), np.concatenate([faces, *caps]),
                 np.concatenate([uv.reshape(-1, 2), uv[[0, -1], 0]]))  # fmt: skip


def lathe(profile: Sequence[Sequence[float]], columns: int, squash: float = 1.0) -> Patch:
    """A solid of revolution about y from (radius, y) pairs, top to bottom; `squash` scales z."""
    profile_ = np.asarray(profile, float)
    turn = np.arange(columns) * 2 * np.pi / columns
    r, y = profile_[:, :1], profile_[:, 1:2]
    points = np.stack([r * np.cos(turn), np.broadcast_to(y, (len(r), columns)), -squash * r * np.sin(turn)], -1)
    along = 0.1 * np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(profile_, axis=0).T))])
    uv = np.stack(np.broadcast_arrays(turn[None] / (2 * np.pi), along[:, None]), -1)
    faces = sheet(len(profile_), columns, closed=True)
    return Patch(points.reshape(-1, 3), faces, uv.reshape(-1, 2))


def box(half: Sequence[float], bevel: float) -> Patch:
    """A box with one bevel; every facet has its own vertices, so that edges stay sharp."""
    patches = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            a, b = (axis + 1) % 3, (axis + 2) % 3
            h = np.array(half)
            corners = np.zeros((2, 2, 3))
            corners[..., axis] = sign * h[axis]
            corners[..., a] = np.array([-1, 1])[:, None] * (h[a] - bevel)
            corners[..., b] = np.array([-1, 1])[None, :] * (h[b] - bevel)
            uv = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], indexing="ij"), -1) + np.array(
                [2.0 * axis + (sign > 0), 0.0]
            )
            patches.append(grid(corners, uv=uv, inside=np.zeros(3)))
            for other, sign_2 in ((a, -1.0), (a, 1.0)):  # bevels between `axis` and the next axis
                third = b
                edge = np.zeros((2, 2, 3))
                edge[0, :, axis], edge[1, :, axis] = sign * h[axis], sign * (h[axis] - bevel)
                edge[0, :, other], edge[1, :, other] = sign_2 * (h[other] - bevel), sign_2 * h[other]
                edge[..., third] = np.array([-1, 1])[None, :] * (h[third] - bevel)
                patches.append(grid(edge, uv=np.full((2, 2, 2), -1.0), inside=np.zeros(3)))
    return join(*patches)


def level_set(field: Callable[[Array], Array], low: Array, high: Array, cell: float) -> Patch:
    """Naive surface nets of `field` = 0 (negative inside), vertices pulled onto the surface."""
    size = np.ceil((np.asarray(high) - low) / cell).astype(int) + 1
    axes = [low[k] + cell * np.arange(size[k]) for k in range(3)]
    corners = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    value = field(corners.reshape(-1, 3)).reshape(size)
    total, count = np.zeros((*(size - 1), 3)), np.zeros(size - 1)
    quads = []
    inside = value < 0
    number = np.full(size - 1, -1)
    crossings = []
    for axis in range(3):
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(0, -1), slice(1, None)
        change = np.argwhere(inside[tuple(first)] != inside[tuple(second)])
        step = np.eye(3, dtype=int)[axis]
        a, b = value[tuple(change.T)], value[tuple((change + step).T)]
        where = corners[tuple(change.T)] + (a / (a - b))[:, None] * cell * step
        others = [np.eye(3, dtype=int)[(axis + 1) % 3], np.eye(3, dtype=int)[(axis + 2) % 3]]
        cells = [change - i * others[0] - j * others[1] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
        valid = np.all([((c >= 0) & (c < size - 1)).all(1) for c in cells], axis=0)
        for c in cells:
            np.add.at(total, tuple(c[valid].T), where[valid])
            np.add.at(count, tuple(c[valid].T), 1.0)
        crossings.append(([c[valid] for c in cells], (a < 0)[valid]))
    used = count > 0
    number[used] = np.arange(used.sum())
    vertices = total[used] / count[used][:, None]
    for cells, leaving in crossings:
        q = np.stack([number[tuple(c.T)] for c in cells], 1)
        quads.append(np.where(leaving[:, None], q, q[:, ::-1]))
    quad = np.concatenate(quads)
    faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
    for _ in range(3):
        vertices = vertices - (field(vertices) / np.maximum((gradient(field, vertices) ** 2).sum(1), 0.3))[
            :, None
        ] * gradient(field, vertices)
    return Patch(vertices, faces, np.zeros((len(vertices), 2)))


def gradient(field: Callable[[Array], Array], points: Array, step: float = 2e-3) -> Array:
    return np.stack([(field(points + d) - field(points - d)) / (2 * step) for d in step * np.eye(3)], -1)


# ---------------------------------------------------------------- smooth union of ellipsoids and capsules
def smooth_min(a: Array, b: Array, k: float) -> Array:
    overlap = np.maximum(k - np.abs(a - b), 0.0) / k
    return np.minimum(a, b) - overlap**3 * (k / 6.0)


def ellipsoid(p: Array, centre: Sequence[float], radius: Sequence[float]) -> Array:
    q = (p - np.asarray(centre)) / np.asarray(radius)
    k0, k1 = np.linalg.norm(q, axis=-1) + TINY, np.linalg.norm(q / np.asarray(radius), axis=-1) + TINY
    return k0 * (k0 - 1.0) / k1


def capsule(p: Array, a: Sequence[float], b: Sequence[float], radius: Sequence[float]) -> Array:
    a_, b_ = np.asarray(a, float), np.asarray(b, float)
    axis = b_ - a_
    along = np.clip(((p - a_) @ axis) / (axis @ axis), 0.0, 1.0)
    return np.linalg.norm(p - a_ - along[..., None] * axis, axis=-1) - (radius[0] + along * (radius[1] - radius[0]))


def cast_inwards(
    field: Callable[[Array], Array], centre: Array, direction: Array, far: float = 6.0, steps: int = 70
) -> Array:
    """Outermost surface points [N, 3] on rays from `centre`."""
    t = np.full(len(direction), far)
    for _ in range(steps):
        t = np.maximum(t - 0.75 * field(centre + t[:, None] * direction), 0.0)
    return centre + t[:, None] * direction


# ---------------------------------------------------------------- binding
def nearest_skin(head: Head, points: Sequence[Sequence[float]]) -> np.ndarray:
    """Ids of the skin vertices nearest to `points`."""
    return cKDTree(head.rest[: head.skin.count]).query(np.asarray(points, float))[1]


def bind_to(head: Head, points: Array, anchors: np.ndarray, reach: float | None = None) -> Bound:
    """The nearest 3-4 of `anchors`, continuously weighted. With `reach`, weights fade with the distance: what is missing stays put."""
    distance, near = cKDTree(head.rest[anchors]).query(points, k=min(5, len(anchors)))
    if distance.shape[1] == 5:
        weight = (
            np.maximum(1.0 / np.maximum(distance[:, :4], 1e-2) ** 2 - 1.0 / np.maximum(distance[:, 4:], 1e-2) ** 2, 0.0)
            + 1e-6
        )
    else:
        weight = 1.0 / np.maximum(distance[:, :4], 1e-2) ** 2
    weight = weight / weight.sum(1, keepdims=True)
    if reach is not None:
        weight = weight * smoothstep(reach, 0.1 * reach, distance[:, :1])
    return anchors[near[:, :4]], weight


def bind_affine(head: Head, points: Array, anchors: np.ndarray) -> Bound:
    """Four anchors: the affine map that takes them from the template to their place moves the points."""
    corner = np.concatenate([head.rest[anchors].T, np.ones((1, 4))])
    weight = np.linalg.solve(corner, np.concatenate([points.T, np.ones((1, len(points)))])).T
    return np.tile(anchors, (len(points), 1)), weight


def bind_rigid(points: Array, ids: Sequence[int]) -> Bound:
    """Moves with the mean of `ids` (1, 2 or 4 of them)."""
    row = np.resize(np.asarray(ids), 4)
    return np.tile(row, (len(points), 1)), np.full((len(points), 4), 0.25)
