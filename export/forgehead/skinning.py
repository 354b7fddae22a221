"""Joints, skinning weights and the sparse joint regressor."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .head import Head
from .parameters import Array, load_table, smoothstep
from .parts import unit_eyeball
from .template import BAG_RINGS

ROOT, NECK, JAW, LEFT_EYE, RIGHT_EYE = range(5)
CORNER_SHARE = 0.36  # how far the mouth corners follow the jaw
JAW_DIFFUSION = 40
LID_FOLLOW = 0.62  # share of a blink per unit sine of looking down


def skin_average(head: Head) -> sp.csr_matrix:
    """Row-normalised adjacency of the skin."""
    faces = np.concatenate([head.skin.faces, head.skin.bag_faces])
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    graph = sp.coo_matrix((np.ones(len(edges)), edges.T), (head.skin.count,) * 2).tocsr()
    graph.data[:] = 1.0
    return sp.diags(1.0 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1.0)) @ graph


def jaw_share(head: Head) -> Array:
    """[V] 0..1: how far each vertex follows the jaw. Lips by ring, the rest diffused over the mesh."""
    skin, rest = head.skin, head.rest
    q = rest[: skin.count]
    y, z = q[:, 1], q[:, 2]
    hinge_line = -0.70 + 0.62 * np.clip((0.86 - z) / 0.9, 0, 1)  # from the mouth to the jaw joint
    under_chin = -1.22 + 0.28 * np.clip((0.75 - z) / 0.7, 0, 1)
    share = np.clip((hinge_line - y) / 0.10, 0, 1) * np.clip((z + 0.02) / 0.25, 0, 1)
    share *= np.clip((y - under_chin) / 0.16, 0, 1)

    _, lip, sine = skin.ring_parameters()
    lower = CORNER_SHARE + (1 - CORNER_SHARE) * np.clip(-sine / 0.5, 0, 1) ** 0.7
    upper = CORNER_SHARE * np.clip(1 - sine / 0.55, 0, 1) ** 1.2
    by_ring = np.where(sine < 0, lower, upper)
    fixed = lip < 8.0
    share[fixed] = by_ring[fixed]
    for ring in range(2, len(BAG_RINGS)):
        share[skin.bag_ring(ring)] *= 0.6
    share[skin.bag_start] = 0.3
    held = share.copy()
    average = skin_average(head)
    for _ in range(JAW_DIFFUSION):
        share = np.where(fixed, held, 0.5 * share + 0.5 * (average @ share))

    result = np.zeros(head.count)
    result[: skin.count] = share
    result[head.blocks["teeth_low"].ids] = 1.0
    result[head.blocks["tongue"].ids] = 0.9
    return 0.5 * (result + result[head.mirror])


def skinning_weights(head: Head, jaw: Array) -> Array:
    """[V, 5] rows sum to 1. Head vertices follow the neck joint, as in FLAME."""
    rest = head.rest
    weights = np.zeros((head.count, 5))
    turning = smoothstep(-1.62, -1.02, rest[:, 1] + 0.25 * (rest[:, 2] + 0.3))
    for block in head.blocks.values():
        turning[block.ids] = 1.0
    weights[:, JAW] = jaw * turning
    weights[:, NECK] = turning - weights[:, JAW]
    weights[:, ROOT] = 1.0 - turning
    for name, joint in (("l_eye", LEFT_EYE), ("r_eye", RIGHT_EYE)):
        weights[head.blocks[name].ids] = np.eye(5)[joint]
    weights[weights < 1e-4] = 0.0
    return weights / weights.sum(1, keepdims=True)


def joint_regressor(head: Head) -> Array:
    """[5, V] rows sum to 1, few non-zeros."""
    regressor = np.zeros((5, head.count))
    anchors = load_table("parts")["joint_anchors"]
    tree = cKDTree(head.rest[: head.skin.count])
    for joint, name in ((ROOT, "root"), (NECK, "neck"), (JAW, "jaw")):
        for anchor in anchors[name]:
            _, near = tree.query(np.array(anchor), k=4)
            regressor[joint, near] += 1.0
            regressor[joint, head.mirror[near]] += 1.0
    columns = head.plan.eye_columns
    for joint, name in ((LEFT_EYE, "l_eye"), (RIGHT_EYE, "r_eye")):
        regressor[joint, head.blocks[name].ids] = _eye_centre_weights(head, columns)
    return regressor / regressor.sum(1, keepdims=True)


def _eye_centre_weights(head: Head, columns: int) -> Array:
    """[eye vertices] two rings, one before and one behind the centre, mixed so that their mean is the centre."""
    ball = unit_eyeball(head.plan)
    rings = ball[1:].reshape(-1, columns, 3)
    height = rings[:, 0, 2]
    front, back = int(np.flatnonzero(height > 0.2)[-1]), len(rings) - 1
    share = -height[back] / (height[front] - height[back])
    weights = np.zeros((len(rings), columns))
    weights[front], weights[back] = share / columns, (1 - share) / columns
    return np.concatenate([[0.0], weights.ravel()])


def rotate_about(vertices: Array, centre: Array, angle: float) -> Array:
    """Rotation about the x axis through `centre`; positive opens the jaw and looks down."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return (vertices - centre) @ turn.T + centre


def pose_correctives(head: Head, closing_lids: Array, jaw: Array) -> Array:
    """[V, 3, 36] FLAME's pose features: vec(R_j - I) of joints 1..4, row-major.

    R[2, 1] = sin(angle) of a rotation about x: an opening jaw draws the mouth corners in; eyes that look down take
    the upper lids along (`closing_lids` [V, 3] = the blink displacement).
    """
    directions = np.zeros((head.count, 3, 36))
    sine_of_x = 3 * 2 + 1
    rest = head.rest
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    on_face = np.zeros(head.count)
    on_face[: head.skin.count] = 1.0
    cheek = np.exp(-(((x - 0.27) / 0.16) ** 2) - ((y + 0.74) / 0.22) ** 2) * (z > 0.3) * on_face
    inward = np.stack([-0.11 * np.sign(rest[:, 0]), 0.02 + 0 * x, -0.05 + 0 * x], 1)
    directions[..., 9 * (JAW - 1) + sine_of_x] = cheek[:, None] * inward
    left = rest[:, :1] > 0
    follow = LID_FOLLOW * closing_lids
    directions[..., 9 * (LEFT_EYE - 1) + sine_of_x] = np.where(left, follow, 0.0)
    directions[..., 9 * (RIGHT_EYE - 1) + sine_of_x] = np.where(left, 0.0, follow)
    return directions
