"""Topology of the skin: rings around eyes and mouth, blue noise elsewhere, exactly mirror-symmetric.

Idea: the head without lids and ears is star-shaped from an inner point, so a spherical Delaunay triangulation
(the convex hull of directions) connects the free points. It is done on the half x >= 0, whose flat side is the
midline, and mirrored; that makes the symmetry exact. Ring strips are added afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from scipy.spatial import ConvexHull, cKDTree

from .curves import NOSTRIL_BAG, NOSTRIL_SKIN, RingPlan, eye_rings, mouth_rings, nostril_frame, nostril_rings
from .grids import Index, ring_mirror, sheet
from .parameters import Array, Parameters, base_parameters, bump, smoothstep
from .sculpture import Sculpture

INNER_POINT = np.array([0.0, -0.15, -0.25])
NECK_HEIGHT, NECK_AXIS = -1.96, np.array([0.0, -1.96, -0.44])
NOSE_BOX = np.array([[0.0, -0.52, 0.82], [0.24, 0.05, 1.12]])
FLIP = np.array([-1.0, 1.0, 1.0])
# mouth bag behind the contact line: (depth, width factor, half height)
BAG_RINGS = ((0.055, 1.0, 0.012), (0.14, 0.97, 0.06), (0.38, 0.92, 0.15), (0.62, 0.62, 0.11))


@dataclass(frozen=True)
class Detail:
    """Resolution of the whole bundle."""

    skin_edge: float = 1.26  # scale of the target edge length
    rings: RingPlan = field(
        default_factory=lambda: RingPlan(
            eye_count=30,
            eye_rings=(-0.5, -0.25, 0.0, 0.08, 0.20, 0.32, 0.45, 0.68, 1.0),
            lip_count=40,
            lip_rings=(0.0, 0.10, 0.27, 0.50, 0.77, 1.0, 1.15, 1.55, 2.3),
        )
    )
    neck_count: int = 36
    candidates: int = 40_000
    relax_rounds: int = 6
    unfold_rounds: int = 44
    part_scale: float = 1.0  # scale of the vertex counts of ears, eyes, hair, ...


COARSE = Detail(
    unfold_rounds=4,
    skin_edge=1.7,
    rings=RingPlan(
        eye_count=20,
        eye_rings=(-0.5, -0.25, 0.0, 0.12, 0.30, 0.42, 0.66, 1.0),
        lip_count=28,
        lip_rings=(0.0, 0.12, 0.30, 0.62, 1.0, 1.2, 1.7, 2.4),
    ),
    neck_count=24,
    candidates=12_000,
    relax_rounds=4,
    part_scale=0.7,
)


def edge_length(points: Array) -> Array:
    """[N] target edge length on the base head: fine at the nose and brows, coarse on the skull."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    face = np.clip((z - 0.05) / 0.5, 0, 1) * np.clip((y + 1.35) / 0.25, 0, 1) * np.clip((0.75 - y) / 0.4, 0, 1)
    in_front = z > 0.6
    nose = np.exp(-((x / 0.20) ** 4) - ((y + 0.28) / 0.28) ** 4) * in_front
    nostril = bump(x, 0.06, 0.10) * bump(y, -0.42, 0.10) * in_front
    brow = np.exp(-(((x - 0.27) / 0.25) ** 4) - ((y - 0.20) / 0.10) ** 4) * (z > 0.4)
    skull = smoothstep(0.1, -0.3, z) * smoothstep(-0.3, 0.1, y)
    return 0.106 + 0.042 * skull - 0.056 * face - 0.021 * np.maximum(nose, 0.4 * brow) - 0.015 * nostril


def blue_noise(points: Array, spacing: Array, fixed: Array, fixed_spacing: Array, rng: np.random.Generator) -> Index:
    """Indices of a maximal subset of `points` that keeps `spacing` to itself and to `fixed`."""
    keep_out = cKDTree(fixed)
    distance, nearest = keep_out.query(points)
    alive = distance > np.minimum(spacing, np.maximum(fixed_spacing[nearest], 0.6 * spacing))
    pairs = cKDTree(points).query_pairs(float(spacing.max()), output_type="ndarray")
    gap = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    pairs = pairs[gap < np.minimum(spacing[pairs[:, 0]], spacing[pairs[:, 1]])]
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    rank = rng.permutation(len(points)).astype(float)
    chosen = np.zeros(len(points), bool)
    while alive.any():
        pairs = pairs[alive[pairs].all(1)]
        best = np.full(len(points), np.inf)
        np.minimum.at(best, pairs[:, 0], rank[pairs[:, 1]])
        winners = alive & (rank < best)
        chosen |= winners
        alive &= ~winners
        alive[pairs[winners[pairs[:, 0]], 1]] = False
    return np.flatnonzero(chosen)


@dataclass
class Skin:
    """Skin and mouth bag. Vertex order: eye rings +x, -x, nostrils +x, -x, mouth rings, bag, neck, midline, fill +x, -x."""

    plan: RingPlan
    rest: Array  # [n, 3] base head
    faces: Index  # [f, 3]
    bag_faces: Index
    mirror: Index  # [n]
    eye_size: int
    nostril_size: int
    mouth_start: int
    bag_start: int
    neck_start: int
    midline_start: int
    fill_start: int
    fill_count: int

    @property
    def count(self) -> int:
        return len(self.rest)

    @property
    def neck(self) -> Index:
        return np.arange(self.neck_start, self.midline_start)

    @property
    def midline(self) -> Index:
        return np.arange(self.midline_start, self.fill_start)

    @property
    def free(self) -> Index:
        """Vertices that live on the sculpture without a formula."""
        return np.arange(self.neck_start, self.count)

    def eye_ring(self, ring: int, left: bool = True) -> Index:
        return (0 if left else self.eye_size) + ring * self.plan.eye_count + np.arange(self.plan.eye_count)

    def nostril_ring(self, ring: int, left: bool = True) -> Index:
        start = 2 * self.eye_size + (0 if left else self.nostril_size)
        return start + ring * self.plan.nostril_count + np.arange(self.plan.nostril_count)

    def nostril_pole(self, left: bool = True) -> int:
        return 2 * self.eye_size + (1 if left else 2) * self.nostril_size - 1

    def mouth_ring(self, ring: int) -> Index:
        return self.mouth_start + ring * self.plan.lip_count + np.arange(self.plan.lip_count)

    def bag_ring(self, ring: int) -> Index:
        return self.bag_start + 1 + ring * self.plan.lip_count + np.arange(self.plan.lip_count)

    def ring_parameters(self) -> tuple[Array, Array, Array]:
        """[n] each: lid ring (9 elsewhere), lip ring (9 elsewhere, -1 in the bag), sine of the ring angle (or 0)."""
        lid, lip, sine = np.full(self.count, 9.0), np.full(self.count, 9.0), np.zeros(self.count)
        eye_rings_, lip_rings_ = np.array(self.plan.eye_rings), np.array(self.plan.lip_rings)
        lid[: 2 * self.eye_size] = np.tile(np.repeat(eye_rings_, self.plan.eye_count), 2)
        sine[: 2 * self.eye_size] = np.tile(np.sin(self.plan.eye_angles), 2 * len(eye_rings_))
        lip[self.mouth_start : self.bag_start] = np.repeat(lip_rings_, self.plan.lip_count)
        sine[self.mouth_start : self.bag_start] = np.tile(np.sin(self.plan.lip_angles), len(lip_rings_))
        lip[self.bag_start : self.neck_start] = -1.0
        sine[self.bag_start + 1 : self.neck_start] = np.tile(np.sin(self.plan.lip_angles), len(BAG_RINGS))
        return lid, lip, sine


def bag_vertices(lip_contact: Array, angles: Array, mouth_height: float) -> Array:
    """[1 + 4 n, 3] mouth bag: the far pole, then rings behind the contact line [n, 3]."""
    mean_z = lip_contact[:, 2].mean()
    rings = []
    for k, (depth, width, half_height) in enumerate(BAG_RINGS):
        ring = lip_contact.copy()
        ring[:, 0] *= width
        ring[:, 1] += half_height * np.sin(angles)
        ring[:, 2] = (ring[:, 2] if k == 0 else 0.5 * (ring[:, 2] + mean_z)) - depth
        rings.append(ring)
    pole = np.array([[0.0, mouth_height, mean_z - BAG_RINGS[-1][0] - 0.06]])
    return np.concatenate([pole, *rings])


def cast(sculpture: Sculpture, direction: Array) -> Array:
    """[N, 3] outermost surface point in each direction from the inner point."""
    origin = INNER_POINT + 3.2 * direction
    return origin - direction * sculpture.march(origin, -direction, 3.1)[:, None]


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _neck_ring(sculpture: Sculpture, count: int) -> Array:
    azimuth = np.arange(count) * (2.0 * np.pi / count) + 0.5 * np.pi  # vertex 0 at the back
    direction = np.stack([np.cos(azimuth), np.zeros(count), -np.sin(azimuth)], -1)
    start = NECK_AXIS + 1.4 * direction
    ring = start - direction * sculpture.march(start, -direction, 1.4)[:, None]
    ring[np.abs(ring[:, 0]) < 1e-9, 0] = 0.0
    return ring


def _midline(sculpture: Sculpture, mouth_outline: Array, scale: float) -> Array:
    """Points with x = 0 around the profile from neck to neck, leaving out the mouth."""
    turn = np.linspace(0.0, 2.0 * np.pi, 1500, endpoint=False)
    profile = cast(sculpture, np.stack([np.zeros_like(turn), np.cos(turn), np.sin(turn)], -1))
    profile[:, 0] = 0.0
    low, high = mouth_outline[:, 1].min() - 0.02, mouth_outline[:, 1].max() + 0.02
    at_mouth = (profile[:, 2] > 0.3) & (profile[:, 1] > low) & (profile[:, 1] < high)
    profile = profile[(profile[:, 1] > NECK_HEIGHT + 0.035) & ~at_mouth]
    chosen = [profile[0]]
    for point in profile:
        near = np.linalg.norm(np.array(chosen) - point, axis=1).min()
        if near > edge_length(point[None])[0] * scale:
            chosen.append(point)
    return np.array(chosen)


def build_skin(detail: Detail, seed: int) -> Skin:
    """The template of the base head."""
    base = base_parameters()
    sculpture = Sculpture(base)
    rng = np.random.default_rng(seed)
    plan = detail.rings
    scale = 0.78 * detail.skin_edge

    lids = eye_rings(base, sculpture, plan)
    lips = mouth_rings(base, sculpture, plan)
    ring_flip = ring_mirror(plan.lip_count)
    lips = 0.5 * (lips + lips[:, ring_flip] * FLIP)
    neck = _neck_ring(sculpture, detail.neck_count)
    neck_flip = (-np.arange(detail.neck_count)) % detail.neck_count
    neck = 0.5 * (neck + neck[neck_flip] * FLIP)
    midline = _midline(sculpture, lips[-1], scale)

    nostril = nostril_rings(base, sculpture, plan)
    nostril_outline = nostril[: plan.nostril_count]
    right_half_lips, right_half_neck = lips[-1][lips[-1][:, 0] > -1e-9], neck[neck[:, 0] > -1e-9]
    fixed = np.concatenate([midline, lids[-1], nostril_outline, right_half_lips, right_half_neck])
    fixed_spacing = np.concatenate(
        [
            edge_length(midline) * scale,
            np.full(len(lids[-1]), 0.026 * detail.skin_edge),
            np.full(len(nostril_outline), 0.016 * detail.skin_edge),
            np.full(len(right_half_lips), 0.026 * detail.skin_edge),
            np.full(len(right_half_neck), 0.06 * detail.skin_edge),
        ]
    )
    candidates = _candidates(sculpture, detail.candidates, rng)
    candidates = candidates[~_inside_rings(candidates, lids[-1], lips[-1]) & ~_inside_nostril(candidates, base)]
    spacing = edge_length(candidates) * scale
    candidates, spacing = candidates[candidates[:, 0] > 0.5 * spacing], spacing[candidates[:, 0] > 0.5 * spacing]
    fill = candidates[blue_noise(candidates, spacing, fixed, fixed_spacing, rng)]

    eye_size, lip_size = lids.shape[0] * plan.eye_count, lips.shape[0] * plan.lip_count
    bag = bag_vertices(lips[0], plan.lip_angles, base["mouth.y"])
    nostril_start, nostril_size = 2 * eye_size, len(nostril)
    mouth_start = nostril_start + 2 * nostril_size
    bag_start = mouth_start + lip_size
    neck_start = bag_start + len(bag)
    midline_start = neck_start + len(neck)
    fill_start = midline_start + len(midline)
    rest = np.concatenate([
        lids.reshape(-1, 3), lids.reshape(-1, 3) * FLIP, nostril, nostril * FLIP, lips.reshape(-1, 3), bag, neck, midline, fill, fill * FLIP
    ])  # fmt: skip

    mirror = np.arange(len(rest))
    mirror[:eye_size], mirror[eye_size : 2 * eye_size] = np.arange(eye_size) + eye_size, np.arange(eye_size)
    mirror[nostril_start : nostril_start + nostril_size] += nostril_size
    mirror[nostril_start + nostril_size : mouth_start] -= nostril_size
    for ring in range(lips.shape[0]):
        mirror[mouth_start + ring * plan.lip_count + np.arange(plan.lip_count)] = (
            mouth_start + ring * plan.lip_count + ring_flip
        )
    for ring in range(len(BAG_RINGS)):
        start = bag_start + 1 + ring * plan.lip_count
        mirror[start + np.arange(plan.lip_count)] = start + ring_flip
    mirror[neck_start:midline_start] = neck_start + neck_flip
    mirror[fill_start : fill_start + len(fill)] += len(fill)
    mirror[fill_start + len(fill) :] -= len(fill)

    skin = Skin(
        plan, rest, np.empty((0, 3), int), np.empty((0, 3), int), mirror,
        eye_size, nostril_size, mouth_start, bag_start, neck_start, midline_start, fill_start, len(fill),
    )  # fmt: skip
    fill_faces = _relaxed_triangles(skin, sculpture, detail.relax_rounds)
    lid_strip = sheet(lids.shape[0], plan.eye_count, closed=True)
    lip_strip = mouth_start + sheet(lips.shape[0], plan.lip_count, closed=True)
    nostril_left = nostril_start + _nostril_faces(plan.nostril_count)
    nostril_right = nostril_left[:, ::-1] + nostril_size
    skin.faces = np.concatenate(
        [fill_faces, lid_strip, lid_strip[:, ::-1] + eye_size, nostril_left, nostril_right, lip_strip]
    )
    skin.bag_faces = _bag_faces(skin)
    return skin


def _candidates(sculpture: Sculpture, count: int, rng: np.random.Generator) -> Array:
    """Random surface points of the half head, twice as dense on the face."""
    direction = rng.normal(size=(count, 3))
    half = count // 2
    direction[:half] = direction[:half] * [0.6, 0.7, 0.5] + [0.0, -0.1, 0.8]
    direction[:, 0] = np.abs(direction[:, 0])
    points = np.concatenate([cast(sculpture, _unit(direction)), _nose_candidates(sculpture, count // 6, rng)])
    return points[(points[:, 1] > NECK_HEIGHT + 0.03) & (np.linalg.norm(points - INNER_POINT, axis=1) < 2.2)]


def _nose_candidates(sculpture: Sculpture, count: int, rng: np.random.Generator) -> Array:
    """Points on the sides and the underside of the nose, which rays from the inner point only graze."""
    points = rng.uniform(NOSE_BOX[0], NOSE_BOX[1], (count, 3))
    points = sculpture.pull(points, 8)
    on_surface = np.abs(sculpture.evaluate(points)[0]) < 1e-3
    outermost = np.linalg.norm(cast(sculpture, _unit(points - INNER_POINT)) - points, axis=1) < 5e-3
    return points[on_surface & outermost]


def _inside_rings(points: Array, orbit: Array, mouth_outline: Array) -> np.ndarray:
    """Points covered by the eye or mouth rings."""
    in_front = points[:, 2] > 0.3
    inside = np.zeros(len(points), bool)
    for outline, margin in ((orbit, 1.05), (mouth_outline, 1.03)):
        centre = outline[:, :2].mean(0)
        spoke = outline[:, :2] - centre
        angle, radius = np.arctan2(spoke[:, 1], spoke[:, 0]), np.hypot(spoke[:, 0], spoke[:, 1])
        order = np.argsort(angle)
        offset = points[:, :2] - centre
        limit = np.interp(np.arctan2(offset[:, 1], offset[:, 0]), angle[order], radius[order], period=2 * np.pi)
        inside |= in_front & (np.hypot(offset[:, 0], offset[:, 1]) < margin * limit)
    return inside


def _inside_nostril(points: Array, p: Parameters) -> np.ndarray:
    """Points covered by the rings of the +x nostril."""
    centre, long, short, _ = nostril_frame(p)
    offset = points - centre
    share = np.hypot(offset @ long / (long @ long), offset @ short / (short @ short))
    return (share < 1.06 * NOSTRIL_SKIN[0]) & (np.linalg.norm(offset, axis=1) < 0.11) & (offset[:, 1] < 0.035)


def _nostril_faces(columns: int) -> Index:
    """Rings inwards to the pole; the angle runs clockwise seen from below."""
    rings = len(NOSTRIL_SKIN) + len(NOSTRIL_BAG)
    pole, last = rings * columns, (rings - 1) * columns
    column = np.arange(columns)
    fan = np.stack([last + column, np.full(columns, pole), last + (column + 1) % columns], 1)
    return np.concatenate([sheet(rings, columns, closed=True), fan])


def _relaxed_triangles(skin: Skin, sculpture: Sculpture, rounds: int) -> Index:
    """Moves the free vertices of `skin.rest` towards even spacing and returns their triangles, both halves."""
    right_fill = skin.fill_start + np.arange(skin.fill_count)
    movable = np.concatenate([skin.midline, right_fill])
    mouth = skin.mouth_ring(len(skin.plan.lip_rings) - 1)
    holes = [
        skin.eye_ring(len(skin.plan.eye_rings) - 1),
        skin.nostril_ring(0),
        mouth[skin.rest[mouth, 0] > -1e-9],
        skin.neck[skin.rest[skin.neck, 0] > -1e-9],
    ]
    group = np.zeros(skin.count, int)
    for number, ids in enumerate(holes, start=1):
        group[ids] = number
    used = np.concatenate([*holes, movable])

    for round_ in range(rounds + 1):
        faces = _half_hull(skin.rest, used, group)
        if round_ == rounds:
            break
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        weight = 1.0 / edge_length(skin.rest)
        graph = sp.coo_matrix((weight[edges[:, 1]], edges.T), (skin.count, skin.count)).tocsr()
        back = sp.coo_matrix((weight[edges[:, 0]], edges[:, ::-1].T), (skin.count, skin.count)).tocsr()
        graph = graph.maximum(back)
        total = np.asarray(graph.sum(1)).ravel()[movable]
        mean = (graph @ skin.rest)[movable] / total[:, None]
        moved = 0.5 * (skin.rest[movable] + mean)
        moved[: len(skin.midline), 0] = 0.0
        skin.rest[movable] = cast(sculpture, _unit(moved - INNER_POINT))
        skin.rest[skin.midline, 0] = 0.0
        skin.rest[right_fill + skin.fill_count] = skin.rest[right_fill] * FLIP
    return np.concatenate([faces, skin.mirror[faces][:, ::-1]])


def _half_hull(rest: Array, used: Index, group: Index) -> Index:
    """Spherical Delaunay triangles of the half x >= 0 without the holes, counter-clockwise seen from outside."""
    direction = _unit(rest[used] - INNER_POINT)
    triangles = ConvexHull(direction).simplices
    a, b, c = (direction[triangles[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * (a + b + c)).sum(1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    triangles = used[triangles]
    on_midline = (np.abs(rest[triangles][..., 0]) < 1e-9).all(1)
    groups = group[triangles]
    in_hole = (groups[:, 0] > 0) & (groups[:, 0] == groups[:, 1]) & (groups[:, 1] == groups[:, 2])
    return triangles[~(on_midline | in_hole)]


def _bag_faces(skin: Skin) -> Index:
    """Strips from the contact line backwards, seen from inside the mouth."""
    faces, outer = [], skin.mouth_ring(0)
    for ring in range(len(BAG_RINGS)):
        inner = skin.bag_ring(ring)
        faces.append(np.stack([inner, outer, np.roll(inner, -1)], 1))
        faces.append(np.stack([np.roll(inner, -1), outer, np.roll(outer, -1)], 1))
        outer = inner
    pole = np.full(len(outer), skin.bag_start)
    faces.append(np.stack([pole, outer, np.roll(outer, -1)], 1))
    return np.concatenate(faces)
