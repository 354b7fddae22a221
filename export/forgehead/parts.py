"""Small parametric parts in the same vertex array: eyeballs, ears, teeth, tongue.

Every function returns vertices in the working unit; the matching `*_faces` share the grid convention of `grids.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from .grids import Index, polar, ring_mirror, rows_mirror, sheet, with_pole
from .parameters import Array, Parameters, smoothstep
from .sculpture import Sculpture


@dataclass(frozen=True)
class PartPlan:
    """Vertex counts of the parts."""

    eye_columns: int = 16
    eye_rings: int = 9
    ear_columns: int = 24
    teeth_columns: int = 29
    tongue_columns: int = 8
    tongue_rings: int = 5

    @staticmethod
    def scaled(scale: float) -> PartPlan:
        even = lambda n: 4 * max(2, round(n * scale / 4))  # noqa: E731
        return PartPlan(even(16), 9, even(24), 29, even(8), 5)


# ---------------------------------------------------------------- eyeballs
EYE_LAST_ANGLE = 2.2  # radians from the optical axis
IRIS_ANGLE = 0.49
CORNEA_BULGE, CORNEA_ANGLE = 0.060, 0.47


def eyeball_angles(plan: PartPlan) -> Array:
    """Polar angles of the rings, dense at the iris."""
    dense = plan.eye_rings // 2
    return np.concatenate([
        np.linspace(0.17, 0.60, dense), np.linspace(0.85, EYE_LAST_ANGLE, plan.eye_rings - dense)
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
EAR_ROWS = (0.14, 0.28, 0.40, 0.50, 0.59, 0.68, 0.76, 0.84, 0.91, 0.97, 1.0, 0.97, 0.86, 0.60)
EAR_FRONT_ROWS = 11
EAR_LEAN_SPAN, EAR_LEAN_SHARE = 0.25, 0.8
EAR_BACK_DEPTH = (0.030, 0.075, 0.17)
# outline: distance of the rim from the concha centre every 30 degrees; 0 points backwards, 90 up
EAR_OUTLINE = (0.215, 0.245, 0.295, 0.325, 0.275, 0.165, 0.115, 0.125, 0.185, 0.265, 0.235, 0.205)
EAR_LOBE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.055, 0.025, 0.0)  # growth of a longer lobe


def _periodic(angle: Array, values: tuple[float, ...]) -> Array:
    """Smooth closed curve through equally spaced values."""
    knots = np.linspace(0.0, 2.0 * np.pi, len(values) + 1)
    return CubicSpline(knots, [*values, values[0]], bc_type="periodic")(angle % (2.0 * np.pi))


def _near(angle: Array, degrees: float, width: float) -> Array:
    """Bump around the ear: 1 at `degrees`, Gaussian of `width` degrees."""
    away = (np.degrees(angle) - degrees + 180.0) % 360.0 - 180.0
    return np.exp(-((away / width) ** 2))


def _ridge(t: Array, place: Array | float, width: float) -> Array:
    return np.exp(-(((t - place) / width) ** 2))


def _ear_outline(angle: Array, lobe: float) -> Array:
    return _periodic(angle, EAR_OUTLINE) + (lobe - 1.0) * _periodic(angle, EAR_LOBE)


def _ear_relief(t: Array, angle: Array) -> Array:
    """Height out of the head over the sheet: concha, antihelix with two crura, scapha, helix, tragus, lobe."""
    degrees = (np.degrees(angle) + 180.0) % 360.0 - 180.0  # -180 .. 180
    concha = -0.070 * np.exp(-((t / 0.42) ** 4))
    along = np.clip((degrees + 75.0) / 25.0, 0, 1) * np.clip((105.0 - degrees) / 25.0, 0, 1)
    antihelix = 0.036 * along * _ridge(t, 0.60 + 0.06 * _near(angle, 60, 40), 0.10)
    fossa = -0.018 * _near(angle, 78, 22) * _ridge(t, 0.66, 0.10)
    rolled = np.clip((degrees + 45.0) / 40.0, 0, 1) * np.clip((172.0 - degrees) / 30.0, 0, 1)
    helix = rolled * (0.034 * _ridge(t, 0.97, 0.075) - 0.026 * _ridge(t, 0.82, 0.075))
    crus = 0.040 * _near(angle, 168, 20) * np.exp(-(((t - 0.62) / 0.34) ** 2))
    antitragus = 0.034 * _near(angle, -72, 22) * _ridge(t, 0.50, 0.11)
    tragus = 0.046 * _near(angle, -170, 30) * _ridge(t, 0.64, 0.24)
    notch = -0.02 * _near(angle, -120, 20) * _ridge(t, 0.45, 0.16)
    lobe = 0.012 * _near(angle, -90, 32) * _ridge(t, 0.80, 0.14) - 0.016 * _near(angle, -90, 45) * _ridge(t, 1.0, 0.07)
    return concha + antihelix + fossa + helix + crus + antitragus + tragus + notch + lobe


def ear(p: Parameters, sculpture: Sculpture, plan: PartPlan) -> Array:
    """[1 + rows * columns, 3] the +x ear: concha pole -> antihelix -> helix rim -> back -> root inside the head.

    The front rim lies on the head's surface, so that the tragus grows out of the cheek without an edge.
    """
    angle = np.arange(plan.ear_columns) * 2 * np.pi / plan.ear_columns
    t = np.array(EAR_ROWS)[:, None]
    outline = _ear_outline(angle, p["ear.lobe"])
    relief = _ear_relief(t, angle)
    relief[EAR_FRONT_ROWS:] = relief[EAR_FRONT_ROWS - 1] - np.array(EAR_BACK_DEPTH)[:, None]
    back, up = outline * t * np.cos(angle), outline * t * np.sin(angle)
    back = back + 0.05 * up  # the upper half leans backwards
    local = np.stack([back, up, relief], -1).reshape(-1, 3)
    local = np.concatenate([[[0.0, 0.0, -0.070]], local]) * p["ear.size"]

    flare, tilt = p["ear.angle"], p["ear.tilt"]
    lever = local[:, 0] + 0.11
    x = lever * np.sin(flare) + local[:, 2] * np.cos(flare)
    z = -lever * np.cos(flare) + local[:, 2] * np.sin(flare) + 0.1
    y = local[:, 1] * np.cos(tilt) + z * np.sin(tilt)
    z = z * np.cos(tilt) - local[:, 1] * np.sin(tilt) - 0.1
    heights = p["ear.y"] + np.array([0.0, EAR_LEAN_SPAN])
    start = np.stack([np.full(2, 1.6), heights, np.full(2, p["ear.z"])], 1)
    side, side_above = 1.6 - sculpture.march(start, np.tile([-1.0, 0.0, 0.0], (2, 1)), 1.6)
    lean = max(side_above - side, 0.0) / EAR_LEAN_SPAN  # the skull widens upwards: lean out with it
    x = x + EAR_LEAN_SHARE * lean * np.maximum(y, 0.0)
    result = np.stack([x, y, z], -1) + np.array([side + 0.03, p["ear.y"], p["ear.z"] + 0.10])

    rows = np.arange(EAR_FRONT_ROWS * plan.ear_columns) + 1
    degrees = np.degrees(angle)
    in_front = smoothstep(112.0, 165.0, degrees) * smoothstep(250.0, 205.0, degrees)
    attached = (smoothstep(0.30, 0.62, t[:EAR_FRONT_ROWS]) * in_front).ravel()
    held = rows[attached > 0.0]
    start = np.stack([np.full(len(held), 1.6), result[held, 1], result[held, 2]], 1)
    surface = 1.6 - sculpture.march(start, np.tile([-1.0, 0.0, 0.0], (len(held), 1)), 1.6)
    ring = np.repeat(np.arange(EAR_FRONT_ROWS), plan.ear_columns)[attached > 0.0]
    sunk = np.interp(np.array(EAR_ROWS)[ring], (0.84, 1.0), (0.0, -0.012))
    grown = np.maximum(local[held, 2], -0.02) * smoothstep(1.0, 0.72, np.array(EAR_ROWS)[ring])
    share = attached[attached > 0.0]
    result[held, 0] = (1.0 - share) * result[held, 0] + share * (surface + grown + sunk)
    first_back = 1 + EAR_FRONT_ROWS * plan.ear_columns
    for k, depth in enumerate(EAR_BACK_DEPTH):  # behind the attached rim straight into the head
        rim = np.arange(plan.ear_columns) + first_back - plan.ear_columns
        own = first_back + k * plan.ear_columns + np.arange(plan.ear_columns)
        rim_share = attached[-plan.ear_columns :]
        into = result[rim] - np.array([depth, 0.0, 0.0])
        result[own] = (1.0 - rim_share[:, None]) * result[own] + rim_share[:, None] * into
    return result


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
# widths of one side's crowns from the midline, upper and lower; (up, forward) per row: edge, belly, gum line, gum
UPPER_CROWNS, LOWER_CROWNS = (8.5, 6.6, 7.6, 7.0, 6.8, 9.5, 9.0), (5.3, 5.9, 6.8, 7.0, 7.1, 10.5, 10.0)
TEETH_PROFILE = ((0.0, -0.006), (0.045, 0.004), (0.088, -0.002), (0.13, -0.05))
ARCH_WIDTH, ARCH_DEPTH, ARCH_REACH = 0.275, 0.36, 1.30
CROWN_BULGE, EDGE_STEP = 0.008, (0.0, 0.005, -0.002, 0.004, 0.006, 0.008, 0.010)


def _crown_stations(lower: bool) -> tuple[Array, Array, Array]:
    """Along the arch (-1 .. 1) from right to left: place, 1 at a crown's middle and 0 between crowns, edge step."""
    widths = np.array(LOWER_CROWNS if lower else UPPER_CROWNS)
    bounds = np.concatenate([[0.0], np.cumsum(widths)])
    half = np.empty(2 * len(widths) + 1)
    half[0::2], half[1::2] = bounds, 0.5 * (bounds[:-1] + bounds[1:])
    crown = np.arange(len(half)) % 2.0
    step = np.zeros(len(half))
    step[1::2] = 0.0 if lower else EDGE_STEP
    step[2:-1:2] = 0.5 * (step[1:-2:2] + step[3::2])
    both = lambda v, sign: np.concatenate([sign * v[:0:-1], v])  # noqa: E731
    return both(half / bounds[-1], -1.0), both(crown, 1.0), both(step, 1.0)


def teeth(p: Parameters, plan: PartPlan, contact: Array, lower: bool) -> Array:
    """[4 * columns, 3] a dental arch behind the contact line [n, 3]: cutting edge first, gum last."""
    place, crown, step = _crown_stations(lower)
    angle = ARCH_REACH * place
    size = (p["mouth.w"] / 0.242) ** 0.5
    front = contact[len(contact) // 4, 2] - 0.08
    rows = []
    for k, (up, forward) in enumerate(TEETH_PROFILE):
        out = (0.0 if k == 3 else CROWN_BULGE) * crown + forward - (0.012 if lower else 0.0)
        y = up + step * (k == 0) + (0.005 * (1.0 - crown) if k == 0 else 0.0)
        y = y - (0.012 * (1.0 - crown) if k == 2 else 0.0)  # the gum reaches down between the crowns
        width, depth = (ARCH_WIDTH - 0.02 * lower) * size + out, ARCH_DEPTH + out
        rows.append(np.stack([width * np.sin(angle), -y if lower else y, depth * (np.cos(angle) - 1.0) + out], -1))
    height = p["mouth.y"] - (0.025 if lower else 0.030)
    return np.concatenate(rows) + np.array([0.0, height, front])


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
