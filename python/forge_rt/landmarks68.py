"""The 68 iBUG landmarks: which are which, and what follows from them. Points are (x, y), in pixels or any other unit."""

from __future__ import annotations

import numpy as np

__all__ = ["GROUPS", "MIRROR", "face_box", "five_points"]

#: Points by part of the face.
GROUPS = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "mouth": range(48, 68),
}
#: Index → index of the same point in a mirror.
MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), *range(45, 41, -1), 47, 46, *range(39, 35, -1), 41, 40,
     *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)  # fmt: skip


def five_points(points: np.ndarray) -> np.ndarray:
    """[68, 2] → [5, 2]: right eye, left eye, nose tip, right and left mouth corner (the subject's): what crops are aligned by
    (docs/design/faces.md)."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def face_box(points: np.ndarray) -> np.ndarray:
    """left, top, right, bottom of the box that our detectors learn: the points' bounds, raised by a fifth of their height to take in the
    forehead. NaN is left out."""
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    return np.array([low[0], low[1] - 0.2 * (high[1] - low[1]), high[0], high[1]])
