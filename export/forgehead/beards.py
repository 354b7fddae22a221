"""Guide strands of beards: roots in regions of the lower face, paths that leave the lips free."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import Delaunay

from .hair_styles import Body, resample, unit, waviness
from .head import Head
from .parameters import Array, base_parameters, smoothstep
from .template import FLIP

STEPS = 16
AXIS_Z = -0.1  # of the azimuth about the vertical
CHEEK_AZIMUTH = (0, 20, 38, 55, 68, 80, 90)
CHEEK_LINE = (-0.60, -0.60, -0.62, -0.52, -0.36, -0.10, 0.0)


def regions(q: Array) -> dict[str, Array]:
    """Distance inside each region (working unit, roughly; negative outside)."""
    p = base_parameters()
    x, y, z = np.abs(q[:, 0]), q[:, 1], q[:, 2]
    azimuth = np.degrees(np.arctan2(x, z - AXIS_Z))
    top, bottom = p["mouth.y"] + p["mouth.up"], p["mouth.y"] - p["mouth.low"]
    wide = p["mouth.w"]
    front = z - 0.25
    jaw_line = -1.16 + 0.36 * np.clip((0.75 - z) / 0.7, 0.0, 1.0)
    jaw = np.minimum.reduce([
        np.interp(azimuth, CHEEK_AZIMUTH, CHEEK_LINE) - y, y - jaw_line + 0.16, 0.012 * (84 - azimuth), z + 0.02
    ])  # fmt: skip
    lip_top = top + 0.004 - 0.16 * np.maximum(x - 0.08, 0.0)
    moustache = np.minimum.reduce([y - lip_top, lip_top + 0.118 - 0.12 * x - y, wide + 0.075 - x, front])
    below = np.minimum.reduce([bottom - 0.05 - y + 0.25 * np.maximum(x - 0.1, 0), y - jaw_line + 0.12, 0.22 - x, front])
    link = np.minimum.reduce([x - wide - 0.015, wide + 0.095 - x, lip_top - y + 0.06, y + 0.98, front])
    patch = np.minimum.reduce(
        [0.050 - x - 0.2 * np.maximum(bottom - 0.06 - y, 0), bottom - 0.025 - y, y - bottom + 0.12, front]
    )
    chops = np.minimum.reduce([jaw, 0.012 * (azimuth - 41), y + 0.95])
    return {"jaw": jaw, "moustache": moustache, "chin": below, "link": link, "patch": patch, "chops": chops}


def beard(head: Head, body: Body, row: dict[str, Any]) -> tuple[Array, np.ndarray]:
    """[2 G, P, 3] guides (the second half mirrored) and [C, 3] cells."""
    p = base_parameters()
    rng = np.random.default_rng(row.get("seed", 11))
    spacing = row.get("spacing", 0.085)
    skin = head.faces[head.face_part == head.part_names.index("skin")]
    corner = head.rest[skin]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    pick = rng.choice(len(skin), 60_000, p=area / area.sum())
    share = rng.dirichlet([1, 1, 1], len(pick))
    points = (share[..., None] * corner[pick]).sum(1)
    points = points[(points[:, 0] > 0.3 * spacing) & (points[:, 2] > -0.1) & (points[:, 1] < 0.1)]

    def inside(q: Array) -> Array:
        value = regions(q)
        total = np.maximum.reduce([value[name] for name in row["regions"]])
        on_lip = ((q[:, 0] / (p["mouth.w"] + 0.012)) ** 2 + ((q[:, 1] - p["mouth.y"]) / 0.088) ** 2) < 1.0
        return np.where(on_lip & (q[:, 2] > 0.5), -1.0, total) + 0.012 * waviness(np.abs(q), 4, 18.0)[:, 0]

    edge = inside(points)
    points, edge = points[edge > 0], edge[edge > 0]
    chosen: list[int] = []
    for i in range(len(points)):
        if not chosen or np.linalg.norm(points[chosen] - points[i], axis=1).min() > spacing:
            chosen.append(i)
    half = points[chosen]
    edge = np.concatenate([edge[chosen]] * 2)
    roots = np.concatenate([half, half * FLIP])
    value = regions(roots)
    in_moustache = smoothstep(-0.01, 0.02, value["moustache"]) * (roots[:, 1] > p["mouth.y"])
    at_chin = (
        smoothstep(0.35, 0.1, np.abs(roots[:, 0])) * (roots[:, 1] < p["mouth.y"]) * smoothstep(0.3, 0.5, roots[:, 2])
    )
    length = row.get("length", 0.1) * (1 + (row.get("chin", 1.0) - 1) * at_chin)
    length = length * (1 - in_moustache) + row.get("moustache", 0.12) * in_moustache
    length = length * (0.35 + 0.65 * smoothstep(0.0, row.get("soft", 0.07), edge))

    outwards = np.sign(roots[:, :1]) * np.array([1.0, 0, 0])
    curl_up = row.get("handlebar", 0.0)
    flow = np.array([0.0, -1.0, 0.12]) + 0.0 * roots
    tash = in_moustache[:, None]
    flow = flow * (1 - tash) + tash * (
        outwards * (0.15 + 1.2 * smoothstep(0.0, 0.2, np.abs(roots[:, :1]))) + np.array([0.0, -1.0, 0.0])
    )
    flow = flow + rng.normal(size=flow.shape) * row.get("mess", 0.18)
    flow[len(half) :] = flow[: len(half)] * FLIP
    q, n = roots, body.slope(roots)[1]
    q = q - 0.004 * n
    heading = unit(flow - n * (flow * n).sum(1, keepdims=True) + n * row.get("lift", 0.45))
    path, step = [q], length / STEPS
    height = np.minimum(row.get("height", 0.05), 0.5 * length)
    for i in range(1, STEPS + 1):
        want = flow + np.array([0.0, -1.0, 0.0]) * np.minimum(4.0 * i * step, 2.0)[:, None] * (1 - 0.6 * tash)
        want = want + tash * curl_up * np.array([0.0, 1.0, 0.0]) * (i / STEPS) ** 2 * 6.0
        heading = unit(0.8 * heading + 0.2 * want)
        q = q + heading * step[:, None]
        # out of the lips, sideways and down
        oval = np.stack([q[:, 0] / (p["mouth.w"] + 0.03), (q[:, 1] - p["mouth.y"]) / 0.088], 1)
        reach = np.linalg.norm(oval, axis=1)
        push = np.clip(1.0 - reach, 0.0, 0.3) * (q[:, 2] > 0.5) * (1 - 0.4 * row.get("over_lip", 0.0))
        q[:, :2] += push[:, None] * oval / np.maximum(reach, 0.2)[:, None] * [0.20, 0.10]
        value, n = body.slope(q)
        lack = np.maximum(height * np.minimum(3.0 * i / STEPS, 1.0) - value, 0.0)
        q = q + n * np.minimum(lack, 0.05)[:, None]
        path.append(q)
    guides = resample(np.stack(path, 1), row.get("points", 5))
    unrolled = np.stack([np.arctan2(roots[:, 0], roots[:, 2] - AXIS_Z) * 0.7, roots[:, 1]], 1)
    unrolled[:, 1] += (
        0.6 * np.minimum(roots[:, 2] - 0.75, 0.0) * (roots[:, 1] < -0.95)
    )  # the underside of the jaw folds away
    cells = Delaunay(unrolled).simplices
    long = np.stack([np.linalg.norm(roots[cells[:, k]] - roots[cells[:, k - 1]], axis=1) for k in range(3)], 1).max(1)
    middle = roots[cells].mean(1)
    return guides, cells[(long < 2.3 * spacing) & (inside(middle) > -0.01)]
