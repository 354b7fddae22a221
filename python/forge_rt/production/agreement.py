"""How well a label map agrees with its image: do the borders of classes lie where the image changes?

Score: the probability that a pixel at a border of classes has a stronger image gradient than a pixel away from borders (area under
the ROC curve, ties count half). 1: every border is an edge; 0.5: labels have nothing to do with the image. It needs no network,
does not depend on contrast, and holds for any model.
"""

from __future__ import annotations

import numpy as np

#: at most so many pixels a side are looked at
_SIDE = 256


def agreement(rgb: np.ndarray, segmentation: np.ndarray) -> float:
    """`rgb` [H, W, 3] uint8, `segmentation` [H, W] uint8. A map of one class has no borders: 0.5."""
    import cv2

    step = max(1, round(max(rgb.shape[:2]) / _SIDE))
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[::step, ::step]), cv2.COLOR_RGB2GRAY)
    labels = segmentation[::step, ::step]
    strength = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    border = np.zeros(labels.shape, np.uint8)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    everywhere = np.bincount(strength.ravel(), minlength=256)
    at_border = np.bincount(strength[border.view(bool)], minlength=256)
    elsewhere = everywhere - at_border
    pairs = int(elsewhere.sum()) * int(at_border.sum())
    if pairs == 0:
        return 0.5
    weaker = np.cumsum(elsewhere) - elsewhere
    return int((at_border * (2 * weaker + elsewhere)).sum()) / (2 * pairs)
