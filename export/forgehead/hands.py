"""Hands: phalanges, palm and thumb as capsules, meshed as a level set. Left hand, fingers up (+y), palm towards -z, origin in the palm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh_tools import Patch, capsule, ellipsoid, grid, level_set, smooth_min, unit
from .parameters import Array

# knuckle x, y; phalanges; radii at the knuckle and at the tip
FINGERS = (
    ((0.30, 0.44), (0.42, 0.25, 0.21), (0.100, 0.078)), ((0.10, 0.50), (0.46, 0.28, 0.22), (0.103, 0.080)),
    ((-0.10, 0.46), (0.43, 0.26, 0.22), (0.098, 0.076)), ((-0.29, 0.37), (0.34, 0.19, 0.19), (0.088, 0.066)),
)  # fmt: skip
CELL = 0.096


@dataclass(frozen=True)
class Gesture:
    """Flexion of the three joints of every finger, degrees; how the fingers spread; the thumb's joints as directions."""

    flex: tuple[tuple[float, float, float], ...]
    spread: tuple[float, ...] = (9.0, 2.0, -4.0, -12.0)
    thumb: tuple[tuple[float, float, float], ...] = ((0.62, 0.62, -0.32), (0.45, 0.85, -0.25), (0.32, 0.92, -0.25))


OPEN = Gesture(((9, 14, 8), (6, 12, 8), (9, 15, 9), (14, 18, 10)))
FIST = Gesture(
    ((72, 98, 62), (78, 100, 62), (82, 100, 62), (88, 98, 60)),
    (2, 0, -2, -4),
    ((0.45, 0.62, -0.64), (0.0, 0.62, -0.80), (-0.72, 0.35, -0.55)),
)
CHIN = Gesture(
    ((14, 24, 14), (74, 92, 58), (80, 96, 60), (86, 96, 58)),
    (6, 0, -2, -4),
    ((0.70, 0.66, -0.30), (0.45, 0.88, -0.15), (0.35, 0.93, -0.10)),
)
GRIP = Gesture(
    ((62, 78, 50), (64, 80, 50), (66, 80, 50), (68, 78, 50)),
    (2, 0, -1, -3),
    ((0.35, 0.60, -0.72), (0.05, 0.80, -0.60), (-0.25, 0.88, -0.35)),
)


def _joints(gesture: Gesture) -> list[tuple[Array, Array]]:
    """Per digit: joint positions [4, 3] and the back-of-the-finger direction at its tip."""
    chains = []
    for (knuckle, lengths, _), flex, spread in zip(FINGERS, gesture.flex, gesture.spread, strict=True):
        points = [np.array([knuckle[0], knuckle[1], -0.12 * abs(knuckle[0] - 0.08)])]
        angle, side = 0.0, np.radians(spread)
        for length, bend in zip(lengths, flex, strict=True):
            angle += np.radians(bend)
            flat = np.array([np.sin(side) * np.cos(angle), np.cos(side) * np.cos(angle), -np.sin(angle)])
            points.append(points[-1] + length * flat)
        back = np.array([np.sin(side) * np.sin(angle), np.cos(side) * np.sin(angle), np.cos(angle)])
        chains.append((np.array(points), back))
    points = [np.array([0.22, -0.32, -0.06])]
    for length, way in zip((0.46, 0.33, 0.27), gesture.thumb, strict=True):
        points.append(points[-1] + length * unit(np.array(way)))
    last = unit(points[-1] - points[-2])
    back = unit(np.array([0.75, -0.1, 0.65]) - last * (last @ np.array([0.75, -0.1, 0.65])))
    chains.append((np.array(points), back))
    return chains


def hand(gesture: Gesture, cell: float = CELL) -> Patch:
    chains = _joints(gesture)
    radii = [*(f[2] for f in FINGERS), (0.135, 0.088)]

    def field(p: Array) -> Array:
        wrist = np.array([0.02, -0.50, 0.0])
        palm = np.full(len(p), 9.0)
        for k, (points, _) in enumerate(chains[:4]):
            start = wrist + np.array([0.42 * (points[0, 0] - wrist[0]), 0.02, 0])
            palm = smooth_min(palm, capsule(p, start, points[0] - [0, 0.02, 0.025], (0.165, radii[k][0] + 0.03)), 0.14)
        palm = smooth_min(palm, ellipsoid(p, [0.24, -0.12, -0.12], [0.19, 0.34, 0.15]), 0.15)  # ball of the thumb
        palm = smooth_min(palm, ellipsoid(p, [-0.24, -0.12, -0.10], [0.14, 0.34, 0.13]), 0.15)
        arm = capsule(p * [1, 1, 1.35], [0.02, -0.45, 0.0], [0.03, -1.15, 0.0], (0.275, 0.30)) / 1.15
        whole = smooth_min(palm, arm, 0.18)
        for k, (points, _) in enumerate(chains):
            digit = np.full(len(p), 9.0)
            size = np.linspace(*radii[k], 4)
            for i in range(3):
                digit = smooth_min(
                    digit,
                    capsule(p, points[i], points[i + 1], (size[i] * (0.96 if i else 1.0), size[i + 1] * 0.96)),
                    0.03,
                )
                digit = smooth_min(digit, np.linalg.norm(p - points[i], axis=-1) - size[i] * 1.04, 0.05)  # knuckles
            # flesh joins at the knuckle only: fingers stay apart
            near = np.clip(1.0 - np.linalg.norm(p - points[0], axis=-1) / 0.34, 0.0, 1.0)
            whole = near * smooth_min(whole, digit, 0.12) + (1 - near) * smooth_min(whole, digit, 0.012)
        return np.maximum(whole, -1.0 - p[:, 1])

    everything = np.concatenate([points for points, _ in chains] + [[[0, -1.0, 0]]])
    low, high = everything.min(0) - 0.30, everything.max(0) + 0.24
    low[1] = -1.06
    patch = level_set(field, low, high, cell)
    uv = np.zeros((len(patch.vertices), 2))
    for k, (points, back) in enumerate(chains):
        size = np.linspace(*radii[k], 4)
        last = unit(points[3] - points[2])
        nail = points[3] - 0.03 * last + 0.75 * size[3] * back
        uv[:, 0] = np.maximum(uv[:, 0], np.clip(1.9 - np.linalg.norm(patch.vertices - nail, axis=1) / 0.048, 0, 1))
        for i in range(3):
            uv[:, 1] = np.maximum(
                uv[:, 1], 0.55 * np.exp(-((np.linalg.norm(patch.vertices - points[i], axis=1) / (1.15 * size[i])) ** 4))
            )
    return Patch(patch.vertices, patch.faces, uv)


def sleeve(length: float = 3.8) -> Patch:
    """A cuff and the arm in it, down from the wrist."""
    y = np.array([-0.86, -0.84, -0.84, -0.98, -1.02, -1.04, -1.3, -1.7, -2.2, -0.84 - length])
    r = np.array([0.24, 0.29, 0.35, 0.36, 0.35, 0.38, 0.42, 0.45, 0.50, 0.56])
    turn = np.arange(14) * 2 * np.pi / 14
    wave = 1.0 + 0.04 * np.sin(3 * turn[None] + 5 * y[:, None]) * (np.arange(10)[:, None] > 4)
    points = np.stack(
        [
            0.03 + (r[:, None] * wave) * np.cos(turn),
            np.broadcast_to(y[:, None], (10, 14)),
            0.85 * (r[:, None] * wave) * np.sin(turn),
        ],
        -1,
    )
    return grid(
        points,
        True,
        np.stack(np.broadcast_arrays(0.05 * turn[None], 0.1 * (-0.84 - y)[:, None]), -1),
        np.array([0.03, -1.6, 0]),
    )


def to_grip(patch: Patch) -> Patch:
    """The gripping hand around a rod along +y through the origin; the arm leaves sideways and down."""
    centred = patch.moved([0.0, -0.46, 0.27])
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    tilt = np.radians(-28)
    lean = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1.0]])
    return centred.turned(lean @ turn)
