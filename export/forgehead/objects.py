"""Things in front of the face. Free ones have their origin where they are held; the medical mask is bound to the face."""

from __future__ import annotations

import numpy as np

from .hands import CHIN, FIST, GRIP, OPEN, hand, sleeve, to_grip
from .head import Head
from .headwear import Scalp
from .mesh_tools import (
    Bound,
    Patch,
    bind_to,
    box,
    ellipsoid,
    grid,
    join,
    lathe,
    nearest_skin,
    smooth_min,
    smooth_path,
    tube,
)
from .parameters import Array


def microphone_head() -> Patch:
    a = np.linspace(0.05, 2.3, 9)
    profile = [(0.27 * np.sin(v), 0.90 + 0.27 * np.cos(v)) for v in a]
    return lathe(profile, 14)


def microphone_body() -> Patch:
    return lathe(
        [
            (0.20, 0.72),
            (0.245, 0.70),
            (0.245, 0.62),
            (0.20, 0.60),
            (0.175, 0.3),
            (0.15, -0.5),
            (0.13, -0.9),
            (0.11, -0.93),
            (0.001, -0.93),
        ],
        14,
    )


def mug() -> Patch:
    """The handle goes through the fist at the origin; the cup stands at its side."""
    wall = lathe([(0.36, 0.46), (0.385, 0.48), (0.41, 0.46), (0.41, -0.42), (0.37, -0.48), (0.001, -0.48)], 16)
    inner = lathe([(0.001, -0.40), (0.34, -0.40), (0.36, 0.46)], 16)
    handle = tube(
        smooth_path([[-0.36, 0.30, 0], [-0.62, 0.30, 0], [-0.72, 0.0, 0], [-0.62, -0.28, 0], [-0.36, -0.30, 0]], 11),
        0.055,
        7,
        up=(0, 0, 1),
    )
    return join(wall, inner, handle).moved([0.70, 0.0, 0.0])


def phone_body() -> Patch:
    return box((0.37, 0.76, 0.045), 0.035).moved([0.28, 0.30, 0.0])


def phone_camera() -> Patch:
    plate = box((0.14, 0.15, 0.012), 0.01).moved([0.06 + 0.06, 0.86, 0.052])
    lenses = [lathe([(0.001, 0.012), (0.05, 0.010), (0.055, -0.01)], 10).turned(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])).moved([x, y, 0.062])
              for x, y in ((0.06, 0.92), (0.06, 0.79), (0.18, 0.855))]  # fmt: skip
    return join(plate, *lenses)


def book() -> tuple[Patch, Patch]:
    """Covers and pages of an open book, its back towards the camera."""
    covers, pages = [], []
    for side in (-1.0, 1.0):
        a = side * 0.30
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        covers.append(box((0.74, 1.05, 0.022), 0.012).moved([side * 0.74, 0, 0]).turned(turn))
        pages.append(box((0.70, 1.00, 0.06), 0.02).moved([side * 0.71, 0, -0.085]).turned(turn))
    covers.append(box((0.07, 1.05, 0.022), 0.012))
    lift = [-0.55, 0.62, -0.02]
    return join(*covers).moved(lift), join(*pages).moved(lift)


def paper() -> Patch:
    """A bent sheet, print towards the camera."""
    x, y = np.linspace(-0.9, 0.9, 9), np.linspace(1.25, -1.25, 7)
    points = np.stack(
        np.broadcast_arrays(x[None], y[:, None], -0.10 * x[None] ** 2 + 0.04 * np.sin(2.2 * y[:, None] + x[None])), -1
    )
    uv = 0.1 * np.stack(np.broadcast_arrays(x[None] + 0.8, 1.25 - y[:, None]), -1)
    return grid(points, uv=uv, inside=np.array([0, 0, -5.0])).moved([-0.75, 0.5, 0.02])


def stick() -> Patch:
    return tube(
        np.array([[0, -1.2, 0], [0.0, 0.0, 0.0], [0, 1.5, 0.0]]), np.array([0.045, 0.045, 0.04]), 8, up=(0, 0, 1)
    )


# ---------------------------------------------------------------- medical mask
def medical_mask(scalp: Scalp) -> tuple[Patch, Patch]:
    """Cloth and ear loops."""

    def field(p: Array) -> Array:
        tent = ellipsoid(p, [0.0, -0.64, 0.48], [0.44, 0.56, 0.55])
        return smooth_min(scalp.field(p), tent, 0.30)

    turn = np.radians(np.linspace(-74, 74, 19))
    edge = np.abs(turn) / turn.max()
    rows, uv = [], []
    v = np.array([0.0, 0.06, 0.14, 0.25, 0.37, 0.50, 0.63, 0.76, 0.88, 1.0])
    for t in v:
        top, bottom = -0.10 - 0.24 * edge**1.5, -1.165 + 0.50 * edge**1.5
        y = top + (bottom - top) * t
        origin = np.stack([0 * turn, y, 0.10 + 0 * turn], -1)
        way = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], -1)
        t_ = np.full(len(turn), 1.4)
        for _ in range(60):
            t_ = t_ - 0.7 * field(origin + t_[:, None] * way)
        lift = 0.018 + 0.045 * np.sin(np.pi * np.clip(t, 0.03, 0.97)) * (1 - edge**3)
        if t in (0.0, 1.0):
            lift = np.full_like(edge, 0.012 if t == 0.0 else 0.03)
        rows.append(origin + (t_ + lift)[:, None] * way)
        uv.append(np.stack([0.09 * turn / turn.max(), 0.1 * t + 0 * turn], -1))
    cloth = grid(np.array(rows), uv=np.array(uv), inside=np.array([0, -0.6, 0.2]))
    loops = []
    top, bottom = rows[1][-1], rows[-2][-1]
    for corner, path in (
        (top, [[0.71, -0.06, 0.14], [0.735, 0.02, -0.05], [0.745, -0.10, -0.18]]),
        (bottom, [[0.66, -0.52, 0.10], [0.67, -0.48, -0.08], [0.72, -0.30, -0.18]]),
    ):
        loops.append(tube(smooth_path(np.array([corner, *path]), 9), 0.012, 4, up=(1, 0, 0.2)))
    return cloth, join(*loops).both_sides()


FACE_ANCHORS = (
    (0.0, 0.05, 0.85), (0.0, -0.35, 1.08), (0.28, -0.20, 0.78), (0.0, -1.05, 0.85), (0.0, -1.14, 0.60), (0.25, -0.95, 0.70), (0.36, -0.55, 0.72),
    (0.50, -0.30, 0.55), (0.50, -0.72, 0.35), (0.58, -0.30, 0.25), (0.30, -1.02, 0.45), (0.18, -0.52, 0.90), (0.0, -0.82, 0.93),
)  # fmt: skip


def bind_face(head: Head, points: Array) -> Bound:
    anchors = nearest_skin(head, FACE_ANCHORS)
    return bind_to(head, points, np.unique(np.concatenate([anchors, head.mirror[anchors]])))


def bind_loops(head: Head, points: Array) -> Bound:
    block = head.blocks["l_ear"]
    ear = head.rest[block.ids]
    behind = block.start + int(np.argmin(np.linalg.norm(ear - [0.74, -0.1, -0.15], axis=1)))
    anchors = nearest_skin(head, [[0.50, -0.30, 0.55], [0.50, -0.72, 0.35]])
    anchors = np.concatenate([anchors, [behind]])
    return bind_to(head, points, np.concatenate([anchors, head.mirror[anchors]]))


def objects(head: Head) -> dict[str, tuple[Patch, Bound | None]]:
    covers, pages = book()
    mask, loops = medical_mask(Scalp())
    arm = sleeve()
    return {
        "hand_open": (hand(OPEN), None), "fist": (hand(FIST), None), "hand_chin": (hand(CHIN), None), "sleeve": (arm, None),
        "grip": (to_grip(hand(GRIP)), None), "grip_sleeve": (to_grip(arm), None),
        "microphone": (microphone_head(), None), "microphone_body": (microphone_body(), None), "mug": (mug(), None),
        "phone": (phone_body(), None), "phone_camera": (phone_camera(), None), "book": (covers, None), "book_pages": (pages, None),
        "paper": (paper(), None), "stick": (stick(), None),
        "mask": (mask, bind_face(head, mask.vertices)), "mask_loops": (loops, bind_loops(head, loops.vertices)),
    }  # fmt: skip
