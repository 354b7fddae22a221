"""Ambient occlusion of the neutral head from depth maps in many directions."""

from __future__ import annotations

import numpy as np

from .head import Head
from .parameters import Array
from .raster import rasterize, vertex_normals
from .skinning import skin_average

DIRECTIONS = 72
MAP_SIZE = 160
BIAS = 0.025
COLLAR_HEIGHT = -1.38
SMOOTH_ROUNDS = 2


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
    return 0.5 * (result + result[head.mirror])
