"""Where hair grows on the scalp: one row per choice of the set "hairline".

The border is a closed curve over (azimuth, elevation) seen from inside the skull, in degrees: azimuth 0 in front, 180
behind. A row holds the distance to it, so that triangles interpolate it exactly: 128 on the border, 0 and 255 at REACH
to either side.
"""

from __future__ import annotations

import numpy as np

from .head import Head
from .parameters import Array, load_table

CENTRE = np.array([0.0, 0.2, -0.1])
REACH = 0.2  # working unit: 20 mm
DEGREE = 0.0150  # of arc on the scalp
# temple, sideburn, around the ear, behind it, nape
SIDE = np.array([
    [47, 26], [53, 13], [55, 2], [60, -9], [69, -22], [74, -33], [83, -33], [84, -18], [88, -9], [101, -8], [113, -15],
    [119, -32], [125, -47], [140, -53], [155, -53], [180, -50],
], float)  # fmt: skip


def angles(points: Array) -> Array:
    """[N, 2] azimuth 0..180 and elevation in degrees."""
    offset = points - CENTRE
    azimuth = np.degrees(np.arctan2(np.abs(offset[:, 0]), offset[:, 2]))
    return np.stack([azimuth, np.degrees(np.arctan2(offset[:, 1], np.hypot(offset[:, 0], offset[:, 2])))], 1)


def _polygon_distance(points: Array, polygon: Array) -> Array:
    """Signed distance [N] in degrees, positive inside; azimuths shrink with the cosine of the elevation."""
    scale = np.stack([np.cos(np.radians(points[:, 1])), np.ones(len(points))], 1)
    start, end = polygon, np.roll(polygon, -1, 0)
    distance, inside = np.full(len(points), np.inf), np.zeros(len(points), bool)
    for a, b in zip(start, end, strict=True):
        if not (a[1] > 85 or b[1] > 85):  # the edges that close the polygon are no border
            along, offset = (b - a) * scale, (points - a) * scale
            share = np.clip((offset * along).sum(1) / np.maximum((along**2).sum(1), 1e-9), 0, 1)
            distance = np.minimum(distance, np.linalg.norm(offset - share[:, None] * along, axis=1))
        crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        at = a[0] + (points[:, 1] - a[1]) / (b[1] - a[1] if b[1] != a[1] else 1.0) * (b[0] - a[0])
        inside ^= crosses & (points[:, 0] < at)
    return np.where(inside, distance, -distance)


def hair_distance(points: Array, row: dict) -> Array:
    """[N] working unit, positive where hair grows."""
    front = np.array(row["front"], float)
    border = np.concatenate([front, SIDE])
    angle = angles(points)
    polygon = np.concatenate([[[-30, front[0, 1]]], border, [[210, border[-1, 1]], [210, 90], [-30, 90]]])
    distance = _polygon_distance(angle, polygon) * DEGREE
    for bald in row.get("bald", ()):  # [direction, radius in degrees]
        towards = np.array(bald["towards"], float)
        offset = points - CENTRE
        cosine = offset @ towards / (np.linalg.norm(offset, axis=1) * np.linalg.norm(towards))
        distance = np.minimum(distance, (np.degrees(np.arccos(np.clip(cosine, -1, 1))) - bald["radius"]) * DEGREE)
    wave = 0.02 * np.sin(points @ [9.0, 5.0, 7.0] + 1.0) + 0.012 * np.sin(points @ [-17.0, 23.0, 13.0])
    return distance + row.get("wave", 1.0) * wave


def hairlines(head: Head) -> np.ndarray:
    """[n, V] uint8 for the rows of tables/strands.json; only skin is ever covered."""
    rows = []
    for row in load_table("strands")["hairlines"]:
        value = 127.5 + 127.5 * hair_distance(head.rest, row) / REACH
        value[head.skin.count :] = 0.0
        rows.append(np.clip(np.round(value), 0, 255))
    return np.array(rows, np.uint8)
