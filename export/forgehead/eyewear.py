"""Glasses: rims, bridge, pads, temples and lenses. They sit on the nose and the ears, so one affine map moves all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grids import outward
from .head import Head
from .mesh_tools import Bound, Patch, grid, join, nearest_skin, smooth_path, tube
from .parameters import Array, base_parameters
from .sculpture import Sculpture

LENS_X, LENS_Y, LENS_Z = 0.325, -0.045, 0.985
COLUMNS = 24


@dataclass(frozen=True)
class Frame:
    """Half sizes of a lens, the exponent of its outline (2 ellipse, more: squarer), how its corners move, and the rim."""

    half: tuple[float, float]
    power: float = 2.6
    taper: float = 0.0  # narrower below
    cat: float = 0.0  # outer top corner rises
    droop: float = 0.0  # outer bottom hangs (aviator)
    rim: tuple[float, float] = (0.016, 0.016)  # half thickness in the lens plane, and across it
    lower: float = 1.0  # rim below, share
    brow: float = 1.0  # rim above, share
    bridge: float = 0.05  # rise of the bridge
    double_bridge: bool = False
    temple: float = 0.016
    wrap: float = 0.42  # how far the lenses curve back
    square: float = 1.0


FRAMES = {
    "round": Frame((0.235, 0.225), 2.0, rim=(0.014, 0.014), temple=0.012),
    "square": Frame((0.262, 0.190), 4.0, 0.05, rim=(0.026, 0.022), bridge=0.03, temple=0.030, square=0.6),
    "thin": Frame((0.255, 0.150), 4.5, 0.03, rim=(0.009, 0.010), temple=0.010),
    "aviator": Frame(
        (0.275, 0.235), 2.5, 0.20, droop=0.05, rim=(0.010, 0.010), bridge=0.03, double_bridge=True, temple=0.010
    ),
    "cat_eye": Frame(
        (0.262, 0.185), 2.8, 0.10, cat=0.10, rim=(0.022, 0.022), brow=1.7, bridge=0.03, temple=0.022, square=0.7
    ),
    "half_rim": Frame((0.258, 0.165), 3.4, 0.06, rim=(0.015, 0.014), lower=0.16, temple=0.013),
    "rimless": Frame((0.245, 0.160), 3.0, 0.06, rim=(0.0035, 0.006), temple=0.009),
    "thick": Frame((0.268, 0.208), 3.3, 0.07, cat=0.03, rim=(0.038, 0.030), bridge=0.02, temple=0.040, square=0.55),
}


def outline(f: Frame, grow: float | Array = 0.0) -> Array:
    """[COLUMNS, 3] the left lens' edge in space."""
    a = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    c, s = np.cos(a), np.sin(a)
    e = 2.0 / f.power
    x, y = np.sign(c) * np.abs(c) ** e, np.sign(s) * np.abs(s) ** e
    half_x, half_y = f.half[0] + grow, f.half[1] + grow
    x = x * half_x * (1.0 - f.taper * np.clip(-y, 0, 1) * np.where(x < 0, 1.6, 0.7))
    y = (
        y * half_y
        + f.cat * np.clip(c, 0, 1) ** 2 * np.clip(0.6 + s, 0, 1)
        - f.droop * np.clip(c + 0.3, 0, 1) * np.clip(-s, 0, 1)
    )
    return on_lens(f, LENS_X + x, LENS_Y + y)


def on_lens(f: Frame, x: Array, y: Array) -> Array:
    """Points of the front surface: curved around the face and leaning forward at the top."""
    z = LENS_Z - f.wrap * np.maximum(np.abs(x) - 0.12, 0.0) ** 2 + 0.12 * (y - LENS_Y)
    return np.stack([x, y, z], -1)


def lens(f: Frame) -> Patch:
    edge = outline(f, 0.3 * f.rim[0])
    middle = edge.mean(0)
    rings = [on_lens(f, middle[0] + t * (edge[:, 0] - middle[0]), middle[1] + t * (edge[:, 1] - middle[1]))
             + np.array([0, 0, 0.018 * (1 - t * t)])
             for t in (1.0, 0.55)]  # fmt: skip
    sheet_ = grid(np.array(rings), True, inside=middle - [0, 0, 1])
    pole = on_lens(f, middle[:1], middle[1:2]) + np.array([0, 0, 0.018])
    k = np.arange(COLUMNS)
    fan = np.stack([COLUMNS + k, COLUMNS + (k + 1) % COLUMNS, np.full(COLUMNS, 2 * COLUMNS)], 1)
    return Patch(
        np.concatenate([sheet_.vertices, pole]), np.concatenate([sheet_.faces, fan]), np.zeros((2 * COLUMNS + 1, 2))
    ).both_sides()


def frame(f: Frame, ear: Array, half_head: Array) -> Patch:
    """`ear` the crease above the left ear; `half_head` [2, n] z -> half width of the head at temple height."""
    edge = outline(f)
    s = np.sin(np.arange(COLUMNS) * 2 * np.pi / COLUMNS)
    share = f.lower + (f.brow - f.lower) * (0.5 + 0.5 * np.tanh(4.0 * (s + 0.1)))
    rim = _rim(f, edge, share)
    inner = edge[np.argmin(edge[:, 0])]
    top = LENS_Y + f.half[1]
    join_y = min(LENS_Y + 0.35 * f.half[1] + 0.04, top)
    start = on_lens(f, np.array([inner[0] + 0.012]), np.array([join_y]))[0]
    half_bridge = np.array(
        [start, [0.6 * start[0], join_y + 0.8 * f.bridge, LENS_Z + 0.015], [0, join_y + f.bridge, LENS_Z + 0.02]]
    )
    thick = max(f.rim[0], 0.010)
    bridge = [tube(smooth_path(np.concatenate([half_bridge, (half_bridge * [-1, 1, 1])[-2::-1]]), 9), thick, 6)]
    if f.double_bridge:
        bar = on_lens(f, np.array([LENS_X - 0.55 * f.half[0]]), np.array([top - 0.01]))[0]
        bridge.append(tube(np.array([bar, [0, bar[1] + 0.01, bar[2] + 0.01], bar * [-1, 1, 1]]), 0.010, 5))
    outer = edge[np.argmax(edge[:, 0] + 0.15 * (edge[:, 1] > LENS_Y + 0.02))]
    hinge = outer + np.array([0.02, 0.0, -0.01])
    knots = np.array([
        outer + np.array([-0.01, 0, 0]), hinge + np.array([0.035, 0.005, -0.05]),
        [max(hinge[0] + 0.03, np.interp(0.45, *half_head) + 0.035), 0.5 * (hinge[1] + ear[1]) + 0.02, 0.45],
        [max(ear[0], np.interp(0.12, *half_head) + 0.03), ear[1] + 0.012, 0.12],
        ear, ear + np.array([-0.005, -0.10, -0.13]), ear + np.array([-0.02, -0.26, -0.17]),
    ])  # fmt: skip
    path = smooth_path(knots, 11)
    height = np.interp(np.linspace(0, 1, 11), [0, 0.15, 0.7, 1.0], [1.25, 1.0, 0.75, 0.6]) * f.temple
    temple = tube(path, np.stack([np.full(11, min(0.014, f.temple)), height], 1), 4, power=f.square)
    pad_at = np.array([0.105, -0.125, nose_front(0.105, -0.125) + 0.012])
    pad = _pad(pad_at)
    foot = edge[np.argmin(np.linalg.norm(edge - pad_at, axis=1))]
    arm = tube(
        np.array([pad_at + np.array([0.016, 0.0, 0.0]), 0.5 * (pad_at + foot) + [0.0, 0.005, 0.03], foot]),
        0.006,
        4,
        up=(0, 1, 0.1),
    )
    return join(join(rim, temple, pad, arm).both_sides(), *bridge)


def _rim(f: Frame, edge: Array, share: Array) -> Patch:
    """The rim's section is a rounded rectangle in the plane of the lens' outward direction and z."""
    out = edge - edge.mean(0)
    out[:, 2] = 0
    tangent = np.roll(edge, -1, 0) - np.roll(edge, 1, 0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    out -= (out * tangent).sum(1, keepdims=True) * tangent
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    deep = np.cross(tangent, out)
    sides = 5
    turn = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    c, s = np.cos(turn), np.sin(turn)
    c, s = np.sign(c) * np.abs(c) ** f.square, np.sign(s) * np.abs(s) ** f.square
    wide = f.rim[0] * share
    ring = (
        edge[:, None]
        + (wide[:, None] * (c[None] + 0.4))[..., None] * out[:, None]
        + f.rim[1] * (share[:, None] ** 0.3 * s[None])[..., None] * deep[:, None]
    )
    closed = np.concatenate([ring, ring[:1]])
    patch = grid(closed, True, np.zeros((*closed.shape[:2], 2)))
    faces = patch.faces % (COLUMNS * sides)
    vertices = ring.reshape(-1, 3)
    return Patch(vertices, outward(vertices, faces, edge[faces[:, 0] // sides]), np.zeros((len(vertices), 2)))


def _pad(at: Array) -> Patch:
    """A small oval on the side of the nose."""
    turn = np.arange(6) * np.pi / 3
    rim = at + np.stack([0.012 * np.cos(turn) * 0.4, 0.042 * np.sin(turn), 0.022 * np.cos(turn)], -1)
    points = np.stack([rim, at + 0.9 * (rim - at) + [0.014, 0, 0.004], at + 0.05 * (rim - at) + [0.016, 0, 0.005]])
    return grid(points, True, np.zeros((3, 6, 2)), at - [0.1, 0, 0])


def ear_crease(head: Head) -> Array:
    """Where a temple lies: between the top of the left ear and the head."""
    ear = head.rest[head.blocks["l_ear"].ids]
    top = ear[:, 1].max()
    z = float(ear[ear[:, 1] > top - 0.06, 2].mean())
    y = top - 0.055
    return np.array([half_width(y, z) + 0.028, y, z])


def half_width(y: float, z: float) -> float:
    """Half width of the base head."""
    sculpture = Sculpture(base_parameters())
    origin, side = np.array([[0.0, y, z]]), np.array([[-1.0, 0.0, 0.0]])
    return 2.0 - float(sculpture.march(origin + np.array([2.0, 0, 0]), side, 2.0)[0])


def nose_front(x: float, y: float) -> float:
    """How far out the base head's skin lies at (x, y)."""
    origin, back = np.array([[x, y, 2.0]]), np.array([[0.0, 0.0, -1.0]])
    return 2.0 - float(Sculpture(base_parameters()).march(origin, back, 2.0)[0])


def bind_glasses(head: Head, points: Array) -> Bound:
    """Affine in x and z over the bridge of the nose and the two ears; heights move with whichever is nearer."""
    bridge = nearest_skin(head, [[0.0, -0.07, 0.9]])[0]
    start = head.blocks["l_ear"].start
    ear = head.rest[head.blocks["l_ear"].ids]
    left = start + int(np.argmin(np.linalg.norm(ear - ear_crease(head), axis=1)))
    right = head.mirror[left]
    at_bridge, at_ear = head.rest[bridge], head.rest[left]
    share = np.clip((points[:, 2] - at_ear[2]) / (at_bridge[2] - at_ear[2]), -0.3, 1.0)
    side = points[:, 0] / at_ear[0]
    weight = np.stack([share, 0.5 * (1 - share + side), 0.5 * (1 - share - side), 0 * share], 1)
    return np.tile([bridge, left, right, bridge], (len(points), 1)), weight


def feelers(head: Head, f: Frame) -> list[list[float]]:
    """Skin that would touch first: [vertex, weights of the three anchors, gap in metres] in front of each."""
    skin = head.rest[: head.skin.count]
    edge = outline(f)
    found: list[list[float]] = []
    taken: list[Array] = []
    side = np.abs(skin[:, 0])
    radius = np.hypot(
        (side - LENS_X) / (f.half[0] + 2 * f.rim[0]), (skin[:, 1] - LENS_Y) / (f.half[1] + f.cat + 2 * f.rim[0])
    )
    near = np.flatnonzero((skin[:, 2] > 0.3) & (radius < 1.12) & (side > 0.115))
    surface = on_lens(f, skin[near, 0], skin[near, 1])
    distance = np.linalg.norm(edge[None, :, :2] - np.stack([side[near], skin[near, 1]], 1)[:, None], axis=-1).min(1)
    gap = surface[:, 2] - np.where(distance < 0.04, f.rim[1], 0.0) - skin[near, 2]
    _, weight = bind_glasses(head, surface)
    for k in np.argsort(gap):
        point = skin[near[k]]
        if len(found) < 28 and all(np.linalg.norm(point - t) > 0.055 for t in taken):
            taken.append(point)
            found.append([int(near[k]), *(round(float(w), 4) for w in weight[k, :3]), round(0.1 * float(gap[k]), 5)])
    return found


def eyewear(head: Head) -> dict[str, tuple[Patch, Bound]]:
    ear = ear_crease(head)
    z = np.linspace(-0.1, 0.8, 10)
    half_head = np.array([z, [half_width(0.04, v) for v in z]])
    shapes = {}
    for name, f in FRAMES.items():
        shapes[f"glasses_{name}"] = frame(f, ear, half_head)
        shapes[f"lens_{name}"] = lens(f)
    return {name: (patch, bind_glasses(head, patch.vertices)) for name, patch in shapes.items()}
