"""Small parametric parts in the same vertex array: eyeballs, ears, teeth, tongue.

Every function returns vertices in the working unit; the matching `*_faces` share the grid convention of `grids.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grids import Index, polar, ring_mirror, rows_mirror, sheet, with_pole
from .parameters import Array, Parameters
from .sculpture import Sculpture


@dataclass(frozen=True)
class PartPlan:
    """Vertex counts of the parts."""

    eye_columns: int = 16
    eye_rings: int = 9
    ear_columns: int = 20
    teeth_columns: int = 17
    tongue_columns: int = 8
    tongue_rings: int = 5

    @staticmethod
    def scaled(scale: float) -> PartPlan:
        even = lambda n: 4 * max(2, round(n * scale / 4))  # noqa: E731
        return PartPlan(even(16), 9, even(20), 2 * round(8 * scale) + 1, even(8), 5)


# ---------------------------------------------------------------- eyeballs
EYE_LAST_ANGLE = 2.2  # radians from the optical axis
IRIS_ANGLE = 0.31
CORNEA_BULGE, CORNEA_ANGLE = 0.030, 0.29


def eyeball_angles(plan: PartPlan) -> Array:
    """Polar angles of the rings, dense at the iris."""
    dense = plan.eye_rings // 2
    return np.concatenate([
        np.linspace(0.11, 0.38, dense), np.linspace(0.62, EYE_LAST_ANGLE, plan.eye_rings - dense)
    ])  # fmt: skip


def unit_eyeball(plan: PartPlan) -> Array:
    """[1 + rings * columns, 3] unit ball, iris pole towards +z, with the cornea's bump. The back stays open."""
    theta = np.concatenate([[0.0], np.repeat(eyeball_angles(plan), plan.eye_columns)])
    phi = np.concatenate([[0.0], np.tile(np.arange(plan.eye_columns) * 2 * np.pi / plan.eye_columns, plan.eye_rings)])
    radius = 1.0 + CORNEA_BULGE * np.exp(-((theta / CORNEA_ANGLE) ** 4))
    direction = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    return radius[:, None] * direction


def eyeball_faces(plan: PartPlan) -> Index:
    return polar(plan.eye_rings, plan.eye_columns)


def eyeball_uv(plan: PartPlan) -> Array:
    """Azimuthal chart in the unit disc: centre = pupil, radius = angle / EYE_LAST_ANGLE."""
    theta = np.concatenate([[0.0], np.repeat(eyeball_angles(plan), plan.eye_columns)]) / EYE_LAST_ANGLE
    phi = np.concatenate([[0.0], np.tile(np.arange(plan.eye_columns) * 2 * np.pi / plan.eye_columns, plan.eye_rings)])
    return np.stack([theta * np.cos(phi), theta * np.sin(phi)], -1)


# ---------------------------------------------------------------- ears
# rows of the ear sheet: distance from the concha centre; the last rows turn back into the head
EAR_ROWS = (0.16, 0.34, 0.50, 0.62, 0.72, 0.80, 0.88, 0.95, 1.0, 0.98, 0.84, 0.55)
EAR_FRONT_ROWS = 9
EAR_LEAN_SPAN, EAR_LEAN_SHARE = 0.25, 0.8
EAR_BACK_DEPTH = (0.030, 0.085, 0.17)


def _ear_outline(angle: Array, lobe: float) -> Array:
    """Distance of the rim from the concha centre; angle 0 points backwards, pi / 2 up."""
    c, s = np.cos(angle), np.sin(angle)
    radius = 0.19 + 0.13 * np.clip(s, 0, 1) ** 1.2 + 0.05 * np.clip(c, 0, 1) * np.clip(s + 0.3, 0, 1)
    radius += np.clip(-s, 0, 1) ** 1.3 * (0.060 + 0.045 * lobe) - 0.035 * np.clip(c, 0, 1) * np.clip(-s, 0, 1)
    return radius * (1.0 - 0.38 * np.clip(-c, 0, 1) ** 1.3)


def _ear_relief(t: Array, angle: Array) -> Array:
    """Height out of the head: concha, antihelix, helix roll (fading towards the lobe), tragus."""
    c, s = np.cos(angle), np.sin(angle)
    roll = np.clip(0.55 + 0.8 * (s + 0.25 * c), 0, 1)
    relief = -0.075 * np.exp(-(((t - 0.05) / 0.30) ** 2))
    relief = relief + 0.034 * np.exp(-(((t - 0.60) / 0.13) ** 2)) * np.clip(c + 0.45, 0, 1)
    relief = relief + roll * (0.034 * np.exp(-(((t - 0.96) / 0.10) ** 2)) - 0.020 * np.exp(-(((t - 0.80) / 0.08) ** 2)))
    relief = relief - 0.035 * np.clip(-c - 0.2, 0, 1) * np.clip((t - 0.7) / 0.3, 0, 1)  # the front rim sinks in
    return relief + 0.05 * np.exp(-(((t - 0.55) / 0.20) ** 2)) * np.clip(-c - 0.45, 0, 1) * np.exp(-((s / 0.45) ** 2))


def ear(p: Parameters, sculpture: Sculpture, plan: PartPlan) -> Array:
    """[1 + rows * columns, 3] the +x ear: concha pole -> antihelix -> helix rim -> back -> root inside the head."""
    angle = np.arange(plan.ear_columns) * 2 * np.pi / plan.ear_columns
    t = np.array(EAR_ROWS)[:, None]
    outline = _ear_outline(angle, p["ear.lobe"])
    relief = _ear_relief(t, angle)
    relief[EAR_FRONT_ROWS:] = relief[EAR_FRONT_ROWS - 1] - np.array(EAR_BACK_DEPTH)[:, None]
    back, up = outline * t * np.cos(angle), outline * t * np.sin(angle)
    local = np.stack([back, up, relief], -1).reshape(-1, 3)
    local = np.concatenate([[[0.0, 0.0, -0.075]], local]) * p["ear.size"]

    flare, tilt = p["ear.angle"], p["ear.tilt"]
    lever = local[:, 0] + 0.13
    x = lever * np.sin(flare) + local[:, 2] * np.cos(flare)
    z = -lever * np.cos(flare) + local[:, 2] * np.sin(flare) + 0.1
    y = local[:, 1] * np.cos(tilt) + z * np.sin(tilt)
    z = z * np.cos(tilt) - local[:, 1] * np.sin(tilt) - 0.1
    heights = p["ear.y"] + np.array([0.0, EAR_LEAN_SPAN])
    start = np.stack([np.full(2, 1.6), heights, np.full(2, p["ear.z"])], 1)
    side, side_above = 1.6 - sculpture.march(start, np.tile([-1.0, 0.0, 0.0], (2, 1)), 1.6)
    lean = max(side_above - side, 0.0) / EAR_LEAN_SPAN  # the skull widens upwards: lean out with it
    x = x + EAR_LEAN_SHARE * lean * np.maximum(y, 0.0)
    root = np.array([side + 0.015, p["ear.y"], p["ear.z"] + 0.10])
    return np.stack([x, y, z], -1) + root


def ear_faces(plan: PartPlan) -> Index:
    """Counter-clockwise seen from outside: the angle runs clockwise when looking at the +x ear from +x."""
    return polar(len(EAR_ROWS), plan.ear_columns)


def ear_uv(plan: PartPlan) -> Array:
    """Azimuthal chart in the unit disc, back of the ear outside."""
    angle = np.arange(plan.ear_columns) * 2 * np.pi / plan.ear_columns
    radius = (1 + np.arange(len(EAR_ROWS)))[:, None] / len(EAR_ROWS)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1, 2)
    return np.concatenate([[[0.0, 0.0]], ring])


# ---------------------------------------------------------------- teeth and tongue
TEETH_PROFILE = ((0.0, -0.05), (0.0, -0.004), (0.03, 0.006), (0.085, 0.0), (0.15, -0.03))  # (up, forward) per row


def teeth(p: Parameters, plan: PartPlan, contact: Array, lower: bool) -> Array:
    """[5 * columns, 3] a dental arch behind the contact line [n, 3]: cutting edge first, gum last."""
    angle = np.linspace(-1.25, 1.25, plan.teeth_columns)
    width = 0.98 * p["mouth.w"]
    crown = 0.030 * np.abs(np.sin(angle * 6.6)) ** 0.5
    front = contact[len(contact) // 4, 2] - 0.055 - 0.27
    rows = []
    for k, (up, forward) in enumerate(TEETH_PROFILE):
        y = up + (0.018 - 0.4 * crown if k <= 1 else 0.0) + np.zeros_like(angle)
        if lower:
            y = -0.9 * y
        rows.append(np.stack([width * np.sin(angle), y, 0.27 * np.cos(angle) + forward], -1))
    height = p["mouth.y"] - (0.035 if lower else 0.050)
    return np.concatenate(rows) + np.array([0.0, height, front - (0.025 if lower else 0.0)])


def teeth_faces(plan: PartPlan, lower: bool) -> Index:
    faces = sheet(len(TEETH_PROFILE), plan.teeth_columns, closed=False)
    return faces if lower else faces[:, ::-1]


def teeth_mirror(plan: PartPlan) -> Index:
    return rows_mirror(len(TEETH_PROFILE), np.arange(plan.teeth_columns)[::-1])


def tongue(p: Parameters, plan: PartPlan, contact: Array) -> Array:
    """[rings * columns + 2, 3] a flat ellipsoid: tip pole, rings, root pole."""
    theta = np.linspace(0.0, np.pi, plan.tongue_rings + 2)
    phi = np.arange(plan.tongue_columns) * 2 * np.pi / plan.tongue_columns
    rings = np.stack([
        0.17 * np.sin(theta[1:-1, None]) * np.cos(phi),
        0.055 * np.sin(theta[1:-1, None]) * np.sin(phi),
        0.25 * np.cos(theta[1:-1, None]) + 0 * phi,
    ], -1).reshape(-1, 3)  # fmt: skip
    ball = np.concatenate([[[0.0, 0.0, 0.25]], rings, [[0.0, 0.0, -0.25]]])
    front = contact[len(contact) // 4, 2] - 0.055 - 0.29
    return ball + np.array([0.0, p["mouth.y"] - 0.10, front])


def tongue_faces(plan: PartPlan) -> Index:
    n, last = plan.tongue_columns, 1 + (plan.tongue_rings - 1) * plan.tongue_columns
    column = np.arange(n)
    root = np.full(n, 1 + plan.tongue_rings * n)
    closing = np.stack([last + column, root, last + (column + 1) % n], 1)
    return np.concatenate([polar(plan.tongue_rings, n), closing])


def tongue_mirror(plan: PartPlan) -> Index:
    body = with_pole(rows_mirror(plan.tongue_rings, ring_mirror(plan.tongue_columns)))
    return np.concatenate([body, [len(body)]])
