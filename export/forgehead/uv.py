"""UV atlas and the semantic map baked in it.

Skin: one seam-free disc. Directions from the inner point are projected stereographically from the neck hole,
moved so that the face is in the middle, and compressed radially: conformal at the face, injective everywhere
(the triangulation itself is a Delaunay triangulation of directions), mirror-symmetric. Parts: boxes beside it.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import distance_transform_edt

from .curves import NOSTRIL_BAG, NOSTRIL_SKIN, lip_roll
from .head import Head
from .parameters import Array, base_parameters, load_table
from .raster import rasterize
from .regions import label_ids, skin_labels
from .template import BAG_RINGS, INNER_POINT, NECK_AXIS

FACE_POINT = np.array([0.0, -0.22, 1.0])
COMPRESSION_RADIUS, COMPRESSION_POWER = 0.6, 1.25  # the face lies within 0.5, the ears near 1, the neck beyond 5
LIP_OPENING = 0.035
LID_EDGE_SHARE = 0.90
UNTANGLE_ROUNDS = 400
SEMANTIC_SIZE = 640
MARGIN = 5.0


def _stereographic(directions: Array) -> Array:
    """[N, 2] projection from the neck hole: (left, forward) of the plane through the crown."""
    crown = INNER_POINT - NECK_AXIS
    crown /= np.linalg.norm(crown)
    left = np.array([1.0, 0.0, 0.0])
    forward = np.cross(left, crown)
    return np.stack([directions @ left, directions @ forward], -1) / (1.0 + directions @ crown)[:, None]


def skin_uv(head: Head) -> Array:
    """[skin, 2] in 0..1, v up."""
    skin = head.skin
    q = head.rest[: skin.count].copy()
    _, lip, sine = skin.ring_parameters()
    on_ring = (lip >= 0) & (lip < 8)
    lift = np.clip(1.0 - lip / skin.plan.lip_rings[-1], 0.0, 1.0) ** 1.3
    for k, ring in enumerate(skin.plan.lip_rings):  # without the roll, whose undercut would fold the chart
        q[skin.mouth_ring(k), 2] -= lip_roll(base_parameters(), ring, skin.plan.lip_angles)
    q[on_ring, 1] += (LIP_OPENING * np.sign(sine) * np.abs(sine) ** 0.7 * lift)[on_ring]

    offset = q - INNER_POINT
    plane = _stereographic(offset / np.linalg.norm(offset, axis=1, keepdims=True))
    middle = FACE_POINT - INNER_POINT
    plane -= _stereographic((middle / np.linalg.norm(middle))[None])
    radius = np.linalg.norm(plane, axis=1, keepdims=True)
    disc = plane / (1.0 + (radius / COMPRESSION_RADIUS) ** COMPRESSION_POWER) ** (1.0 / COMPRESSION_POWER)
    disc[:, 1] *= -1.0  # forward from the crown is down the face

    centre = disc[skin.mouth_ring(0)].mean(0)
    for ring in range(len(BAG_RINGS)):
        disc[skin.bag_ring(ring)] = centre + (disc[skin.mouth_ring(0)] - centre) * (0.8 - 0.2 * ring)
    disc[skin.bag_start] = centre
    for left in (True, False):  # the lid edge lies behind its margin: give it its own strips of texels
        outer = skin.plan.eye_rings.index(0.0)
        margin = disc[skin.eye_ring(outer, left)]
        middle = margin.mean(0)
        for ring in range(outer):
            share = 1.0 - (1.0 - LID_EDGE_SHARE) * (outer - ring)
            disc[skin.eye_ring(ring, left)] = middle + share * (margin - middle)
    rim = len(NOSTRIL_SKIN) - 1
    for left in (True, False):
        outline = disc[skin.nostril_ring(rim, left)]
        middle = outline.mean(0)
        for k in range(len(NOSTRIL_BAG)):
            disc[skin.nostril_ring(rim + 1 + k, left)] = middle + (0.75 - 0.22 * k) * (outline - middle)
        disc[skin.nostril_pole(left)] = middle
    radius = np.linalg.norm(disc, axis=1)
    disc[skin.neck] *= (radius[skin.neck].max() / radius[skin.neck])[:, None]
    movable = np.ones(skin.count, bool)
    movable[skin.neck] = False
    disc = _untangled(disc, skin.faces, movable)
    disc = 0.5 * (disc + disc[skin.mirror] * [-1.0, 1.0])
    chart = load_table("parts")["skin_chart"]
    used = np.concatenate([np.arange(skin.bag_start), skin.free])
    disc = disc / np.linalg.norm(disc[used], axis=1).max()
    return np.array(chart["centre"]) + chart["radius"] * disc


def _untangled(disc: Array, faces: np.ndarray, movable: np.ndarray) -> Array:
    """Moves the corners of flipped triangles to the mean of their neighbours until none is left (or few)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    graph = sp.coo_matrix((np.ones(len(edges)), edges.T), (len(disc),) * 2).tocsr()
    graph.data[:] = 1.0
    average = sp.diags(1.0 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1.0)) @ graph
    disc = disc.copy()
    for _ in range(UNTANGLE_ROUNDS):
        a, b, c = (disc[faces[:, k]] for k in range(3))
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        bad = np.unique(faces[area <= 1e-9])
        bad = bad[movable[bad]]
        if not len(bad):
            break
        disc[bad] = 0.5 * (disc[bad] + (average @ disc)[bad])
    return disc


def atlas(head: Head) -> tuple[Array, np.ndarray]:
    """uv [Vt, 2] and uv_faces [F, 3]. The disc has no seam, so Vt = V and both face lists agree."""
    uv = np.empty((head.count, 2))
    uv[: head.skin.count] = skin_uv(head)
    rows = {row["name"]: row for row in head.part_rows}
    for name, block in head.blocks.items():
        u, v, half_width, half_height = rows[name]["chart"]
        uv[block.ids] = [u, v] + block.uv * [half_width, half_height]
    return uv, head.faces.copy()


def bake_semantics(head: Head, uv: Array) -> np.ndarray:
    """[S, S] uint8 class ids; row 0 is v = 1. Charts are dilated by a few texels."""
    size = SEMANTIC_SIZE
    screen = np.stack([uv[:, 0] * size, (1.0 - uv[:, 1]) * size, np.zeros(len(uv))], 1)
    fragments = rasterize(screen, head.faces, size, size)
    part = head.face_part[fragments.triangle[fragments.hit]]
    ids = label_ids()
    labels = np.array([ids[row["label"]] for row in head.part_rows])[part]

    lid, lip, sine = head.skin.ring_parameters()
    rings = np.zeros((head.count, 3))
    rings[: head.skin.count] = np.stack([lid, np.where(lip < 0, 0.0, lip), sine], 1)
    attributes = fragments.interpolate(np.concatenate([head.rest, rings], 1), head.faces)
    on_skin = part == head.part_names.index("skin")
    labels[on_skin] = skin_labels(attributes[on_skin, :3], *attributes[on_skin, 3:].T)

    image = np.zeros((size, size), np.uint8)
    image[fragments.hit] = labels
    distance, nearest = distance_transform_edt(~fragments.hit, return_indices=True)
    return np.where(distance <= MARGIN, image[nearest[0], nearest[1]], 0).astype(np.uint8)
