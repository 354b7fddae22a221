"""Hats, bands and scarves: sheets over the scalp from a rim up to the crown. Rays start in the middle of the skull."""

from __future__ import annotations

import numpy as np

from .head import Head
from .mesh_tools import (
    Bound,
    Patch,
    bind_affine,
    cast_inwards,
    grid,
    join,
    nearest_skin,
    smooth_min,
    smooth_path,
    tube,
    unit,
)
from .parameters import Array, base_parameters, smoothstep
from .sculpture import Sculpture
from .shoulders import Body, bind_clothes

SKULL = np.array([0.0, 0.28, -0.12])
COLUMNS = 26


class Scalp:
    def __init__(self) -> None:
        self.sculpture = Sculpture(base_parameters())

    def field(self, points: Array) -> Array:
        p = points.copy()
        p[..., 0] = np.abs(p[..., 0])
        return self.sculpture.evaluate(p)[0]

    def over(self, direction: Array, offset: Array | float) -> Array:
        """[..., 3] points at `offset` along rays from the middle of the skull."""
        flat = unit(direction.reshape(-1, 3))
        surface = cast_inwards(self.field, SKULL, flat, 2.2, 50)
        return (surface + np.broadcast_to(offset, direction.shape[:-1]).reshape(-1, 1) * flat).reshape(direction.shape)

    def rim(self, front: float, side: float, back: float, columns: int = COLUMNS) -> Array:
        """[columns, 3] directions to a line around the head at these heights."""
        a = np.arange(columns) * 2 * np.pi / columns
        s = np.sin(a)
        y = side + (front - side) * np.maximum(s, 0) ** 1.4 + (back - side) * np.maximum(-s, 0) ** 1.4
        point = np.stack([0.75 * np.cos(a), y, SKULL[2] + 0.97 * s], -1)
        return unit(point - SKULL)

    def dome(self, rim: Array, offsets: Array, ends: Array, crown: Array | None = None) -> Patch:
        """Rows from the rim (end 0) to the crown (end 1) at these offsets; closed by a pole."""
        crown = unit(np.array([0.0, 1.0, -0.16])) if crown is None else crown
        angle = np.arccos(np.clip(rim @ crown, -1, 1))
        rows = []
        for t in ends:
            w0 = np.sin((1 - t) * angle) / np.sin(angle)
            w1 = np.sin(t * angle) / np.sin(angle)
            rows.append(w0[:, None] * rim + w1[:, None] * crown)
        direction = np.array(rows)
        offsets = np.broadcast_to(np.reshape(offsets, (len(ends), -1)), direction.shape[:2])
        points = self.over(direction, offsets)
        pole = self.over(crown[None], float(np.mean(offsets[-1])))
        n, c = points.shape[:2]
        along = 0.1 * np.cumsum(np.concatenate([[0.0], np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1)]))
        u = np.arange(c) / c
        uv = np.stack(np.broadcast_arrays(u[None], along[:, None]), -1)
        patch = grid(points, True, uv, SKULL)
        k = np.arange(c)
        fan = np.stack([(n - 1) * c + k, (n - 1) * c + (k + 1) % c, np.full(c, n * c)], 1)
        towards = np.cross(points[-1, 1] - points[-1, 0], pole[0] - points[-1, 0]) @ crown
        fan = fan if towards > 0 else fan[:, ::-1]
        return Patch(np.concatenate([patch.vertices, pole]), np.concatenate([patch.faces, fan]),
                     np.concatenate([patch.uv, [[0.0, along[-1] + 0.02]]]))  # fmt: skip


def beanie(scalp: Scalp) -> Patch:
    rim = scalp.rim(0.58, 0.0, -0.30)
    ends = np.array([0.0, 0.0, 0.02, 0.16, 0.30, 0.32, 0.31, 0.42, 0.56, 0.70, 0.83, 0.94])
    offset = np.array([0.03, 0.10, 0.14, 0.155, 0.14, 0.12, 0.07, 0.09, 0.12, 0.17, 0.23, 0.27])
    return scalp.dome(rim, offset, ends)


def cap(scalp: Scalp, backwards: bool = False) -> Patch:
    rim = scalp.rim(0.54, 0.24, -0.12) if not backwards else scalp.rim(0.55, 0.26, 0.02)
    a = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    front = np.maximum(np.sin(a if not backwards else -a), 0)
    ends = np.array([0.0, 0.0, 0.05, 0.18, 0.34, 0.50, 0.66, 0.82, 0.94])
    base = np.array([0.03, 0.065, 0.075, 0.10, 0.12, 0.13, 0.13, 0.12, 0.11])
    boxy = np.array([0.0, 0.0, 0.02, 0.07, 0.12, 0.13, 0.09, 0.04, 0.0])
    crown = scalp.dome(rim, base[:, None] + boxy[:, None] * front[None] ** 0.7, ends)
    # the brim
    turn = np.linspace(np.radians(28), np.radians(152), 15) + (np.pi if backwards else 0.0)
    index = turn / (2 * np.pi) * COLUMNS
    root_all = crown.vertices[2 * COLUMNS : 3 * COLUMNS]
    root = np.stack([np.interp(index, np.arange(2 * COLUMNS), np.tile(root_all[:, k], 2)) for k in range(3)], -1)
    forward = np.stack([0.55 * np.cos(turn), 0 * turn, np.sin(turn)], -1)
    reach = 0.78 * np.abs(np.sin((turn - turn[0]) / (turn[-1] - turn[0]) * np.pi)) ** 0.45
    drop = 0.10 + 0.10 * np.cos(turn) ** 2
    rows, uv = [], []
    for t, up in (
        (0.0, 0.012),
        (0.33, 0.016),
        (0.66, 0.016),
        (0.98, 0.014),
        (1.0, 0.0),
        (0.97, -0.014),
        (0.4, -0.016),
        (0.0, -0.014),
    ):
        bend = -drop * reach * t - 0.42 * np.cos(turn) ** 2 * t * reach
        rows.append(root + forward * (reach * t)[:, None] + np.stack([0 * turn, bend + up + 0.01, 0 * turn], -1))
        uv.append(np.stack([0 * turn - 1.0, 0.1 * reach * t], -1))
    brim = grid(np.array(rows), uv=np.array(uv), inside=np.array(rows).mean((0, 1)))
    button = tube(
        np.stack([crown.vertices[-1] - [0, 0.01, 0], crown.vertices[-1] + [0, 0.03, 0]]), 0.05, 8, up=(0, 0, 1)
    )
    return join(crown, brim, button)


def brimmed(scalp: Scalp, wide: float, tall: float, droop: float) -> Patch:
    """Crown with a crease, band and an all-round brim."""
    rim = scalp.rim(0.54, 0.30, 0.06)
    foot = scalp.over(rim, 0.06)
    middle = foot.mean(0)
    a = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    flat = foot - middle
    flat[:, 1] = 0
    up = np.array([0.0, 1.0, -0.18])
    rows, uv = [], []
    top = middle + up * tall
    profile = [
        (0.0, 1.0, 0.0),
        (0.18, 1.0, 0.0),
        (0.20, 0.985, 0.0),
        (0.55, 0.955, 0.0),
        (0.86, 0.90, 0.0),
        (0.98, 0.80, 0.02),
        (1.0, 0.60, 0.10),
        (0.97, 0.3, 0.22),
    ]
    for h, r, dent in profile:
        line = (1 - h) * foot + h * (top + flat * 0.92)
        p = line * 1.0
        centre = line.mean(0)
        p = centre + (line - centre) * r
        p[:, 1] -= dent * tall * 0.6 * np.exp(-((flat[:, 0] * r / 0.30) ** 2))
        p[:, :1] *= 1 - 0.16 * (np.maximum(np.sin(a), 0) ** 2 * smoothstep(0.4, 1.0, np.array([h])))[:, None]
        rows.append(p)
        uv.append(np.stack([a / (2 * np.pi), np.full_like(a, 0.1 * tall * h)], -1))
    crown = grid(np.array(rows), True, np.array(uv), middle)
    n = len(rows) * COLUMNS
    last = np.array(rows)[-1]
    k = np.arange(COLUMNS)
    fan = np.stack([n - COLUMNS + k, n - COLUMNS + (k + 1) % COLUMNS, np.full(COLUMNS, n)], 1)[:, ::-1]
    pole = last.mean(0)[None]
    if np.cross(last[1] - last[0], pole[0] - last[0])[1] > 0:
        fan = fan[:, ::-1]
    crown = Patch(
        np.concatenate([crown.vertices, pole]),
        np.concatenate([crown.faces, fan]),
        np.concatenate([crown.uv, [[0.0, 0.1 * tall]]]),
    )
    out = unit(flat)
    brim_rows, brim_uv = [], []
    for t, lift in (
        (0.0, 0.012),
        (0.4, 0.014),
        (0.8, 0.014),
        (1.0, 0.004),
        (0.97, -0.012),
        (0.5, -0.014),
        (0.0, -0.012),
    ):
        bend = t**1.5 * wide * (0.30 * np.abs(np.cos(a)) ** 2 - droop + 0.04 * np.sin(3 * a))
        brim_rows.append(foot + out * (wide * t) + np.stack([0 * a, bend + lift, 0 * a], -1))
        brim_uv.append(np.stack([a / (2 * np.pi), np.full_like(a, 0.1 * wide * t)], -1))
    brim = grid(np.array(brim_rows), True, np.array(brim_uv), np.array(brim_rows).mean((0, 1)))
    return join(crown, brim)


def hat_band(scalp: Scalp) -> Patch:
    rim = scalp.rim(0.54, 0.30, 0.06)
    foot = scalp.over(rim, 0.068)
    middle = foot.mean(0)
    rows = [
        foot + np.array([0, 0.01, 0]),
        foot + np.array([0, 0.02, 0]) + 0.01 * unit(foot - middle),
        foot + np.array([0, 0.15, -0.025]) + 0.01 * unit(foot - middle),
        foot + np.array([0, 0.17, -0.03]),
    ]
    return grid(np.array(rows), True, inside=middle)


def head_band(scalp: Scalp) -> Patch:
    a = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    s = np.sin(a)
    rows, uv = [], []
    for t, offset in ((-1.02, 0.02), (-1.0, 0.055), (-0.5, 0.07), (0.5, 0.07), (1.0, 0.055), (1.02, 0.02)):
        y = 0.42 + 0.36 * np.maximum(s, 0) ** 1.3 - 0.35 * np.maximum(-s, 0) + t * (0.13 + 0.02 * np.cos(2 * a))
        point = np.stack([0.75 * np.cos(a), y, SKULL[2] + 0.97 * s], -1)
        rows.append(scalp.over(unit(point - SKULL), offset))
        uv.append(np.stack([a / (2 * np.pi), np.full_like(a, 0.013 * (t + 1.1))], -1))
    return grid(np.array(rows), True, np.array(uv), SKULL)


def turban(scalp: Scalp) -> Patch:
    """Wound cloth: ridges that cross above the forehead."""
    rim = scalp.rim(0.58, 0.10, -0.28)
    a = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    ends = np.linspace(0.0, 0.96, 19)
    over = 0.06 + 0.30 * np.sin(np.pi * np.clip(ends * 0.8 + 0.12, 0, 1)) ** 0.8
    front = np.abs((a - np.pi / 2 + np.pi) % (2 * np.pi) - np.pi) / np.pi  # 0 front .. 1 back
    ridge = np.abs(np.sin(np.pi * (6.0 * ends[:, None] - 3.4 * front[None]))) ** 0.7
    offset = (
        over[:, None] * (1 - 0.25 * front[None]) + 0.055 * ridge * np.sin(np.pi * np.clip(ends + 0.12, 0, 1))[:, None]
    )
    offset[0] = 0.02
    dome = scalp.dome(rim, offset, ends)
    phase = (6.0 * ends[:, None] - 3.4 * front[None]).ravel()
    return Patch(dome.vertices, dome.faces, np.stack([np.append(phase, 6.0), dome.uv[:, 1]], 1))


def helmet(scalp: Scalp) -> Patch:
    """A rider's helmet with a short peak."""
    rim = scalp.rim(0.56, 0.10, -0.22)
    ends = np.array([0.0, 0.0, 0.01, 0.10, 0.25, 0.42, 0.60, 0.78, 0.93])
    offset = np.array([0.06, 0.22, 0.25, 0.27, 0.28, 0.28, 0.27, 0.26, 0.25])
    shell = scalp.dome(rim, offset, ends)
    turn = np.linspace(np.radians(38), np.radians(142), 11)
    index = turn / (2 * np.pi) * COLUMNS
    root_all = shell.vertices[3 * COLUMNS : 4 * COLUMNS]
    root = np.stack([np.interp(index, np.arange(COLUMNS), root_all[:, k]) for k in range(3)], -1)
    reach = 0.32 * np.sin((turn - turn[0]) / (turn[-1] - turn[0]) * np.pi) ** 0.5
    forward = np.stack([0.4 * np.cos(turn), -0.25 + 0 * turn, np.sin(turn)], -1)
    rows = [
        root + forward * (reach * t)[:, None] + [0, lift, 0]
        for t, lift in ((0, 0.0), (0.5, 0.012), (1.0, 0.0), (0.5, -0.03), (0, -0.04))
    ]
    peak = grid(np.array(rows), inside=np.array(rows).mean((0, 1)))
    strap = []
    for k in (0.30, -0.12):
        path = smooth_path(
            [
                [0.78, 0.20, k],
                [0.72, -0.35, 0.5 * k + 0.10],
                [0.58, -0.85, 0.22],
                [0.30, -1.14, 0.42],
                [0.0, -1.20, 0.48],
            ],
            11,
        )
        strap.append(tube(path, np.stack([np.full(11, 0.045), np.full(11, 0.012)], 1), 4, up=(1, 0, 0.3)))
    return join(shell, peak, *[s.both_sides() for s in strap])


def hijab_hood(scalp: Scalp) -> Patch:
    """Cloth around the face, over head and neck. Rays start behind the face."""
    centre = np.array([0.0, -0.15, -0.25])

    def field(p: Array) -> Array:
        q = p.copy()
        q[..., 0] = np.abs(q[..., 0])
        head_ = scalp.sculpture.evaluate(q)[0] - 0.055
        low = np.array([0.0, -1.05, -0.02])
        axis = np.array([0.0, -0.75, -0.34])
        t = np.clip(((q - low) @ axis) / (axis @ axis), 0, 1)
        wrap = np.linalg.norm((q - low - t[..., None] * axis) * [1, 1, 0.9], axis=-1) - (0.62 + 0.10 * t)
        back = np.linalg.norm((q - [0.0, -0.35, -0.45]) / [0.80, 0.95, 0.78], axis=-1) * 0.78 - 0.78
        return smooth_min(smooth_min(head_, wrap, 0.5), back, 0.5)

    psi = np.arange(32) * 2 * np.pi / 32
    c, s = np.cos(psi), np.sin(psi)
    edge = np.stack(
        [
            0.58 * np.sign(c) * np.abs(c) ** 0.85,
            np.where(s > 0, -0.2 + 0.86 * s, -0.2 - 0.945 * np.abs(s)),
            np.where(s > 0, 0.45 + 0.28 * s, 0.45 + 0.20 * np.abs(s)),
        ],
        -1,
    )
    first = unit(edge - centre)
    pole = unit(np.array([0.0, -0.15, -1.0]))
    angle = np.arccos(np.clip(first @ pole, -1, 1))
    rows, uv = [], []
    for t, offset in (
        (0.0, -0.03),
        (0.0, 0.03),
        (0.025, 0.06),
        (0.10, 0.05),
        (0.20, 0.05),
        (0.32, 0.05),
        (0.45, 0.05),
        (0.6, 0.05),
        (0.75, 0.05),
        (0.9, 0.05),
    ):
        d = (np.sin((1 - t) * angle)[:, None] * first + np.sin(t * angle)[:, None] * pole) / np.sin(angle)[:, None]
        surface = cast_inwards(field, centre, d, 2.6, 60)
        fold = (
            0.022 * np.sin(22 * t + 1.5 * np.abs(psi - np.pi / 2)) * np.clip(t / 0.2, 0, 1) * smoothstep(0.5, -0.3, s)
        )
        rows.append(surface + (offset + fold)[:, None] * d)
        uv.append(np.stack([psi / (2 * np.pi), np.full_like(psi, 0.18 * t)], -1))
    points = np.array(rows)
    hood = grid(points, True, np.array(uv), centre)
    last, n = points[-1], 10 * 32
    k = np.arange(32)
    fan = np.stack([n - 32 + k, n - 32 + (k + 1) % 32, np.full(32, n)], 1)
    top = cast_inwards(field, centre, pole[None], 2.6, 60) + 0.05 * pole
    if np.cross(last[1] - last[0], top[0] - last[0]) @ pole < 0:
        fan = fan[:, ::-1]
    return Patch(
        np.concatenate([hood.vertices, top]),
        np.concatenate([hood.faces, fan]),
        np.concatenate([hood.uv, [[0.0, 0.18]]]),
    )


def hijab_drape(body: Body) -> Patch:
    """What falls over the shoulders."""
    az = body.azimuth[::2]
    theta = body.neckline(-1.55, -1.38, -1.30, az)
    reach = np.linalg.norm(body.surface(theta, az) - [0.0, -2.9, -0.45], axis=-1)
    s = np.sin(az)
    length = 2.0 + 1.2 * np.maximum(s, 0) ** 2 + 0.6 * np.maximum(-s, 0)
    rows, uv = [], []
    for t, lift in (
        (0.0, 0.10),
        (0.07, 0.32),
        (0.16, 0.38),
        (0.28, 0.38),
        (0.45, 0.38),
        (0.7, 0.40),
        (0.98, 0.40),
        (1.0, 0.28),
    ):
        fold = 0.04 * np.sin(6 * az + 9 * t + np.sin(3 * az)) * np.clip(t / 0.2, 0, 1)
        rows.append(body.surface(theta + t * length / reach, az, lift + fold, 1.0))
        uv.append(np.stack([az / (2 * np.pi), 0.1 * t * length], -1))
    return grid(np.array(rows), True, np.array(uv), np.array([0, -2.9, -0.45]))


def bind_hat(head: Head, points: Array) -> Bound:
    """One affine map over forehead, sides and back of the scalp."""
    anchors = nearest_skin(head, [[0.0, 0.95, 0.55], [0.75, 0.22, -0.1], [-0.75, 0.22, -0.1], [0.0, 0.45, -1.0]])
    anchors[2] = head.mirror[anchors[1]]
    return bind_affine(head, points, anchors)


def headwear(head: Head, body: Body) -> dict[str, tuple[Patch, Bound]]:
    scalp = Scalp()
    shapes = {
        "beanie": beanie(scalp), "cap": cap(scalp), "cap_back": cap(scalp, True), "fedora": brimmed(scalp, 0.55, 1.0, 0.10),
        "sun_hat": brimmed(scalp, 0.90, 0.84, 0.34), "hat_band": hat_band(scalp), "head_band": head_band(scalp),
        "turban": turban(scalp), "helmet": helmet(scalp), "hijab": hijab_hood(scalp),
    }  # fmt: skip
    bound = {name: (patch, bind_hat(head, patch.vertices)) for name, patch in shapes.items()}
    drape = hijab_drape(body)
    return bound | {"hijab_drape": (drape, bind_clothes(head, drape.vertices))}
