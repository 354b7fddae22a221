"""Feature curves: eyelids and lips as families of closed curves that the mesh follows ring by ring.

Curve parameter `angle`: 0 = lateral corner of the +x side, counter-clockwise, upper half 0..pi.
Ring parameter: eyes 0 = lid margin, 1 = orbit, < 0 = lid edge towards the eyeball, < -0.4 = inside the eyeball;
lips 0 = contact line, 1 = vermilion border, > 1 = skin around the mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .parameters import Array, Parameters
from .sculpture import Sculpture, rotation_matrix

ORBIT_WIDTH, ORBIT_UP, ORBIT_DOWN = 0.245, 0.150, 0.165
CORNER_REACH = 0.93  # the lid edge stays within this share of the eyeball's radius, as caruncle and outer canthus do
# Lid rings over the eyeball: clearance, how far they may lie behind the surrounding skin, and how much further at the
# corners, where the edge goes down to the eyeball as caruncle and outer canthus.
EDGE_CLEARANCE, EDGE_DEPTH, CORNER_DEPTH = 0.008, 0.045, 0.30
LID_THICKNESS = 0.004
CARUNCLE = 0.042  # how far it stands out of the inner corner
MARGIN_CLEARANCE, MARGIN_DEPTH = 0.011, 0.022
SKIN_CLEARANCE = 0.015
HIDDEN_RING, HIDDEN_DEPTH = -0.4, 0.035  # the last ring ends inside the eyeball: no gap from any side
# A full blink draws the upper lid a little over the lower one; wider eyes need a weight above 1 (blink_gain).
OVERLAP, OVERLAP_LIFT = 0.006, 0.006
CLOSED_SAG, CORNER_ORDER = 0.8, 0.002
# Nostril rings: share of the nostril's outline on the skin, then (share, depth) of the bag
NOSTRIL_SKIN = (1.6, 1.25, 1.0)
NOSTRIL_BAG = ((0.94, 0.012), (0.84, 0.045), (0.55, 0.085))
NOSTRIL_POLE = 0.105
LIP_STATIONS = (0.0, 0.10, 0.25, 0.42, 0.60, 0.80, 1.0, 1.14, 1.4)
LIP_OVERLAP = 0.004
UPPER_ROLL = (-0.05, 0.40, 0.92, 1.10, 1.05, 0.80, 0.46, 0.16, 0.0)
LOWER_ROLL = (-0.55, 0.55, 1.00, 1.10, 0.92, 0.52, 0.12, -0.05, 0.0)


@dataclass(frozen=True)
class RingPlan:
    """How many vertices and which ring parameters the mesh uses."""

    eye_count: int
    eye_rings: tuple[float, ...]
    lip_count: int
    lip_rings: tuple[float, ...]
    nostril_count: int = 12

    @property
    def eye_angles(self) -> Array:
        return np.arange(self.eye_count, dtype=float) * (2.0 * np.pi / self.eye_count)

    @property
    def lip_angles(self) -> Array:
        return np.arange(self.lip_count, dtype=float) * (2.0 * np.pi / self.lip_count)


def _signed_power(x: Array, exponent: float) -> Array:
    return np.sign(x) * np.abs(x) ** exponent


def eyelid_curve(p: Parameters, ring: float, angle: Array, blink: float = 0.0, wide: float = 0.0) -> Array:
    """[n, 2] (x, y) of one lid curve relative to the eye centre. blink 1: the upper lid covers the lower margin."""
    c, s = np.cos(angle), np.sin(angle)
    is_upper = s >= 0.0
    upper = p["eye.up"] * np.abs(s) ** 1.05 * (1.0 - p["eye.skew"] * c) * (1.0 + 0.35 * wide)
    lower = -p["eye.low"] * np.abs(s) ** 1.05 * (1.0 + 0.16 * c)
    # the closed line hangs below the corners only where the lids run across: else the corner strips would turn over
    apart = CORNER_ORDER * np.abs(s) * c**8
    meeting = np.where(is_upper, apart - OVERLAP * s**4, -0.5 * apart) - CLOSED_SAG * p["eye.low"] * np.abs(s) ** 3.6
    x = p["eye.a"] * _signed_power(c, 0.92)
    y = np.where(is_upper, upper, lower) * (1.0 - blink) + meeting * blink
    outward = min(max(ring, 0.0), 1.0)
    x = x * (1.0 - outward) + ORBIT_WIDTH * c * outward
    y = y * (1.0 - outward) + np.where(is_upper, ORBIT_UP, ORBIT_DOWN) * s * outward
    x = x + p["eye.shift"] * (1.0 - outward)
    if ring < 0.0:  # the lid edge; near the corners it reaches over the eyeball as the caruncle does
        limit = CORNER_REACH * p["eye.r"]
        x = 0.985 * x / (1.0 + (np.abs(x) / limit) ** 6) ** (1 / 6)
        y = y - LID_THICKNESS * np.sign(s) * np.abs(s) ** 2.5
    tilt = p["eye.tilt"] * (1.0 - outward)
    return np.stack([x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], -1)


def lip_curve(p: Parameters, ring: float, angle: Array) -> Array:
    """[n, 2] (x, y) of one lip curve."""
    c, s = np.cos(angle), np.sin(angle)
    on_lip, beyond = min(ring, 1.0), max(ring - 1.0, 0.0)
    half_width = p["mouth.w"]
    x = half_width * _signed_power(c, 0.9) * (0.93 + 0.07 * on_lip + 0.20 * beyond)
    peaks = 0.16 * np.exp(-(((np.abs(x) - 0.07) / 0.05) ** 2))
    dip = 0.16 * np.exp(-((x / 0.032) ** 2))
    bow = p["mouth.bow"] * (peaks - dip) * max(1.0 - beyond, 0.0)
    height_up = p["mouth.up"] * np.abs(s) ** 1.35 * (1.0 + bow)
    height_low = p["mouth.low"] * np.abs(s) ** 1.3
    tubercle = 0.012 * np.exp(-((x / 0.05) ** 2)) - 0.006 * np.exp(-(((np.abs(x) - 0.11) / 0.055) ** 2))
    line = -0.002 - tubercle * np.abs(s) ** 0.5 * (1.0 - on_lip) ** np.where(s >= 0.0, 1.0, 2.0)
    line = line - LIP_OVERLAP * np.sign(s) * s**2 * (1.0 - on_lip) ** 2  # closed lips leave no slit
    line = line + p["mouth.corner"] * np.abs(x / half_width) ** 2.5 * np.exp(-beyond)
    above = height_up * on_lip + 0.09 * beyond * np.abs(s) ** 0.8
    below = height_low * on_lip + 0.115 * beyond * np.abs(s) ** 0.8
    return np.stack([x, p["mouth.y"] + line + np.where(s >= 0.0, above, -below)], -1)


def lip_roll(p: Parameters, ring: float, angle: Array) -> Array:
    """[n] outward offset (z) of a lip ring: groove at the contact line, roll, crisp border."""
    s = np.sin(angle)
    upper = p["mouth.vol_up"] * np.interp(ring, LIP_STATIONS, UPPER_ROLL)
    lower = p["mouth.vol_low"] * np.interp(ring, LIP_STATIONS, LOWER_ROLL)
    groove = 0.016 * np.exp(-((ring / 0.25) ** 2)) * (1.0 - np.abs(s) ** 0.6)
    return np.where(s >= 0.0, upper, lower) * np.abs(s) ** 0.8 - groove


def _drop_on_surface(sculpture: Sculpture, xy: Array) -> Array:
    """[..., 2] -> [..., 3]: the first surface point seen from the front."""
    start = np.concatenate([xy.reshape(-1, 2), np.full((xy[..., 0].size, 1), 1.45)], 1)
    travelled = sculpture.march(start, np.tile([0.0, 0.0, -1.0], (len(start), 1)), 2.4)
    start[:, 2] -= travelled
    return start.reshape(*xy.shape[:-1], 3)


def eye_rings(p: Parameters, sculpture: Sculpture, plan: RingPlan, blink: float = 0.0, wide: float = 0.0) -> Array:
    """[rings, n, 3] lid vertices of the +x eye."""
    centre = p.vector("eye")
    angle = plan.eye_angles
    xy = np.stack([eyelid_curve(p, ring, angle, blink, wide) for ring in plan.eye_rings])
    points = _drop_on_surface(sculpture, xy + centre[:2])

    ring = np.array(plan.eye_rings)[:, None]
    upper = np.clip(np.sin(angle), 0.0, 1.0) ** 0.6
    lower = np.clip(-np.sin(angle), 0.0, 1.0) ** 0.6
    unfolded = 1.0 - 0.8 * blink
    crease = p["eye.crease_pos"]
    points[..., 2] -= p["eye.crease"] * np.exp(-(((ring - crease) / 0.075) ** 2)) * upper * unfolded
    roll = 0.45 * p["eye.crease"] * np.exp(-(((ring - crease - 0.15) / 0.09) ** 2)) * upper * unfolded
    points[..., 2] += roll  # the skin above the crease hangs over it
    points[..., 1] -= 0.5 * roll
    hood = p["eye.hood"] * np.exp(-(((ring - crease - 0.14) / 0.13) ** 2)) * upper * unfolded
    points[..., 2] += 0.7 * hood
    points[..., 1] -= 0.9 * hood
    points[..., 2] -= 0.006 * np.exp(-(((ring - 0.34) / 0.07) ** 2)) * lower

    _lay_on_eyeball(points, p, plan, blink)
    return points


def _lay_on_eyeball(points: Array, p: Parameters, plan: RingPlan, blink: float) -> None:
    """Keeps the lid rings [rings, n, 3] outside the eyeball and leads the innermost ring into it."""
    centre, cosine, sine = p.vector("eye"), np.cos(plan.eye_angles), np.sin(plan.eye_angles)
    corner = np.abs(cosine) ** 6
    lift = blink * OVERLAP_LIFT * np.clip(sine, 0.0, 1.0) ** 0.5

    def on_ball(row: Array, clearance: Array | float) -> Array:
        radius = p["eye.r"] + clearance
        offset = row[:, :2] - centre[:2]
        return centre[2] + np.sqrt(np.maximum(radius**2 - (offset**2).sum(-1), 0.09 * radius**2))

    for row, ring in zip(points, plan.eye_rings, strict=True):
        if ring < HIDDEN_RING:
            continue
        if ring < 0.0:
            caruncle = CARUNCLE * corner**1.5 * (cosine < 0.0)
            floor = on_ball(row, EDGE_CLEARANCE + lift) + caruncle
            row[:, 2] = np.maximum(floor, row[:, 2] - EDGE_DEPTH - CORNER_DEPTH * corner)
        elif ring == 0.0:
            row[:, 2] = np.maximum(
                on_ball(row, MARGIN_CLEARANCE + lift), row[:, 2] - MARGIN_DEPTH * (1.0 - 0.8 * corner)
            )
        elif ring < 0.7:
            floor = on_ball(row, SKIN_CLEARANCE + lift)
            inside = ((row[:, :2] - centre[:2]) ** 2).sum(-1) < 1.1 * p["eye.r"] ** 2
            row[:, 2] = np.where(inside, np.maximum(floor, row[:, 2]), row[:, 2])
    points[0, :, :2] = points[1, :, :2]
    points[0, :, 2] = on_ball(points[0], 0.0) - HIDDEN_DEPTH


def mouth_rings(p: Parameters, sculpture: Sculpture, plan: RingPlan) -> Array:
    """[rings, n, 3] lip vertices, mirror-symmetric in x."""
    angle = plan.lip_angles
    room = (p["nostril.centre.y"] - 0.050 - p["mouth.y"] - p["mouth.up"]) / (1.4 * 0.85)
    room = float(np.clip(room, 0.012, 0.09))
    curves = []
    for ring in plan.lip_rings:
        xy = lip_curve(p, ring, angle)
        if ring > 1.0:  # never climb into the nose
            xy[:, 1] += np.where(angle < np.pi, (ring - 1.0) * (room - 0.09) * np.abs(np.sin(angle)) ** 0.8, 0.0)
        curves.append(xy)
    points = _drop_on_surface(sculpture, np.stack(curves))
    points[..., 2] += np.stack([lip_roll(p, ring, angle) for ring in plan.lip_rings])
    return points


def nostril_frame(p: Parameters) -> tuple[Array, Array, Array, Array]:
    """Centre, long axis, short axis of the +x nostril's outline (scaled), and the direction of the passage."""
    turn = rotation_matrix(p.vector("nostril.turn"))
    inwards = turn[:, 1] + np.array([0.0, 0.0, -0.35])
    long, short = turn[:, 2] * p["nostril.radius.z"], turn[:, 0] * p["nostril.radius.x"]
    return p.vector("nostril.centre"), long, short, inwards / np.linalg.norm(inwards)


def nostril_rings(p: Parameters, sculpture: Sculpture, plan: RingPlan) -> Array:
    """[rings * n + 1, 3] the +x nostril: rings on the skin, rings of the bag, its pole."""
    centre, long, short, inwards = nostril_frame(p)
    angle = np.arange(plan.nostril_count) * (2.0 * np.pi / plan.nostril_count)
    outline = np.cos(angle)[:, None] * long + np.sin(angle)[:, None] * short
    start = np.concatenate([centre + share * outline for share in NOSTRIL_SKIN]) - 0.1 * inwards
    travelled = np.clip(sculpture.march(start, np.tile(inwards, (len(start), 1)), 0.2), 0.0, 0.2)
    skin = start + travelled[:, None] * inwards
    rim = skin[-len(angle) :]
    middle = rim.mean(0)
    bag = [middle + share * (rim - middle) + depth * inwards for share, depth in NOSTRIL_BAG]
    return np.concatenate([skin, *bag, [middle + NOSTRIL_POLE * inwards]])
