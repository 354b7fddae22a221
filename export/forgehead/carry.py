"""Projection of a new identity: the template's vertices onto another sculpture, keeping correspondence.

Rings come from their formulas. Every other vertex is carried by the primitives (each maps old -> new affinely,
blended by nearness), then the displacement is smoothed over the mesh and Newton steps put it on the surface.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .curves import eye_rings, mouth_rings, nostril_rings
from .parameters import Array, Parameters, base_parameters
from .sculpture import Sculpture
from .template import FLIP, Skin, bag_vertices

PASSES, SMOOTH_ROUNDS, NEWTON_STEPS = 3, 4, 3
NEARNESS = 0.05
CUT_SHARE = 0.5  # subtracted volumes carry less


class Projector:
    """Precomputed state of one template; `project` is a pure function of the geometry numbers."""

    def __init__(self, skin: Skin) -> None:
        self.skin = skin
        self.base = Sculpture(base_parameters())
        keep = skin.rest[:, 0] > -1e-9
        keep[skin.bag_start : skin.neck_start] = False
        keep[skin.eye_size : 2 * skin.eye_size] = False
        keep[2 * skin.eye_size + skin.nostril_size : skin.mouth_start] = False
        self.half = np.flatnonzero(keep)
        local = np.full(skin.count, -1)
        local[self.half] = np.arange(len(self.half))
        self.is_free = self.half >= skin.neck_start
        self.on_midline = np.abs(skin.rest[self.half, 0]) < 1e-9
        self.on_neck = np.isin(self.half, skin.neck)

        faces = local[skin.faces]
        faces = faces[(faces >= 0).all(1)]
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        edges = np.concatenate([edges, edges[:, ::-1]])
        graph = sp.coo_matrix((np.ones(len(edges)), edges.T), (len(self.half),) * 2).tocsr()
        graph.data[:] = 1.0
        self.average = sp.diags(1.0 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1.0)) @ graph

        distance, _ = self.base.primitive_distances(skin.rest[self.half])
        share = np.exp(-np.abs(distance) / NEARNESS) * np.where(self.base.sign < 0, CUT_SHARE, 1.0)[:, None] + 1e-12
        self.share = share / share.sum(0)  # [M, half]

    def _carried(self, target: Sculpture) -> Array:
        """[half, 3] displacement proposed by the primitives."""
        points = self.skin.rest[self.half]
        shift = np.zeros_like(points)
        ellipsoids = np.flatnonzero(~self.base.is_capsule)
        for k, primitive in enumerate(ellipsoids):
            local = (points - self.base.centre[k]) @ self.base.rotation[k] / self.base.radius[k] * target.radius[k]
            moved = target.centre[k] + local @ target.rotation[k].T
            shift += self.share[primitive][:, None] * (moved - points)
        for k, primitive in enumerate(np.flatnonzero(self.base.is_capsule)):
            axis = self.base.end_b[k] - self.base.end_a[k]
            along = np.clip((points - self.base.end_a[k]) @ axis / (axis @ axis), 0.0, 1.0)[:, None]
            old_radius = self.base.radius_a[k] + along * (self.base.radius_b[k] - self.base.radius_a[k])
            new_radius = target.radius_a[k] + along * (target.radius_b[k] - target.radius_a[k])
            old_core = self.base.end_a[k] + along * axis
            new_core = target.end_a[k] + along * (target.end_b[k] - target.end_a[k])
            moved = new_core + (points - old_core) * new_radius / old_radius
            shift += self.share[primitive][:, None] * (moved - points)
        return shift

    def project(self, parameters: Parameters) -> Array:
        """[n, 3] skin vertices of the identity (unscaled: `all.x/y/z` is applied by the caller)."""
        skin = self.skin
        target = Sculpture(parameters)
        lids = eye_rings(parameters, target, skin.plan).reshape(-1, 3)
        lips = mouth_rings(parameters, target, skin.plan)

        result = skin.rest.copy()
        result[: skin.eye_size] = lids
        nostril = nostril_rings(parameters, target, skin.plan)
        result[2 * skin.eye_size : 2 * skin.eye_size + skin.nostril_size] = nostril
        result[skin.mouth_start : skin.bag_start] = lips.reshape(-1, 3)

        rest = skin.rest[self.half]
        shift = np.where(self.is_free[:, None], self._carried(target), result[self.half] - rest)
        free = self.is_free
        for _ in range(PASSES):
            for _ in range(SMOOTH_ROUNDS):
                shift[free] = 0.5 * (shift + self.average @ shift)[free]
            shift[self.on_midline, 0] = 0.0
            shift[self.on_neck, 1] = 0.0
            shift[free] = target.pull(rest[free] + shift[free], NEWTON_STEPS) - rest[free]
            shift[self.on_midline, 0] = 0.0
        result[self.half[free]] = (rest + shift)[free]
        result[skin.bag_start : skin.neck_start] = bag_vertices(lips[0], skin.plan.lip_angles, parameters["mouth.y"])
        return mirrored(result, skin.mirror)


def mirrored(vertices: Array, mirror: np.ndarray) -> Array:
    """Copies the +x side onto the other: exact mirror symmetry, x = 0 on the midline."""
    result = vertices.copy()
    left = vertices[:, 0] > vertices[mirror, 0]
    result[mirror[left]] = vertices[left] * FLIP
    result[mirror == np.arange(len(mirror)), 0] = 0.0
    return result
