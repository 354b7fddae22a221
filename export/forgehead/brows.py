"""Guide strands of brows and lashes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import Delaunay

from .hair_styles import unit, waviness
from .head import Head
from .parameters import Array, base_parameters, smoothstep
from .sculpture import Sculpture
from .write import METRES, ORIGIN_SHIFT

COLUMNS, ROWS, POINTS = 17, 4, 4
HAIR_HEIGHT = (0.001, 0.006, 0.008, 0.007)  # over the skin, working unit
LASH_FOLLOW = 0.8  # lids turn about the eye: tips move further than roots


def on_front(sculpture: Sculpture, xy: Array) -> Array:
    """[N, 3] the surface seen from the front at xy [N, 2]."""
    start = np.concatenate([xy, np.full((len(xy), 1), 1.45)], 1)
    start[:, 2] -= sculpture.march(start, np.tile([0.0, 0.0, -1.0], (len(xy), 1)), 1.6)
    return start


def brow(row: dict[str, Any]) -> tuple[Array, np.ndarray]:
    """[2 G, P, 3] guides of both brows (the second half mirrored) and [C, 3] cells.

    `row["band"]`: x, y and half width in metres, head frame, as in the class band of the choice.
    """
    x, y, half = (np.array(v, float) for v in row["band"])
    x, y, half = x / METRES, (y - ORIGIN_SHIFT[1]) / METRES, half / METRES
    sculpture = Sculpture(base_parameters())
    rng = np.random.default_rng(row.get("seed", 7))
    share, across = np.meshgrid(np.linspace(0.06, 0.97, COLUMNS), np.linspace(-0.8, 0.8, ROWS), indexing="ij")
    share, across = share.ravel(), across.ravel()
    along = x[0] + (x[-1] - x[0]) * share
    place = np.stack([along, np.interp(along, x, y) + across * np.interp(along, x, half)], 1)
    place += rng.normal(size=place.shape) * [0.006, 0.003]
    slope = np.interp(along + 0.02, x, y) - np.interp(along - 0.02, x, y)
    # inner hairs stand up, outer ones lie outwards and down; upper and lower hairs lean to the middle
    up = np.interp(
        share, [0, 0.12, 0.35, 0.7, 1.0], row.get("up", [1.6, 0.95, 0.45, 0.12, -0.05])
    ) - 0.35 * across * smoothstep(0.1, 0.4, share)
    heading = np.stack([np.ones_like(up), up + slope / 0.04], 1)
    heading += rng.normal(size=heading.shape) * row.get("mess", 0.12)
    length = (
        row.get("length", 0.085)
        * np.interp(share, [0, 0.2, 0.7, 1], [0.75, 1.0, 1.0, 0.7])
        * (1 - 0.25 * (across > 0.6))
    )
    middle = (
        unit(heading) * (0.45 * length)[:, None]
    )  # hairs cover the band around their middle, not from their roots on
    path, q = [], place - middle
    for k in range(POINTS):
        surface = on_front(sculpture, q)
        path.append(surface + HAIR_HEIGHT[k] * row.get("height", 1.0) * sculpture.normal(surface))
        bent = heading + np.stack([0.5 * np.ones_like(up), -0.9 * np.maximum(up, 0.0)], 1) * (k / POINTS)
        q = q + unit(bent) * (length / (POINTS - 1))[:, None]
    guides = np.stack(path, 1)
    cells = Delaunay(place).simplices
    both = np.concatenate([guides, guides * [-1, 1, 1]])
    return both, np.concatenate([cells, cells + len(guides)])


def lash(head: Head, row: dict[str, Any]) -> tuple[Array, np.ndarray, np.ndarray, Array]:
    """Guides [2 G, P, 3] of both eyes (the second half mirrored), cells [C, 3], anchors and weights [G, P, 3].

    A lash hangs on the lid margin; towards the tip it moves further than its root, away from the orbit behind it.
    """
    skin, plan = head.skin, head.skin.plan
    margin, orbit = skin.eye_ring(plan.eye_rings.index(0.0)), skin.eye_ring(len(plan.eye_rings) - 1)
    sine = np.sin(plan.eye_angles)
    column = np.flatnonzero(sine > 0.10) if row["upper"] else np.flatnonzero(sine < -0.20)
    column = column[np.argsort(head.rest[margin[column], 0])]
    root = head.rest[margin[column]]
    centre = base_parameters().vector("eye")
    out = unit(root - centre)
    lateral = (root[:, 0] - root[:, 0].min()) / np.ptp(root[:, 0])  # 0 at the nose .. 1 at the temple
    way = 1.0 if row["upper"] else -1.0
    length = row["length"] * np.interp(lateral, [0, 0.25, 0.75, 1], [0.45, 0.8, 1.0, 0.8])
    fan = np.stack([0.9 * (lateral - 0.35), np.zeros_like(lateral), np.zeros_like(lateral)], 1)
    forward = unit(out * [0.4, 0.3, 1.0] + fan + [0, 0.08 * way, 0])
    lift = np.array([0.0, way, 0.0]) * row.get("curl", 0.6)
    t = np.linspace(0, 1, POINTS)[None, :, None]
    guides = root[:, None] + length[:, None, None] * (forward[:, None] * t + lift * t**2)
    guides += 0.004 * waviness(root, 3, 40.0)[:, None] * t
    anchors = np.repeat(np.stack([margin[column], margin[column], orbit[column]], 1)[:, None], POINTS, 1)
    follow = LASH_FOLLOW * t[..., 0] * np.ones((len(column), 1))
    weights = np.stack([np.ones_like(follow), follow, -follow], -1)
    i = np.arange(len(column) - 1)
    cells = np.stack([i, i + 1, i], 1)
    both = np.concatenate([guides, guides * [-1, 1, 1]])
    return both, np.concatenate([cells, cells + len(column)]), anchors, weights
