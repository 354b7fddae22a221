"""Guide strands of hair styles: roots on the scalp, paths that follow a style's flow and lie on what is below them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import Delaunay

from .hairline import CENTRE, hair_distance
from .head import Head
from .parameters import Array, base_parameters, smoothstep
from .sculpture import Sculpture
from .template import FLIP

STEPS = 40
SPACING = 0.155  # of roots
WHORL = np.array([0.10, 0.98, -0.62])
SHOULDER = (np.array([0.0, -2.16, -0.42]), np.array([1.40, -2.42, -0.42]), 0.52)
DOWN = np.array([0.0, -1.0, 0.0])


def unit(v: Array) -> Array:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


class Body:
    """Distance to what hair lies on: head, ears, shoulders."""

    def __init__(self, head: Head) -> None:
        self.sculpture = Sculpture(base_parameters())
        ear = head.rest[head.blocks["l_ear"].ids]
        low, high = ear.min(0), ear.max(0)
        self.ear = 0.5 * (low + high)
        self.ear_radius = 0.5 * (high - low) + np.array([0.01, 0.03, 0.03])

    def distance(self, points: Array) -> Array:
        q = points * [1, 1, 1]
        q[:, 0] = np.abs(q[:, 0])
        value = self.sculpture.evaluate(q)[0]
        unit_ear = (q - self.ear) / self.ear_radius
        k0, k1 = np.linalg.norm(unit_ear, axis=1), np.linalg.norm(unit_ear / self.ear_radius, axis=1)
        value = np.minimum(value, k0 * (k0 - 1) / np.maximum(k1, 1e-6))
        a, b, radius = SHOULDER
        along = np.clip((q - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return np.minimum(value, np.linalg.norm(q - a - along[:, None] * (b - a), axis=1) - radius)

    def slope(self, points: Array) -> tuple[Array, Array]:
        """Distance and its unit gradient."""
        step = 0.004
        value = self.distance(points)
        ahead = [self.distance(points + step * axis) for axis in np.eye(3)]
        behind = [self.distance(points - step * axis) for axis in np.eye(3)]
        return value, unit(np.stack(ahead, 1) - np.stack(behind, 1))


@dataclass
class Scalp:
    """Roots [2n, 3] (the second half mirrors the first), their outward normals and triangles."""

    head: Head
    widest: dict[str, Any]
    body: Body = field(init=False)

    def __post_init__(self) -> None:
        self.body = Body(self.head)
        rng = np.random.default_rng(3)
        direction = unit(rng.normal(size=(9000, 3)))
        direction[:, 0] = np.abs(direction[:, 0])
        start = CENTRE + 1.9 * direction
        points = start - direction * self.body.sculpture.march(start, -direction, 1.9)[:, None]
        points = points[(hair_distance(points, self.widest) > -0.09) & (points[:, 0] > 0.32 * SPACING)]
        chosen: list[Array] = []
        for p in points:
            if not chosen or np.linalg.norm(np.array(chosen) - p, axis=1).min() > SPACING:
                chosen.append(p)
        half = np.array(chosen)
        self.roots = np.concatenate([half, half * FLIP])
        self.normals = self.body.slope(self.roots)[1]

    @cached_property
    def cells(self) -> np.ndarray:
        """[C, 3] triangles of roots: Delaunay around the crown."""
        axis = unit(np.array([0.0, 0.9, -0.45]))
        offset = unit(self.roots - CENTRE)
        angle = np.arccos(np.clip(offset @ axis, -1, 1))
        left = np.array([1.0, 0, 0])
        plane = np.stack([offset @ left, offset @ np.cross(axis, left)], 1)
        plane *= (angle / np.maximum(np.linalg.norm(plane, axis=1), 1e-9))[:, None]
        cells = Delaunay(plane).simplices
        edge = np.stack(
            [np.linalg.norm(self.roots[cells[:, k]] - self.roots[cells[:, k - 1]], axis=1) for k in range(3)], 1
        )
        return cells[edge.max(1) < 2.6 * SPACING]


def zones(points: Array) -> dict[str, Array]:
    """Soft regions of the scalp, 0..1."""
    d = unit(points - CENTRE)
    top = smoothstep(0.50, 0.80, d[:, 1])
    low = smoothstep(0.35, -0.35, d[:, 1])
    front = smoothstep(0.15, 0.60, d[:, 2])
    back = smoothstep(-0.05, -0.50, d[:, 2])
    fringe = smoothstep(0.38, 0.62, d[:, 2]) * smoothstep(0.35, 0.55, d[:, 1])
    one = np.ones(len(points))
    return {
        "all": one,
        "top": top,
        "front": front,
        "back": back * (1 - top),
        "side": (1 - top) * (1 - back),
        "low": low,
        "fringe": fringe,
        "crown": top * smoothstep(0.3, -0.2, d[:, 2]),
    }


def zoned(values: dict[str, float] | float, zone: dict[str, Array]) -> Array:
    """A number per root: "all" first, then each named zone is mixed in."""
    if not isinstance(values, dict):
        return np.full(len(zone["all"]), float(values))
    result = np.full(len(zone["all"]), float(values["all"]))
    for name, value in values.items():
        if name != "all":
            result += (value - result) * zone[name]
    return result


def parting_side(roots: Array, part: dict[str, float] | None) -> Array:
    """-1 / 1: side of the parting, 0 beyond its end."""
    if part is None:
        return np.sign(roots[:, 0])
    x = part["x"] + part.get("slant", 0.0) * (0.6 - roots[:, 2])
    return np.where(roots[:, 0] > x, 1.0, -1.0)


def flow_fields(points: Array, side: Array, style: dict[str, Any]) -> dict[str, Array]:
    one = np.ones((len(points), 1))
    x = points[:, :1]
    tie = np.array(style.get("tie", [0, 0.5, -1.0]), float)
    whorl = WHORL * [style.get("whorl", 1.0), 1, 1]
    return {
        "fall": unit(points - whorl),
        "forward": one * unit(np.array([0.0, -0.25, 1.0])),
        "back": one * np.array([0.0, 0.0, -1.0]),
        "down": one * DOWN,
        "up": -one * DOWN,
        "left": one * np.array([1.0, 0, 0]),
        "right": one * np.array([-1.0, 0, 0]),
        "apart": (side * smoothstep(-0.7, 0.0, points[:, 2]))[:, None]
        * np.array([1.0, 0, 0]),  # partings end at the crown
        "inward": -np.clip(x, -1, 1) * np.array([1.0, 0, 0]),
        "tie": unit(tie - points),
    }


def waviness(points: Array, seed: int, scale: float) -> Array:
    """[N, 3] smooth random vectors."""
    rng = np.random.default_rng(seed)
    total = np.zeros_like(points)
    for _ in range(6):
        wave = rng.normal(size=3) * scale
        total += np.sin(points @ wave + rng.uniform(0, 6.28))[:, None] * rng.normal(size=3) / np.sqrt(6)
    return total


def grow(scalp: Scalp, style: dict[str, Any]) -> Array:
    """[G, P, 3] guides of a style, all roots."""
    body, roots, normals = scalp.body, scalp.roots, scalp.normals
    zone = zones(roots)
    rng = np.random.default_rng(style.get("seed", 1))
    count = len(roots)
    symmetric = style.get("mirror", "none") == "both"

    def mirrored_noise(values: Array) -> Array:
        if symmetric:
            half = count // 2
            values = np.concatenate([values[:half], values[:half] * (FLIP if values.ndim == 2 else 1.0)])
        return values

    side = parting_side(roots, style.get("part"))
    length = zoned(style["length"], zone) * (1.0 + style.get("uneven", 0.12) * mirrored_noise(rng.normal(size=count)))
    if "part" in style and "long_side" in style:  # the heavier side of an off-centre parting
        length = length * np.where(side == style["long_side"], 1.0, 0.85)
    lift = zoned(style.get("lift", 0.25), zone)
    height = zoned(style.get("height", 0.1), zone)
    gravity = zoned(style.get("gravity", 0.6), zone)
    stiff = style.get("stiff", 0.75)
    hug = style.get("hug", 0.25)
    mess = mirrored_noise(rng.normal(size=(count, 3))) * style.get("mess", 0.12)
    smooth_mess = style.get("wave", 0.0)
    edge = hair_distance(roots, scalp.widest)
    height = height * (0.35 + 0.65 * smoothstep(0.0, 0.35, edge))  # hair lies closer at the border
    veil = style.get("veil", 0.0)

    def flow_at(p: Array) -> Array:
        now = zones(p)
        fields = flow_fields(p, side, style)
        total = np.zeros_like(p)
        for name, where, strength in style["flow"]:
            total += fields[name] * (now[where] * strength)[:, None]
        return total

    def tangential(v: Array, n: Array, share: Array) -> Array:
        return v - n * ((v * n).sum(1) * share)[:, None]

    p = roots + 0.008 * normals
    n = normals
    flow = unit(tangential(flow_at(roots), normals, np.ones(count)))
    heading = unit(normals * lift[:, None] + flow * (1 - lift)[:, None] + mess)
    path = [p]
    step = length / STEPS
    tie = np.array(style.get("tie", [0, 0, 0]), float)
    arrived = np.zeros(count, bool)
    for i in range(1, STEPS + 1):
        run = step * i
        value, n = body.slope(p)
        close = smoothstep(0.7, 0.1, value)
        want = tangential(flow_at(p), n, 0.9 * close)
        want = want * (0.25 + 0.75 * close)[:, None] + DOWN * (gravity * np.minimum(0.35 + run, 1.6))[:, None]
        want = want + 0.4 * mess + smooth_mess * waviness(p, style.get("seed", 1), 6.0)
        if veil >= 0.0:  # off the face
            in_face = (
                smoothstep(0.66, 0.42, np.abs(p[:, 0]))
                * smoothstep(style.get("veil_from", 0.62), 0.1, p[:, 1])
                * smoothstep(0.25, 0.55, p[:, 2])
            )
            away = np.where(np.abs(p[:, 0]) > 0.05, np.sign(p[:, 0]), side)
            want[:, 0] += (1 - veil) * 2.6 * in_face * away
        if "tie" in style:
            arrived |= np.linalg.norm(p - tie, axis=1) < style.get("tie_radius", 0.16)
            tail = unit(
                np.array(style.get("tail", [0.0, -0.5, -1.0]), float)
                + DOWN * np.minimum(2.0 * run, 4.0)[:, None]
                + 2.0 * mess
            )
            want = np.where(arrived[:, None], 1.5 * tail, want)
        heading = unit(stiff * heading + (1 - stiff) * want)
        p = p + heading * np.where(arrived, style.get("tail_share", 1.0), 1.0)[:, None] * step[:, None]
        value, n = body.slope(p)
        rise = height * (1 - np.exp(-run / np.maximum(0.45 * height + 0.03, 0.05)))
        rise = np.maximum(rise * (1 - 0.5 * smoothstep(0.6, 1.6, run)), 0.04 * np.minimum(0.3 + run / 0.05, 1.0))
        if "tie" in style:
            rise = np.where(arrived, 0.03, rise)
        short = np.maximum(rise - value, 0.0)
        far = np.where(arrived, 0.0, hug * np.maximum(value - 1.35 * rise - 0.03, 0.0))
        p = p + n * np.minimum(short, 0.08)[:, None] - n * np.minimum(far, 0.05)[:, None]
        inwards = np.minimum((heading * n).sum(1), 0.0) * (short > 0)
        heading = unit(heading - n * inwards[:, None])
        path.append(p)
    guides = np.stack(path, 1)
    for _ in range(2):  # the collisions leave kinks
        guides[:, 1:-1] += 0.5 * (0.5 * (guides[:, 2:] + guides[:, :-2]) - guides[:, 1:-1])
    if "cut" in style:  # a fringe ends at this height, whatever it started from
        level = (
            style["cut"] + 0.03 * mirrored_noise(rng.normal(size=count))[:, None] + 0.10 * np.abs(guides[..., 0]) ** 2
        )
        in_front = (guides[..., 2] > 0.35) & (np.abs(guides[..., 0]) < 0.50) & (guides[..., 1] < level)
        end = np.where(in_front.any(1), np.argmax(in_front, 1), STEPS)
        guides = np.stack([paths_up_to(path, max(int(stop), 4)) for path, stop in zip(guides, end, strict=True)])
    return resample(guides, style.get("points", 11), style.get("bias", 1.0 + 0.15 * min(float(length.mean()), 3.0)))


def paths_up_to(path: Array, stop: int) -> Array:
    """[S, 3] the first `stop` steps of a path, in as many points as the whole."""
    at = np.linspace(0, stop, len(path))
    return np.stack([np.interp(at, np.arange(len(path)), path[:, k]) for k in range(3)], 1)


def resample(paths: Array, points: int, bias: float = 1.0) -> Array:
    """[G, S, 3] -> [G, points, 3] at even arc length; bias > 1: denser at the root, where the scalp is curved."""
    gap = np.linalg.norm(np.diff(paths, axis=1), axis=2)
    travelled = np.concatenate([np.zeros((len(paths), 1)), np.cumsum(gap, 1)], 1)
    result = np.empty((len(paths), points, 3))
    for g in range(len(paths)):
        at = np.linspace(0, 1, points) ** bias * travelled[g, -1]
        for k in range(3):
            result[g, :, k] = np.interp(at, travelled[g], paths[g, :, k])
    return result


def parted(guides: Array, cells: np.ndarray) -> np.ndarray:
    """[C] cells whose guides part: their ribbons must not bridge the gap."""
    corner = guides[cells]  # [C, 3, P, 3]
    split = np.zeros(len(cells), bool)
    for k in range(3):
        apart = np.linalg.norm(corner[:, k] - corner[:, k - 1], axis=2)  # [C, P]
        split |= (apart[:, 1:] > np.maximum(2.2 * apart[:, :1], 0.32)).any(1)
    return split


def crowded(cells: np.ndarray, roots: Array, crowd: dict[str, float] | float) -> np.ndarray:
    """Ids of cells, each as often as a style wants ribbons there: roots near a parting lie under no other hair."""
    wanted = zoned(crowd, zones(roots[cells].mean(1)))
    times = np.floor(wanted + np.random.default_rng(9).uniform(size=len(cells))).astype(int)
    return np.repeat(np.arange(len(cells)), times)


def bun(style: dict[str, Any]) -> Array:
    """[G, P, 3] strands wound around a ball."""
    rng = np.random.default_rng(5)
    centre, radius = np.array(style["centre"], float), style["radius"]
    points, count = style.get("points", 11), style["count"]
    axis = unit(np.array(style.get("axis", [0.0, 0.35, -1.0]), float))
    side = unit(np.cross(axis, [1.0, 0.2, 0.1]))
    up = np.cross(axis, side)
    guides = []
    for k in range(count):
        start = 2 * np.pi * k / count
        tilt = np.linspace(1.35, 0.25, points) + rng.normal() * 0.06  # from the rim to the middle
        turn = start + np.linspace(0, 2.6 + 0.4 * rng.normal(), points)
        r = radius * (1.0 + 0.06 * rng.normal()) * (0.9 + 0.1 * np.sin(np.linspace(0, np.pi, points)))
        ring = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up
        guides.append(centre + (r * np.sin(tilt))[:, None] * ring + (r * 0.8 * np.cos(tilt))[:, None] * axis)
    return np.array(guides)
