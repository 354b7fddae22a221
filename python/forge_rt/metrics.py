"""Metrics of face analysis, in NumPy: what each number means is said here once (spec: docs/design/export.md, section Metrics).

>>> h = metrics.confusion(label, prediction, classes=11)      # add these up over a data set
>>> metrics.mean_defined(metrics.f1(h), without=0)
(0.8530, 9)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from forge_rt._core import InvalidArgumentError

__all__ = [
    "auc",
    "baker_means",
    "box_iou",
    "class_balanced_loss",
    "class_balanced_weights",
    "class_mean_cross_entropy",
    "confusion",
    "expected_value",
    "f1",
    "failure_rate",
    "inter_ocular",
    "iou",
    "masked_l1",
    "match_boxes",
    "mean_defined",
    "nme",
    "per_image_f1",
]

#: outer corners of the eyes among 68 points; of LaPa's 106: (66, 79)
EYE_CORNERS = (36, 45)
#: Baker's floor: scores below it count as it, or not at all
BAKER_FLOOR = 0.1


# ---- classes per pixel ----


def confusion(label: Any, prediction: Any, classes: int, where: Any = None, *, strangers: bool = False) -> np.ndarray:
    """[classes, classes] int64: rows are the true class, columns the predicted one. `where`: pixels that count. Pixels whose true class is
    `classes` or more (an ignore label) do not count; a prediction of `classes` or more is an error. With `strangers` it is none: such
    predictions are wrong, and stand in a last column of their own, [classes, classes + 1]."""
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape:
        raise InvalidArgumentError(
            f"label and prediction must have one shape, got {label.shape} and {prediction.shape}"
        )
    use = label < classes
    if where is not None:
        use &= np.broadcast_to(np.asarray(where, bool), label.shape)
    true, got = label[use].astype(np.int64), prediction[use].astype(np.int64)
    columns = classes + strangers
    if strangers:
        got = np.minimum(got, classes)
    if true.size and true.min() < 0:
        raise InvalidArgumentError(f"class ids of label must be 0 or more, got {true.min()}")
    if got.size and (got.max() >= columns or got.min() < 0):
        strange = got.max() if got.max() >= columns else got.min()
        raise InvalidArgumentError(f"class ids of prediction must be 0..{classes - 1}, got {strange}")
    return np.bincount(true * columns + got, minlength=classes * columns).reshape(classes, columns)


def f1(histogram: np.ndarray) -> np.ndarray:
    """[classes] 2 H_cc / (row_c + column_c); NaN for a class that is neither there nor predicted."""
    return _ratio(2 * np.diag(histogram), _rows_and_columns(histogram))


def iou(histogram: np.ndarray) -> np.ndarray:
    """[classes] H_cc / (row_c + column_c − H_cc); NaN for a class that is neither there nor predicted."""
    own = np.diag(histogram)
    return _ratio(own, _rows_and_columns(histogram) - own)


def _rows_and_columns(histogram: np.ndarray) -> np.ndarray:
    """[classes]; the column of strangers is part of the rows alone."""
    return histogram.sum(0)[: histogram.shape[0]] + histogram.sum(1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below != 0)


def mean_defined(values: Any, without: int | Iterable[int] = ()) -> tuple[float, int]:
    """(mean over the classes that have a value, how many they are); `without`: classes left out, usually the background. (NaN, 0) for none."""
    values = np.asarray(values, np.float64).copy()
    values[[without] if isinstance(without, int) else list(without)] = np.nan
    defined = values[~np.isnan(values)]
    return (float(defined.mean()), int(defined.size)) if defined.size else (float("nan"), 0)


def per_image_f1(labels: Any, predictions: Any, classes: int) -> np.ndarray:
    """[N, classes] F1 of each image alone; a class that an image neither has nor is said to have scores 0, as in Baker's notebooks."""
    pairs = zip(labels, predictions, strict=True)
    return np.array([np.nan_to_num(f1(confusion(a, b, classes)), nan=0.0) for a, b in pairs]).reshape(-1, classes)


def baker_means(scores: Any, missing: str = "floor") -> np.ndarray:
    """[classes] means of `per_image_f1` as published for face parsers adapted from synthetic labels: values below 0.1 are raised to 0.1
    ("floor": networks before adaptation) or left out ("drop": after it; NaN where none is left). Not comparable with pooled F1."""
    scores = np.asarray(scores, np.float64)
    if missing == "floor":
        return np.maximum(scores, BAKER_FLOOR).mean(0)
    if missing != "drop":
        raise InvalidArgumentError(f"missing is floor or drop, got {missing!r}")
    keep = scores >= BAKER_FLOOR
    return _ratio(np.where(keep, scores, 0).sum(0), keep.sum(0))


# ---- landmarks ----


def inter_ocular(points: Any, corners: tuple[int, int] = EYE_CORNERS) -> np.ndarray:
    """[N] distance of the outer eye corners, in the points' unit."""
    points = np.asarray(points, np.float64)
    return np.linalg.norm(points[..., corners[0], :2] - points[..., corners[1], :2], axis=-1)


def nme(truth: Any, points: Any, scale: Any = None, which: Sequence[int] | None = None) -> np.ndarray:
    """[N] mean distance of the points [N, K, 2], divided by `scale` [N] (default: the truth's inter-ocular distance). Times 100: percent.

    `which`: only these points. An image whose eye corners coincide has no scale: NaN.
    """
    truth, points = np.asarray(truth, np.float64), np.asarray(points, np.float64)
    if truth.shape != points.shape:
        raise InvalidArgumentError(f"truth and points must have one shape, got {truth.shape} and {points.shape}")
    scale = inter_ocular(truth) if scale is None else np.asarray(scale, np.float64)
    distance = np.linalg.norm(truth - points, axis=-1)
    return _ratio(distance[:, which].mean(-1) if which is not None else distance.mean(-1), scale)


def failure_rate(errors: Any, threshold: float) -> float:
    """Share of images with an NME above `threshold`; NaN (a face that was missed) is a failure."""
    errors = np.asarray(errors, np.float64)
    return float(1 - (errors <= threshold).mean()) if errors.size else float("nan")


def auc(errors: Any, threshold: float, step: float = 1e-4) -> float:
    """Area under the cumulative error curve on [0, threshold], divided by `threshold` (Simpson's rule at `step`); 1 is perfect."""
    errors = np.sort(np.asarray(errors, np.float64))
    if not errors.size:
        return float("nan")
    x = np.linspace(0, threshold, 2 * round(threshold / step / 2) + 1)
    curve = np.searchsorted(errors[~np.isnan(errors)], x, side="right") / errors.size
    area = curve[0] + curve[-1] + 4 * curve[1:-1:2].sum() + 2 * curve[2:-1:2].sum()
    return float(area * (x[1] - x[0]) / 3 / threshold)


# ---- depth ----


def masked_l1(truth: Any, depth: Any, where: Any) -> tuple[float, int]:
    """(mean |depth − truth| over the pixels of `where`, how many they are)."""
    where = np.asarray(where, bool)
    difference = np.abs(np.asarray(truth, np.float64)[where] - np.asarray(depth, np.float64)[where])
    return (float(difference.mean()), int(difference.size)) if difference.size else (float("nan"), 0)


# ---- detection ----


def box_iou(a: Any, b: Any) -> np.ndarray:
    """[N, M] overlap of boxes [N, 4] and [M, 4] (left, top, right, bottom); 0 for boxes without area."""
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (a, b))
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = (np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def match_boxes(truth: Any, found: Any, scores: Any = None, at: float = 0.5) -> list[tuple[int, int]]:
    """Pairs (true box, found box) of one image with an overlap of at least `at`: the best found box chooses first, each box is used once.

    Recall is pairs / true boxes, precision pairs / found boxes, both over the whole data set.
    """
    overlap = box_iou(truth, found)
    order = range(overlap.shape[1]) if scores is None else np.argsort(-np.asarray(scores), kind="stable")
    pairs = []
    for j in order:
        if overlap.shape[0] and (i := int(overlap[:, j].argmax()), overlap[:, j].max())[1] >= at:
            pairs.append((i, int(j)))
            overlap[i] = -1
    return sorted(pairs)


# ---- losses that are reported as metrics ----


def class_balanced_weights(counts: Any, beta: float = 0.9999) -> np.ndarray:
    """[classes] (1 − β) / (1 − β^count): the effective number of samples of Cui et al. 2019, not normalised; 0 for a class without pixels."""
    counts = np.asarray(counts, np.float64)
    effective = -np.expm1(counts * np.log(beta))
    return np.where(counts > 0, _ratio(np.full(counts.shape, 1 - beta), effective), 0.0)


def class_mean_cross_entropy(logits: Any, target: Any) -> np.ndarray:
    """[classes] mean cross-entropy of the pixels of each true class, from logits [B, classes, …] and ids [B, …]; 0 for a class without any."""
    logits, target = np.asarray(logits, np.float64), np.asarray(target, np.int64)
    shifted = logits - logits.max(1, keepdims=True)
    loss = np.log(np.exp(shifted).sum(1)) - np.take_along_axis(shifted, target[:, None], 1)[:, 0]
    classes = logits.shape[1]
    total = np.bincount(target.ravel(), loss.ravel(), classes)
    return np.nan_to_num(_ratio(total, np.bincount(target.ravel(), minlength=classes)), nan=0.0)


def class_balanced_loss(logits: Any, target: Any, weights: Any) -> float:
    """Σ_c w_c L_c with the means of `class_mean_cross_entropy`. Libraries' weighted means divide by the pixels' weights instead: another number."""
    return float(np.asarray(weights, np.float64) @ class_mean_cross_entropy(logits, target))


def expected_value(logits: Any) -> np.ndarray:
    """[B] Σ_k k · softmax(logits)_k: an age from 101 logits, for instance."""
    logits = np.asarray(logits, np.float64)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return (weights * np.arange(logits.shape[-1])).sum(-1) / weights.sum(-1)
