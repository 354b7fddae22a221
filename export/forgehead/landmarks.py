"""68 landmarks in iBUG order as points on triangles: 51 static ones and the sliding jaw contour (FLAME's tables)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from .head import Head
from .parameters import Array, base_parameters, load_table, smoothstep
from .regions import BROW_LENGTH, BROW_START, brow_line
from .sculpture import Sculpture
from .template import FLIP

SAMPLES_PER_EDGE = 10
MAX_YAW_DEG = 39
SLIDE_STEPS = 48
SETTLE_DEG = 12.0
SOFT_REACH = 0.012
SMOOTH_YAW_DEG = 5.0

# angles (fractions of pi) on the lip rings, image left to right along the upper lip, then back along the lower one
OUTER_LIP = (1.0, 0.81, 0.58, 0.5, 0.42, 0.19, 0.0, -0.19, -0.35, -0.5, -0.65, -0.81)
INNER_LIP = (0.97, 0.65, 0.5, 0.35, 0.03, -0.35, -0.5, -0.65)
RIGHT_EYE = (0.0, 1 / 3, 2 / 3, 1.0, -2 / 3, -1 / 3)  # outer corner first; angle 0 is the outer corner
LEFT_EYE = (1.0, 2 / 3, 1 / 3, 0.0, -1 / 3, -2 / 3)  # inner corner first


class SurfacePoints:
    """Finds the triangle and barycentric coordinates of points on the skin."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.face_ids = head.part_faces("skin")
        self.faces = head.faces[self.face_ids]
        n = SAMPLES_PER_EDGE
        steps = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]) / n
        self.steps = steps
        points = np.einsum("sk,fkc->fsc", steps, head.rest[self.faces]).reshape(-1, 3)
        self.tree = cKDTree(points)
        seen_from_front = points[:, 2] > 0.3
        self.front_ids = np.flatnonzero(seen_from_front)
        self.front = cKDTree(points[seen_from_front][:, :2])

    def _decode(self, sample: int) -> tuple[int, Array]:
        return int(self.face_ids[sample // len(self.steps)]), self.steps[sample % len(self.steps)]

    def nearest(self, point: Array) -> tuple[int, Array]:
        return self._decode(int(self.tree.query(point)[1]))

    def nearest_xy(self, x: float, y: float) -> tuple[int, Array]:
        """The surface point seen from the front at (x, y)."""
        return self._decode(int(self.front_ids[self.front.query([x, y])[1]]))

    def on_ring(self, ring: np.ndarray, angle: float) -> tuple[int, Array]:
        """A point of a closed vertex ring at `angle` (radians of the curve parameter)."""
        place = (angle / (2 * np.pi) * len(ring)) % len(ring)
        here, share = int(place) % len(ring), place - int(place)
        a, b = ring[here], ring[(here + 1) % len(ring)]
        row = np.flatnonzero((self.faces == a).any(1) & (self.faces == b).any(1))[0]
        bary = (1 - share) * (self.faces[row] == a) + share * (self.faces[row] == b)
        return int(self.face_ids[row]), bary.astype(float)


def _stack(points: list[tuple[int, Array]]) -> tuple[np.ndarray, Array]:
    return np.array([p[0] for p in points], np.int32), np.array([p[1] for p in points], np.float32)


def static_landmarks(head: Head, surface: SurfacePoints) -> tuple[np.ndarray, Array]:
    """51 points: brows 17-26, nose 27-35, eyes 36-47, mouth 48-67. Returns faces [51], barycentrics [51, 3]."""
    table = load_table("landmarks")
    brow = [BROW_START + BROW_LENGTH * share for share in table["brow_shares"]]
    height = brow_line(np.array(table["brow_shares"]))
    left = list(zip(brow, height, strict=True))  # nose -> temple on the +x side
    points = [surface.nearest_xy(-x, y) for x, y in left[::-1]]
    points += [surface.nearest_xy(x, y) for x, y in left]
    points += [surface.nearest_xy(0.0, y) for y in table["nose_bridge_heights"]]
    for sign, rows in ((-1, table["nostril_points"]), (1, table["nostril_points"][-2::-1])):
        points += [surface.nearest(np.array([sign * row[0], row[1], row[2]])) for row in rows]

    skin = head.skin
    margin = skin.plan.eye_rings.index(0.0)
    border = skin.plan.lip_rings.index(1.0)
    points += [surface.on_ring(skin.eye_ring(margin, left=False), np.pi * a) for a in RIGHT_EYE]
    points += [surface.on_ring(skin.eye_ring(margin, left=True), np.pi * a) for a in LEFT_EYE]
    points += [surface.on_ring(skin.mouth_ring(border), np.pi * a) for a in OUTER_LIP]
    points += [surface.on_ring(skin.mouth_ring(0), np.pi * a) for a in INNER_LIP]
    return _stack(points)


def jaw_path(sculpture: Sculpture, anchor: Array) -> Array:
    """[steps, 3] from an anatomical jaw point (+x side) around a vertical axis towards the face, on the surface."""
    axis = np.array([0.0, anchor[1], 0.10])
    start = np.arctan2(anchor[2] - axis[2], anchor[0])
    angle = np.linspace(start, max(start, 1.15), SLIDE_STEPS)
    direction = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1)
    travelled = sculpture.march(axis + 1.6 * direction, -direction, 1.6)
    path = axis + (1.6 - travelled)[:, None] * direction
    path[0] = anchor
    return path


def contour_slide(path: Array, share: float) -> Array:
    """[40, 3] positions of one far-side contour point for yaw 0..39 degrees: where its height is widest in the image.

    The widest place jumps where the slice is flat, so it is a soft maximum, smoothed over the yaw.
    """
    yaw = np.radians(np.arange(MAX_YAW_DEG + 1))
    image_right = np.stack([np.cos(yaw), 0.0 * yaw, np.sin(yaw)], 1)
    reach = image_right @ path.T
    weight = np.exp((reach - reach.max(1, keepdims=True)) / SOFT_REACH)
    place = (weight * np.arange(len(path))).sum(1) / weight.sum(1)
    place = gaussian_filter1d(place, SMOOTH_YAW_DEG, mode="nearest")
    place *= share * smoothstep(0.0, SETTLE_DEG, np.degrees(yaw))
    return np.stack([np.interp(place, np.arange(len(path)), path[:, axis]) for axis in range(3)], 1)


def contour_tables(head: Head, surface: SurfacePoints) -> tuple[np.ndarray, Array]:
    """faces [79, 17], barycentrics [79, 17, 3].

    Row a in 0..39: the head turned by a degrees about +y (the face moves to the image right, the subject's left).
    Row 39 - a for a in -39..-1. Row 0 is the anatomical jaw line; points of the far side slide towards the face.
    """
    sculpture = Sculpture(base_parameters())
    anchors = np.array(load_table("landmarks")["jaw_line"])  # ear -> chin, +x side, 9 points
    slide_share = np.clip((8 - np.arange(8)) / 4.0, 0.0, 1.0)  # the chin itself stays
    slides = [contour_slide(jaw_path(sculpture, a), s) for a, s in zip(anchors[:-1], slide_share, strict=True)]
    home = [surface.nearest(a) for a in anchors]
    home_right = [surface.nearest(a * FLIP) for a in anchors[:-1]]
    rows: dict[int, list[tuple[int, Array]]] = {0: [*home_right, *home[::-1]]}
    for yaw in range(1, MAX_YAW_DEG + 1):
        far_left = [surface.nearest(slide[yaw]) for slide in slides]
        far_right = [surface.nearest(slide[yaw] * FLIP) for slide in slides]
        rows[yaw] = [*home_right, home[8], *far_left[::-1]]
        rows[MAX_YAW_DEG + yaw] = [*far_right, *home[::-1]]
    faces, bary = zip(*(_stack(rows[k]) for k in range(len(rows))), strict=True)
    return np.stack(faces), np.stack(bary)


def landmark_positions(vertices: Array, faces: np.ndarray, face_ids: np.ndarray, bary: Array) -> Array:
    """[..., 3] points of a face/barycentric table."""
    return (vertices[faces[face_ids]] * np.asarray(bary)[..., None]).sum(-2)
