"""How well a label map agrees with its image: do the borders of classes lie where the image changes?

Score: the probability that a pixel at a border of classes has a stronger image gradient than a pixel away from borders (area under
the ROC curve, ties count half). 1: every border is an edge; 0.5: labels have nothing to do with the image. It needs no network,
does not depend on contrast, and holds for any model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: at most so many pixels a side are looked at
_SIDE = 256


def histogram(image: Any, mask: Any = None) -> np.ndarray:
    """[256] int64 counts of an 8-bit image; several times as fast as np.bincount."""
    import cv2

    return cv2.calcHist([image], [0], mask, [256], [0, 256]).ravel().astype(np.int64)


def agreement(rgb: np.ndarray, segmentation: np.ndarray) -> float:
    """`rgb` [H, W, 3] uint8, `segmentation` [H, W] uint8. A map of one class has no borders: 0.5."""
    import cv2

    step = max(1, round(max(rgb.shape[:2]) / _SIDE))
    grey = np.ascontiguousarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[::step, ::step])
    labels = np.ascontiguousarray(segmentation[::step, ::step])
    strength = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    border = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, cross)  # not 0: a neighbour of another class
    at_border = histogram(strength, border)
    elsewhere = histogram(strength) - at_border
    pairs = int(elsewhere.sum()) * int(at_border.sum())
    if pairs == 0:
        return 0.5
    weaker = np.cumsum(elsewhere) - elsewhere
    return int((at_border * (2 * weaker + elsewhere)).sum()) / (2 * pairs)
