"""The signed-distance sculpture: ellipsoids and capsules blended in table order, then strokes on top.

Problem: normals must be smooth where two volumes meet, or highlights reveal the seams.
Idea:    the cubic smooth minimum (C2) with analytic gradients. All primitives are evaluated in one batch,
         then folded in order. A stroke raises (depth > 0) or carves the result by a Gaussian around a segment:
         tendons, folds, grooves. The field is mirror-symmetric: callers pass points with x >= 0.
"""

from __future__ import annotations

import numpy as np

from .parameters import Array, Parameters, load_table

_TINY = 1e-9


def rotation_matrix(turn: Array) -> Array:
    """[3, 3] rotation X * Y * Z from three angles in radians."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(turn), np.sin(turn)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


class Sculpture:
    """The field of one set of geometry numbers."""

    def __init__(self, parameters: Parameters) -> None:
        table = load_table("sculpture")["primitives"]
        self.names = [row["name"] for row in table]
        self.blend = np.array([parameters[f"{n}.blend"] for n in self.names]) + _TINY
        self.sign = np.array([1.0 if row["op"] == "add" else -1.0 for row in table])
        self.is_capsule = np.array([row["kind"] == "capsule" for row in table])

        ellipsoids = [n for n, cap in zip(self.names, self.is_capsule, strict=True) if not cap]
        self.centre = np.array([parameters.vector(f"{n}.centre") for n in ellipsoids])  # [E, 3]
        self.radius = np.array([parameters.vector(f"{n}.radius") for n in ellipsoids])  # [E, 3]
        self.rotation = np.array([rotation_matrix(parameters.vector(f"{n}.turn")) for n in ellipsoids])  # [E, 3, 3]

        capsules = [n for n, cap in zip(self.names, self.is_capsule, strict=True) if cap]
        self.end_a = np.array([parameters.vector(f"{n}.a") for n in capsules])  # [C, 3]
        self.end_b = np.array([parameters.vector(f"{n}.b") for n in capsules])
        self.radius_a = np.array([parameters[f"{n}.radius.a"] for n in capsules])
        self.radius_b = np.array([parameters[f"{n}.radius.b"] for n in capsules])

        strokes = [row["name"] for row in load_table("sculpture")["strokes"]]
        self.stroke_a = np.array([parameters.vector(f"{n}.a") for n in strokes])  # [S, 3]
        self.stroke_axis = np.array([parameters.vector(f"{n}.b") for n in strokes]) - self.stroke_a
        self.stroke_width = np.array([parameters[f"{n}.width"] for n in strokes])
        self.stroke_depth = np.array([parameters[f"{n}.depth"] for n in strokes])

    def primitive_distances(self, points: Array) -> tuple[Array, Array]:
        """points [N, 3] -> (distance [M, N], gradient [M, N, 3]) of every primitive, in table order."""
        count = len(self.names)
        distance = np.empty((count, len(points)))
        gradient = np.empty((count, len(points), 3))
        ell, cap = ~self.is_capsule, self.is_capsule
        distance[ell], gradient[ell] = self._ellipsoids(points)
        distance[cap], gradient[cap] = self._capsules(points)
        return distance, gradient

    def _ellipsoids(self, points: Array) -> tuple[Array, Array]:
        """First-order distance k0 (k0 - 1) / k1 with k0 = |q|, k1 = |q / r|, q = R^T (p - c) / r."""
        radius = self.radius[:, None, :]
        unit = ((points[None] - self.centre[:, None]) @ self.rotation) / radius
        scaled = unit / radius
        k0 = np.sqrt((unit * unit).sum(-1)) + _TINY
        k1 = np.sqrt((scaled * scaled).sum(-1)) + _TINY
        along_k0 = (2.0 * k0 - 1.0) / (k0 * k1)
        along_k1 = k0 * (k0 - 1.0) / (k1 * k1 * k1)
        local = scaled * along_k0[..., None] - scaled / (radius * radius) * along_k1[..., None]
        return k0 * (k0 - 1.0) / k1, local @ self.rotation.transpose(0, 2, 1)

    def _capsules(self, points: Array) -> tuple[Array, Array]:
        """Distance to a segment with a radius that changes along it (first order)."""
        axis = self.end_b - self.end_a
        offset = points[None] - self.end_a[:, None]
        along = np.clip((offset * axis[:, None]).sum(-1) / (axis * axis).sum(-1)[:, None], 0.0, 1.0)
        away = offset - along[..., None] * axis[:, None]
        length = np.sqrt((away * away).sum(-1)) + _TINY
        slope = (self.radius_b - self.radius_a)[:, None]
        inside = (along > 0.0) & (along < 1.0)
        taper = np.where(inside, slope / (axis * axis).sum(-1)[:, None], 0.0)
        gradient = away / length[..., None] - taper[..., None] * axis[:, None]
        return length - (self.radius_a[:, None] + along * slope), gradient

    def _strokes(self, points: Array, value: Array, slope: Array) -> None:
        """Adds the strokes to value [N] and slope [N, 3] in place, each only where it can be felt."""
        for a, axis, width, depth in zip(
            self.stroke_a, self.stroke_axis, self.stroke_width, self.stroke_depth, strict=True
        ):
            offset = points - a
            length = axis @ axis
            along = np.clip(offset @ axis / length, 0.0, 1.0) if length > 0.0 else np.zeros(len(points))
            away = offset - along[:, None] * axis
            square = (away * away).sum(1) / width**2
            near = np.flatnonzero(square < 12.0)
            height = depth * np.exp(-square[near])
            value[near] -= height
            slope[near] += (2.0 / width**2 * height)[:, None] * away[near]

    def evaluate(self, points: Array) -> tuple[Array, Array]:
        """points [N, 3], x >= 0 -> (field [N], gradient [N, 3])."""
        distances, gradients = self.primitive_distances(points)
        value, slope = distances[0], gradients[0]
        for part, part_slope, k, sign in zip(distances[1:], gradients[1:], self.blend[1:], self.sign[1:], strict=True):
            old = sign * value
            overlap = np.maximum(k - np.abs(old - part), 0.0) / k
            value = sign * (np.minimum(old, part) - overlap**3 * (k / 6.0))
            share = np.where(part < old, 1.0 - 0.5 * overlap**2, 0.5 * overlap**2)[:, None]
            slope = (1.0 - share) * slope + (sign * share) * part_slope
        value, slope = value.copy(), slope.copy()
        self._strokes(points, value, slope)
        return value, slope

    def pull(self, points: Array, steps: int, largest: float = 0.06) -> Array:
        """Newton steps along the gradient: points [N, 3] near the surface -> points on it."""
        points = points.copy()
        on_midline = points[:, 0] <= 0.0
        for _ in range(steps):
            value, slope = self.evaluate(points)
            slope[on_midline, 0] = 0.0
            square = np.maximum((slope * slope).sum(-1), 0.12)  # the field is not exactly a distance
            step = value / square
            limit = largest / np.sqrt(square)
            points -= np.clip(step, -limit, limit)[:, None] * slope
            points[:, 0] = np.maximum(points[:, 0], 0.0)
        return points

    def normal(self, points: Array) -> Array:
        """[N, 3] unit gradients."""
        slope = self.evaluate(points)[1]
        return slope / (np.linalg.norm(slope, axis=1, keepdims=True) + _TINY)

    def march(self, origin: Array, direction: Array, limit: float, steps: int = 60) -> Array:
        """Sphere tracing: distance [N] along the rays to the surface (or `limit`). The rays may cross x = 0."""
        travelled = np.zeros(len(origin))
        active = np.arange(len(origin))
        for _ in range(steps):
            points = origin[active] + travelled[active, None] * direction[active]
            points[:, 0] = np.abs(points[:, 0])
            value = self.evaluate(points)[0]
            travelled[active] += 0.85 * value
            active = active[(np.abs(value) > 1e-5) & (travelled[active] < limit)]
            if not len(active):
                break
        return np.minimum(travelled, limit)
