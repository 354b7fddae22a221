"""One picture that shows at a glance whether a data set is right: faces beside their labels and landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from forge_rt.production.samples import Sample

#: BGR of visible and hidden landmarks
_VISIBLE, _HIDDEN = (60, 255, 60), (60, 60, 255)


def overlay(
    rgb: np.ndarray, segmentation: np.ndarray, landmarks: np.ndarray, visibility: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    """[H, W, 3] uint8: the image under its classes' colours, landmarks on top (green visible, red hidden)."""
    import cv2

    blend = np.where(segmentation[..., None] > 0, 0.5 * rgb + 0.5 * colors[segmentation], 0.75 * rgb)
    canvas = np.ascontiguousarray(blend.astype(np.uint8)[..., ::-1])
    radius = max(rgb.shape[0] / 190, 1.0)
    for (x, y), v in zip(landmarks, visibility, strict=True):
        if v and np.isfinite([x, y]).all():  # sub-pixel drawing: 4 fractional bits; pixel centres are at .5
            centre = (round((float(x) - 0.5) * 16), round((float(y) - 0.5) * 16))
            cv2.circle(canvas, centre, round(radius * 16), _VISIBLE if v == 2 else _HIDDEN, -1, cv2.LINE_AA, 4)
    return canvas[..., ::-1]


def depth_picture(depth_m: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8, near is bright; the range is the image's own."""
    covered = depth_m > 0
    if not covered.any():
        return np.zeros((*depth_m.shape, 3), np.uint8)
    near, far = depth_m[covered].min(), depth_m[covered].max()
    grey = np.where(covered, 255 - 205 * (depth_m - near) / max(far - near, 1e-6), 0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)


#: how many samples the sheet shows, in rows of _COLUMNS
SHEET_SAMPLES = 24
_COLUMNS, _TILE, _GAP = 3, 192, 6


def sample_tile(sample: Sample, colors: Sequence[Sequence[int]]) -> np.ndarray:
    """[192, 576, 3] uint8: image, labels with landmarks, depth, side by side."""
    table = np.zeros((256, 3), np.float32)
    table[: len(colors)] = np.asarray(colors, np.float32)
    height, width = sample.segmentation.shape
    points = sample.landmarks * np.array([_TILE / width, _TILE / height], np.float32)
    rgb, labels, depth = _fit(sample.rgb), _pick(sample.segmentation), _pick(sample.depth_m)
    return np.concatenate([rgb, overlay(rgb, labels, points, sample.visibility, table), depth_picture(depth)], axis=1)


def _fit(image: np.ndarray) -> np.ndarray:
    import cv2

    shrink = image.shape[0] > _TILE
    return cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)


def _pick(image: np.ndarray) -> np.ndarray:
    """The nearest pixels."""
    import cv2

    return cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)


def contact_sheet(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """[H, W, 3] uint8 RGB: the tiles in rows."""
    columns = min(_COLUMNS, max(len(tiles), 1))
    width, height = 3 * _TILE + _GAP, _TILE + _GAP
    rows = max(-(-len(tiles) // columns), 1)
    canvas = np.full((rows * height + _GAP, columns * width + _GAP, 3), 24, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = _GAP + k // columns * height, _GAP + k % columns * width
        canvas[y : y + _TILE, x : x + 3 * _TILE] = tile
    return canvas
