"""Ambient occlusion of the neutral head from depth maps in many directions."""

from __future__ import annotations

import numpy as np

from .curves import NOSTRIL_SKIN
from .head import Head
from .parameters import Array, smoothstep
from .raster import rasterize, vertex_normals
from .skinning import skin_average

DIRECTIONS = 72
MAP_SIZE = 160
BIAS = 0.025
COLLAR_HEIGHT = -1.58
SMOOTH_ROUNDS = 2
NOSTRIL_LIGHT = (0.55, 0.28, 0.10, 0.05)  # rim, then the rings of the bag
MOUTH_LIGHT = (0.70, 0.50, 0.28, 0.14)


def _sphere_directions(count: int) -> Array:
    """[count, 3] Fibonacci points on the sphere, mirrored in pairs so that the result is symmetric."""
    k = np.arange(count // 2) + 0.5
    y = 1.0 - 2.0 * k / (count // 2)
    angle = np.pi * (3.0 - np.sqrt(5.0)) * k
    ring = np.sqrt(1.0 - y * y)
    points = np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], 1)
    return np.concatenate([points, points * [-1, 1, 1]])


def _visible_share(vertices: Array, faces: np.ndarray, casters: np.ndarray) -> Array:
    """[V] cosine-weighted share of the sky each vertex sees past the `casters`."""
    normals = vertex_normals(vertices, faces)
    open_sky, whole_sky = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    half = np.abs(vertices).max() * 1.02
    lifted = vertices + 0.012 * normals
    for direction in _sphere_directions(DIRECTIONS):
        side = np.cross([0.0, 1.0, 0.001], direction)
        side /= np.linalg.norm(side)
        up = np.cross(direction, side)
        to_map = np.stack([side, -up, -direction])
        screen = vertices @ to_map.T
        screen[:, :2] = (screen[:, :2] / half * 0.5 + 0.5) * MAP_SIZE
        depth = rasterize(screen, casters, MAP_SIZE, MAP_SIZE).depth
        probe = lifted @ to_map.T
        pixel = np.clip(((probe[:, :2] / half * 0.5 + 0.5) * MAP_SIZE).astype(int), 0, MAP_SIZE - 1)
        visible = depth[pixel[:, 1], pixel[:, 0]] > probe[:, 2] - BIAS
        weight = np.clip(normals @ direction, 0.0, 1.0)
        open_sky += weight * visible
        whole_sky += weight
    return open_sky / whole_sky


def ambient_occlusion(head: Head) -> Array:
    """[V] 0..1 of the bare head."""
    result = _visible_share(head.rest, head.faces, head.faces)
    skin = slice(0, head.skin.count)
    buried = head.rest[skin, 1] < COLLAR_HEIGHT  # under the shoulders: take the light of the visible neck
    light = np.where(buried, np.nan, result[skin])
    light[buried] = np.nanmedian(light[(head.rest[skin, 1] < COLLAR_HEIGHT + 0.25)])
    average = skin_average(head)
    for _ in range(SMOOTH_ROUNDS):
        light = 0.5 * light + 0.5 * (average @ light)
    result[skin] = light
    _set_cavities(head, result)
    return 0.5 * (result + result[head.mirror])


def _set_cavities(head: Head, result: Array) -> None:
    """Nostrils and the mouth's inside by depth: too small for the maps, and the mouth is closed on the neutral head."""
    skin = head.skin
    for left in (True, False):
        for k, light in enumerate(NOSTRIL_LIGHT, start=len(NOSTRIL_SKIN) - 1):
            ring = skin.nostril_ring(k, left)
            result[ring] = np.minimum(result[ring], light)
        result[skin.nostril_pole(left)] = NOSTRIL_LIGHT[-1]
    for ring, light in enumerate(MOUTH_LIGHT):
        result[skin.bag_ring(ring)] = light
    result[skin.bag_start] = MOUTH_LIGHT[-1]
    front = head.rest[skin.mouth_ring(0), 2].max()
    for name, light in (("teeth_up", 0.95), ("teeth_low", 0.85), ("tongue", 0.7)):
        ids = head.blocks[name].ids
        depth = front - head.rest[ids, 2]
        result[ids] = light * (1.0 - 0.75 * smoothstep(0.06, 0.42, depth))
