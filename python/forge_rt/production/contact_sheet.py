"""One picture that shows at a glance whether a data set is right: faces beside their labels and landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

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


class ContactSheet:
    """Collects the first samples of a run: image, labels with landmarks, depth; three tiles a sample."""

    def __init__(self, colors: Sequence[Sequence[int]], tile: int = 192, columns: int = 3, rows: int = 8) -> None:
        self._colors = np.zeros((256, 3), np.float32)
        self._colors[: len(colors)] = np.asarray(colors, np.float32)
        self._tile, self._columns, self._limit = tile, columns, columns * rows
        self._samples: dict[int, np.ndarray] = {}

    def add(self, position: int, rgb: Any, segmentation: Any, depth_m: Any, landmarks: Any, visibility: Any) -> None:
        """`position` is the sample's place in the run; those beyond the sheet are ignored."""
        if position >= self._limit:
            return
        rgb = np.asarray(rgb)
        tiles = [
            rgb,
            overlay(rgb, np.asarray(segmentation), np.asarray(landmarks), np.asarray(visibility), self._colors),
            depth_picture(np.asarray(depth_m)),
        ]
        self._samples[position] = np.concatenate([self._fit(t) for t in tiles], axis=1)

    def _fit(self, image: np.ndarray) -> np.ndarray:
        import cv2

        shrink = image.shape[0] > self._tile
        return cv2.resize(image, (self._tile, self._tile), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)

    def picture(self) -> np.ndarray:
        """[H, W, 3] uint8 RGB."""
        tiles = [self._samples[k] for k in sorted(self._samples)]
        columns = min(self._columns, max(len(tiles), 1))
        gap = 6
        width, height = 3 * self._tile + gap, self._tile + gap
        rows = max(-(-len(tiles) // columns), 1)
        canvas = np.full((rows * height + gap, columns * width + gap, 3), 24, np.uint8)
        for k, tile in enumerate(tiles):
            y, x = gap + k // columns * height, gap + k % columns * width
            canvas[y : y + self._tile, x : x + 3 * self._tile] = tile
        return canvas
