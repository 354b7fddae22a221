"""A small z-buffer in numpy, shared by the preview, the occlusion bake and the UV bake."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .parameters import Array

_MAX_SAMPLES = 4_000_000


@dataclass(frozen=True)
class Fragments:
    """Nearest triangle per pixel. Row 0 is the top row, pixel centres at .5."""

    triangle: np.ndarray  # [H, W] int, -1 where empty
    barycentric: Array  # [H, W, 3]
    depth: Array  # [H, W], inf where empty

    @property
    def hit(self) -> np.ndarray:
        return self.triangle >= 0

    def interpolate(self, attribute: Array, faces: np.ndarray) -> Array:
        """[N hit, C] values of a vertex attribute [V, C] at the covered pixels."""
        corners = attribute[faces[self.triangle[self.hit]]]
        return np.einsum("nkc,nk->nc", corners, self.barycentric[self.hit])


def rasterize(screen: Array, faces: np.ndarray, height: int, width: int) -> Fragments:
    """screen [V, 3] = (x, y in pixels, depth; smaller is nearer) -> fragments. Linear in screen space."""
    corner = screen[faces]
    low = np.ceil(corner[..., :2].min(1) - 0.5).astype(int)
    high = np.floor(corner[..., :2].max(1) - 0.5).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, [width - 1, height - 1])
    size = (high - low).max(1) + 1
    visible = (high >= low).all(1)
    pixel_list, depth_list, triangle_list, bary_list = [], [], [], []
    bounds = [0, 2, 4, 8, 16, 32, 64, 128, 256, 4096]
    for small, large in pairwise(bounds):
        group = np.flatnonzero(visible & (size > small) & (size <= large))
        side = int(size[group].max()) if len(group) else 0
        chunk = max(1, _MAX_SAMPLES // max(side * side, 1))
        for start in range(0, len(group), chunk):
            ids = group[start : start + chunk]
            pixels, depth, triangle, bary = _cover(corner[ids], low[ids], high[ids], side, width)
            pixel_list.append(pixels)
            depth_list.append(depth)
            triangle_list.append(ids[triangle])
            bary_list.append(bary)
    triangle_map = np.full(height * width, -1)
    bary_map, depth_map = np.zeros((height * width, 3)), np.full(height * width, np.inf)
    if pixel_list:
        pixels, depth = np.concatenate(pixel_list), np.concatenate(depth_list)
        order = np.lexsort((-depth,))  # far to near: the last write wins
        pixels = pixels[order]
        triangle_map[pixels] = np.concatenate(triangle_list)[order]
        bary_map[pixels] = np.concatenate(bary_list)[order]
        depth_map[pixels] = depth[order]
    shape = (height, width)
    return Fragments(triangle_map.reshape(shape), bary_map.reshape(*shape, 3), depth_map.reshape(shape))


def _cover(
    corner: Array, low: np.ndarray, high: np.ndarray, side: int, width: int
) -> tuple[np.ndarray, Array, np.ndarray, Array]:
    """Samples of one batch of triangles whose boxes are at most side x side pixels."""
    step_y, step_x = np.divmod(np.arange(side * side), side)
    x, y = low[:, :1] + step_x, low[:, 1:] + step_y  # [n, side^2]
    px, py = x + 0.5, y + 0.5
    (ax, ay), (bx, by), (cx, cy) = (corner[:, k, :2].T[..., None] for k in range(3))
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    safe = np.where(np.abs(area) < 1e-12, 1.0, area)
    w1 = ((px - ax) * (cy - ay) - (cx - ax) * (py - ay)) / safe
    w2 = ((bx - ax) * (py - ay) - (px - ax) * (by - ay)) / safe
    w0 = 1.0 - w1 - w2
    inside = (w0 >= 0) & (w1 >= 0) & (w2 >= 0) & (np.abs(area) >= 1e-12)
    inside &= (x <= high[:, :1]) & (y <= high[:, 1:])
    triangle, _ = np.nonzero(inside)
    bary = np.stack([w0[inside], w1[inside], w2[inside]], 1)
    depth = (bary * corner[triangle, :, 2]).sum(1)
    return (y * width + x)[inside], depth, triangle, bary


def vertex_normals(vertices: Array, faces: np.ndarray) -> Array:
    """[V, 3] area-weighted unit normals."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normal = np.cross(b - a, c - a)
    normal = np.zeros_like(vertices)
    for k in range(3):
        for axis in range(3):
            normal[:, axis] += np.bincount(faces[:, k], face_normal[:, axis], len(vertices))
    return normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12)
