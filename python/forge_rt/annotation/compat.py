"""The published annotation's own ways (spec/next3d §18.4, §18.5, §11), each kept because data sets were made with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forge_rt.annotation.world import Cameras

#: Faces are clipped at half of the published renderer's near plane.
NEAR = 0.5


def label_clip(cameras: Cameras, points: np.ndarray) -> NDArray[np.float32]:
    """Camera frame [B, N, 3] → positions [B, N, 4]: a camera of fov / 1.414 degrees, slightly narrower than the image's.

    The published code turns the view by 180° about z, into axes x left and y up; rasterize has x right, so only y changes sign.
    """
    fov = cameras.fov_published_deg / 1.414
    tangent = np.tan(np.radians(fov / 2))[:, None]
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x / tangent, -y / tangent, z, z], -1).astype(np.float32)


def texture_colors(texture: np.ndarray, uv: np.ndarray, covered: np.ndarray) -> NDArray[np.float32]:
    """Colours 0..1 of a mask, [B, H, W, 3]: the texture [Ht, Wt, 3] uint8 read bilinearly with corners aligned, so that classes mix at
    their borders; white where nothing is. uv [B, H, W, 2] in 0..1, v up; covered [B, H, W] bool.
    """
    height, width = texture.shape[:2]
    out = np.ones((*covered.shape, 3), np.float32)
    at = np.clip(uv[covered] * np.array([1, -1], np.float32) + np.array([0, 1], np.float32), 0, 1) * np.array(
        [width - 1, height - 1], np.float32
    )
    low = np.minimum(at.astype(np.int64), [width - 2, height - 2]).clip(0)
    (tx, ty), (column, row) = (at - low).astype(np.float32).T[..., None], low.T
    right, below = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
    texels = texture.reshape(-1, 3)

    def read(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return np.take(texels, row * width + column, 0)

    top = read(row, column) * (1 - tx) + read(row, right) * tx
    bottom = read(below, column) * (1 - tx) + read(below, right) * tx
    out[covered] = (top * (1 - ty) + bottom * ty) * np.float32(1 / 255)
    return out


def bytes_of(colors: np.ndarray) -> NDArray[np.uint8]:
    """uint8(255 · x), truncated."""
    return (np.float32(255) * colors).astype(np.uint8)


def depth_bytes(ray_depth: np.ndarray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Ray distances of a volume [B, 1, H, W] (the published ones: 128²) → ([B, H, W] uint8 over each image's own range, [B, 2] that range).

    The metric depth is lost in the bytes; the range gives it back to a 255th.
    """
    depth = np.asarray(ray_depth, np.float32).reshape(len(ray_depth), *np.shape(ray_depth)[-2:])
    low, high = depth.min((1, 2)), depth.max((1, 2))
    span = np.where(high > low, high - low, np.float32(1))
    scaled = (depth - low[:, None, None]) / span[:, None, None]
    return bytes_of(scaled), np.stack([low, high], -1)
