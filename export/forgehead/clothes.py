"""Garments: each a few sheets over the body (shoulders.py)."""

from __future__ import annotations

import numpy as np

from .head import Head
from .mesh_tools import Bound, Patch, grid, join, smooth_path, tube
from .parameters import Array, smoothstep
from .shoulders import CENTRE, Body, bind_clothes

CREW = (-1.96, -1.53, -1.42)  # heights of the collar: front, side, back


def crew(body: Body, heights: tuple[float, float, float], offset: float, band: float, folds: float = 0.015) -> Patch:
    """A round collar with a ribbed band."""
    edge = [(0.05, -0.03), (0.0, offset + 0.02), (0.03, offset + 0.05), (band, offset + 0.05), (band + 0.03, offset)]
    return body.drape(body.neckline(*heights), edge, 9, offset, 0.10, folds=folds)


def v_neck(body: Body) -> Patch:
    s = np.sin(body.azimuth)
    slope = np.clip(1 - np.abs(body.azimuth - np.pi / 2) / 0.95, 0, 1)
    height = np.interp(s, [-1, 0, 1], [-1.43, -1.53, -1.85]) - 0.95 * slope**1.15
    edge = [(0.05, -0.03), (0.0, 0.07), (0.03, 0.10), (0.15, 0.10), (0.18, 0.055)]
    return body.drape(body.theta_at(height, body.azimuth), edge, 9, 0.055, 0.10, folds=0.015)


def turtleneck(body: Body) -> Patch:
    """A rolled collar up to under the chin; the rest is the crew neck."""
    azimuth = body.azimuth
    profile = [
        (0.30, -0.02),
        (0.40, 0.05),
        (0.42, 0.10),
        (0.38, 0.14),
        (0.20, 0.155),
        (0.04, 0.16),
        (-0.02, 0.12),
        (0.0, 0.06),
    ]
    s = np.sin(azimuth)
    foot = -1.66 - 0.20 * np.maximum(s, 0) ** 1.5 + 0.10 * np.maximum(-s, 0)
    reach = 1.0 - 0.16 * np.maximum(s, 0) + 0.10 * np.maximum(-s, 0)
    rows = []
    for up, out in profile:
        rows.append(body.around_neck(azimuth, foot + up * reach, out))
    rolled = np.array(rows)
    uv = np.stack(np.broadcast_arrays((0.1 * azimuth)[None], 0.1 * np.array([p[0] for p in profile])[:, None]), -1)
    return grid(rolled, True, uv, np.array([0, -1.6, -0.4]))


def open_azimuth(gap: float, count: int) -> Array:
    """Azimuths from the front, left around the back to the front; `gap` radians stay open on each side."""
    return np.linspace(np.pi / 2 + gap, 2.5 * np.pi - gap, count)


def collar(body: Body, gap: float, stand: tuple[float, float], leaf: tuple[float, float], foot: tuple[float, float, float],
           over: float, count: int = 33) -> Patch:  # fmt: skip
    """A shirt's collar: a stand around the neck and a leaf that folds over it. `stand`, `leaf`: (back, front) sizes."""
    azimuth = open_azimuth(gap, count)
    front = np.maximum(np.sin(azimuth), 0) ** 1.5
    tip = smoothstep(0.55, 1.0, np.sin(azimuth))
    s = np.sin(azimuth)
    height = foot[1] + (foot[0] - foot[1]) * np.maximum(s, 0) ** 1.5 + (foot[2] - foot[1]) * np.maximum(-s, 0) ** 1.3
    rise = stand[0] + (stand[1] - stand[0]) * front
    theta = body.theta_at(height, azimuth)
    base = body.surface(theta, azimuth, 0.06, 0.6)
    top = body.around_neck(azimuth, height + rise, 0.07)
    fold = body.around_neck(azimuth, height + rise + 0.03, 0.11)
    shoulder = body.around_neck(azimuth, height + rise - 0.03, 0.17)
    length = leaf[0] + (leaf[1] - leaf[0]) * tip
    reach = np.linalg.norm(base - CENTRE, axis=-1)
    spread = azimuth - 0.16 * tip * np.sign(np.cos(azimuth))
    rim = body.surface(theta + length / reach, spread, over, 0.6)
    middle = 0.5 * (shoulder + rim) + 0.02 * np.stack([np.cos(azimuth), 0.6 + 0 * s, s], -1)
    under = body.surface(theta + (length - 0.02) / reach, spread, over - 0.045, 0.6)
    points = np.stack([base, 0.5 * (base + top), top, fold, shoulder, middle, rim, under])
    along = np.array([0.3, 0.2, 0.06, 0.03, 0.02, 0.015, 0.0, 0.0])
    uv = np.stack(np.broadcast_arrays((0.1 * azimuth)[None], along[:, None]), -1)
    return grid(points, False, uv, np.array([0, -1.7, -0.4]))


def shirt(body: Body) -> Patch:
    """Body of a shirt with a small opening and a button line."""
    slope = np.clip(1 - np.abs(body.azimuth - np.pi / 2) / 0.30, 0, 1)
    s = np.sin(body.azimuth)
    height = -1.53 + (-1.86 + 1.53) * np.maximum(s, 0) ** 1.5 + 0.10 * np.maximum(-s, 0) - 0.36 * slope
    edge = [(0.04, -0.03), (0.0, 0.05), (0.03, 0.075), (0.1, 0.07)]
    return body.drape(body.theta_at(height, body.azimuth), edge, 9, 0.06, 0.10, folds=0.02)


def placket(body: Body, top: float) -> Patch:
    """The strip with the buttons."""
    y = np.linspace(top, -6.6, 13)
    x = np.array([-0.15, -0.14, 0.14, 0.15])
    offset = np.array([0.06, 0.105, 0.105, 0.06])
    points = body.front(x[None], y[:, None], offset[None] + 0.10 * smoothstep(-2.6, -4.2, y)[:, None], 0.6)
    strip = grid(points, inside=CENTRE)
    buttons = []
    turn = np.arange(8) * np.pi / 4
    for height in (top - 0.12, top - 0.95, top - 1.85):
        x, y = 0.055 * np.cos(turn), height + 0.055 * np.sin(turn)
        lean = 0.10 * float(smoothstep(-2.6, -4.2, np.array(height)))
        rim = body.front(x, y, 0.125 + lean, 0.6)
        rim = np.stack([body.front(x, y, 0.10 + lean, 0.6), rim, 0.5 * rim + 0.5 * rim.mean(0) + [0, 0, 0.004]])
        patch = grid(rim, True, np.full((3, 8, 2), 0.5), rim.mean((0, 1)) - [0, 0, 0.2])
        middle = Patch(np.concatenate([patch.vertices, rim[-1].mean(0)[None]]), patch.faces, np.full((25, 2), 0.5))
        fan = np.stack([16 + np.arange(8), 16 + (np.arange(8) + 1) % 8, np.full(8, 24)], 1)
        buttons.append(Patch(middle.vertices, np.concatenate([middle.faces, fan]), middle.uv))
    return join(strip, *buttons)


def opening(y: Array, depth: float) -> Array:
    """Half width of a jacket's opening at height y: a line from the button to the side of the neck."""
    return 0.02 + 0.60 * np.clip((y - depth) / (-1.66 - depth), 0.0, 1.0) ** 0.9


def jacket(body: Body, depth: float, offset: float, back: float = -1.46) -> Patch:
    """A jacket's body, open in front down to `depth`; the lapels hide its edge."""
    s = np.sin(body.azimuth)
    low, high = np.full_like(s, 0.2), np.full_like(s, 2.1)
    for _ in range(14):
        theta = 0.5 * (low + high)
        p = body.surface(theta, body.azimuth, 0.0, 1.0)
        covered = (np.abs(p[:, 0]) > opening(p[:, 1], depth) + 0.09) | (p[:, 1] < depth)
        low, high = np.where(covered, low, theta), np.where(covered, theta, high)
    theta = np.where(s > 0.1, high, body.theta_at(-1.56 + (back + 1.56) * np.maximum(-s, 0) ** 0.7, body.azimuth))
    edge = [(0.06, 0.02), (0.03, offset - 0.03), (0.05, offset)]
    return body.drape(theta, edge, 9, offset, 0.14, loose=1.0, folds=0.02)


def lapel(body: Body, depth: float, width: float, offset: float) -> Patch:
    """The left lapel (of the subject), from the button up to the notch, then the upper collar around to the nape."""
    s = np.linspace(0.0, 0.86, 12)
    inner_y = depth + (-1.66 - depth) * s
    inner_x = opening(inner_y, depth)
    across = width * np.where(s < 0.72, 0.16 + 0.84 * (s / 0.72) ** 0.8, 0.48)
    w = np.array([-0.06, 0.0, 0.03, 0.5, 0.97, 1.0])
    lift = np.array([-0.10, -0.02, 0.05, 0.055, 0.04, -0.015])
    x = inner_x[:, None] + w[None] * across[:, None]
    y = inner_y[:, None] + w[None] * across[:, None] * (0.16 + 0.1 * s[:, None])
    lean = 0.14 * smoothstep(-2.5, -4.0, y)
    points = body.front(x, y, offset + lift[None] + lean, 1.0)
    uv = np.stack(np.broadcast_arrays(0.02 + 0.05 * s[:, None], 0.1 * np.minimum(w, 1 - w)[None]), -1)
    return grid(points, False, uv, CENTRE)


def jacket_collar(body: Body, offset: float, height: float = 0.26, fall: float = 0.32) -> Patch:
    """The upper collar: from the notches around the nape, standing up behind, flat in front."""
    azimuth = np.linspace(np.pi / 2 + 0.60, 2.5 * np.pi - 0.60, 33)
    s = np.sin(azimuth)
    front = smoothstep(-0.3, 0.8, s)
    foot = -1.56 - 0.20 * np.maximum(s, 0) + 0.10 * np.maximum(-s, 0)
    theta = body.theta_at(foot, azimuth)
    reach = np.linalg.norm(body.surface(theta, azimuth) - CENTRE, axis=-1)
    rise = height * (1 - front)
    rows = ((0.06 + 0 * s, -0.08), (-0.9 * rise, 0.02), (-rise, 0.05), (-0.9 * rise + 0.02, 0.085), (0.45 * fall - 0.4 * rise, 0.065),
            (fall + 0 * s, 0.04), (fall - 0.02 + 0 * s, -0.05))  # fmt: skip
    points = np.stack([body.surface(theta + d / reach, azimuth, offset + lift, 1.0) for d, lift in rows])
    uv = np.stack(
        np.broadcast_arrays((0.1 * azimuth)[None], np.array([0.3, 0.05, 0.04, 0.03, 0.02, 0.0, 0.0])[:, None]), -1
    )
    return grid(points, False, uv, np.array([0, -1.7, -0.4]))


def tie(body: Body) -> Patch:
    """Knot and blade."""
    y = np.array([-1.80, -1.84, -1.98, -2.10, -2.14, -2.16, -2.6, -3.2, -4.0, -5.2])
    half = np.array([0.10, 0.145, 0.125, 0.09, 0.075, 0.10, 0.16, 0.21, 0.27, 0.33])
    lift = np.array([0.10, 0.20, 0.24, 0.21, 0.16, 0.15, 0.20, 0.25, 0.26, 0.27])
    w = np.array([-1.0, -0.85, 0.0, 0.85, 1.0])
    drop = np.array([-0.06, 0.0, 0.02, 0.0, -0.06])
    points = body.front(half[:, None] * w[None], np.broadcast_to(y[:, None], (10, 5)), lift[:, None] + drop[None], 0.6)
    return grid(points, inside=CENTRE)


def hood(body: Body) -> Patch:
    """A hood that hangs behind the neck: one folded roll, thick at the nape."""
    knots = np.array([
        # x, y, z, half width across, half height
        [0.10, -2.30, 0.22, 0.06, 0.10], [0.40, -1.98, 0.10, 0.12, 0.17], [0.66, -1.66, -0.16, 0.17, 0.20],
        [0.74, -1.44, -0.55, 0.21, 0.22], [0.56, -1.36, -0.98, 0.26, 0.25], [0.0, -1.42, -1.20, 0.30, 0.30],
    ])  # fmt: skip
    left = smooth_path(knots, 15)
    full = np.concatenate([left, (left * [-1, 1, 1, 1, 1])[-2::-1]])
    roll = tube(full[:, :3], full[:, 3:], 8, up=(0, 1, 0))
    # the bag of the hood below the roll, on the back
    azimuth = np.linspace(1.12 * np.pi, 1.88 * np.pi, 15)
    down = np.array([-0.05, 0.15, 0.5, 0.95, 1.25, 1.32])
    lift = np.array([0.36, 0.46, 0.50, 0.40, 0.22, 0.05])
    middle = np.sin(np.linspace(0, np.pi, 15)) ** 0.6
    theta = body.neckline(-1.95, -1.62, -1.50, azimuth)
    reach = np.linalg.norm(body.surface(theta, azimuth, 0.0, 0.6) - CENTRE, axis=-1)
    thetas = theta[None] + down[:, None] * (0.35 + 0.65 * middle[None]) / reach[None]
    bag = body.surface(thetas, np.broadcast_to(azimuth, thetas.shape), 0.10 + lift[:, None] * middle[None], 0.6)
    strings = []
    for x, length in ((0.17, 1.25), (-0.19, 1.05)):
        y = np.linspace(-2.22, -2.22 - length, 7)
        strings.append(
            tube(body.front(x + 0.05 * np.sin(3 * y), y, 0.17 + 0.1 * smoothstep(-2.5, -4.0, y), 0.6), 0.027, 5)
        )
    return join(roll, grid(bag, inside=CENTRE), *strings)


def tank(body: Body) -> Patch:
    """A tube around the chest and two straps."""
    s, c = np.sin(body.azimuth), np.abs(np.cos(body.azimuth))
    under_arm = smoothstep(0.76, 0.97, c)
    height = (np.where(s > 0, -3.2, -2.9) + 0.55 * smoothstep(0.0, 0.66, c)) * (1 - under_arm) - 3.9 * under_arm
    theta = body.theta_at(height, body.azimuth)
    edge = [(0.05, -0.02), (0.0, 0.03), (0.02, 0.055), (0.09, 0.055), (0.11, 0.04)]
    tube_ = body.drape(theta, edge, 7, 0.04, 0.04, loose=0.3, folds=0.012)
    angle = np.linspace(np.radians(-64), np.radians(66), 17)  # over the shoulder, from the back to the front
    strap = []
    for x, lift in ((0.64, 0.01), (0.645, 0.055), (0.79, 0.065), (0.935, 0.055), (0.94, 0.01)):
        x_ = x + 0.10 * np.sin(angle) ** 2
        direction = np.stack([0 * angle, np.cos(angle), np.sin(angle)], -1)
        start = np.stack([x_, np.full_like(angle, -3.4), np.full_like(angle, -0.45)], -1)
        t = np.full(len(angle), 2.6)
        for _ in range(70):
            t = t - 0.6 * body.field(start + t[:, None] * direction)
        p = start + t[:, None] * direction
        strap.append(p + lift * direction)
    strap_ = grid(np.array(strap), inside=np.array([0.8, -3.4, -0.45]))
    return join(tube_, strap_.both_sides())


def scarf(body: Body) -> Patch:
    """Two loose turns around the neck and one hanging end."""
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    loops = []
    for radius, height, tilt, thick, tall in ((0.60, -1.50, 0.20, 0.15, 0.20), (0.76, -1.78, 0.30, 0.19, 0.21)):
        wobble = 0.03 * np.sin(3 * turn + 10 * radius) + 0.02 * np.sin(7 * turn)
        path = np.stack([(radius + wobble) * np.cos(turn), height - tilt * np.sin(turn) + 0.05 * np.cos(2 * turn),
                         -0.42 + (radius + wobble) * np.sin(turn) * 0.98], -1)  # fmt: skip
        size = np.stack([thick * (1 + 0.18 * np.sin(5 * turn)), tall * (1 + 0.12 * np.cos(4 * turn + 1))], 1)
        loops.append(tube(path, size, 7, True, power=0.9))
    y = np.linspace(-2.0, -5.6, 12)
    w = np.linspace(-1, 1, 8)
    x = 0.50 + 0.42 * w[None] * (1 - 0.25 * np.exp(-((y[:, None] + 2.0) ** 2) / 0.3)) + 0.05 * np.sin(2 * y[:, None])
    lift = (
        0.44
        + 0.05 * np.sin(5.5 * w[None] + 0.6 * y[:, None])
        - 0.20 * (np.abs(w[None]) > 0.99)
        + 0.10 * smoothstep(-2.6, -4.0, y)[:, None]
    )
    end = body.front(x, np.broadcast_to(y[:, None], x.shape), lift, 1.0)
    return join(*loops, grid(end, inside=CENTRE))


def clothes(head: Head, body: Body) -> dict[str, tuple[Patch, Bound]]:
    shapes = {
        "torso": body.skin(),
        "crew": crew(body, CREW, 0.05, 0.20),
        "v_neck": v_neck(body),
        "turtleneck": turtleneck(body),
        "shirt": join(shirt(body), placket(body, -2.16)),
        "collar": collar(body, 0.20, (0.34, 0.24), (0.07, 0.54), (-1.90, -1.54, -1.44), 0.14),
        "jacket": join(jacket(body, -4.9, 0.16), lapel(body, -4.9, 0.82, 0.17).both_sides(), jacket_collar(body, 0.17)),
        "tie": tie(body),
        "hood": hood(body),
        "tank": tank(body),
        "scarf": scarf(body),
    }
    return {name: (patch, bind_clothes(head, patch.vertices)) for name, patch in shapes.items()}
