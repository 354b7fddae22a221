"""metrics.npz: segmentation, landmark and class-balanced metrics (spec/face_analysis §7). Cases are found by their names' suffixes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import metrics

from . import tolerances as tol
from .report import Report, groups

companions: tuple[str, ...] = ()
_PATH = "numpy"


def _close(name: str, got: Any, want: Any, report: Report, atol: float = tol.METRICS) -> None:
    """NaN where NaN is expected, numbers elsewhere."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape == want.shape and np.isnan(want).any():
        report.close(f"metrics/{name} (undefined)", _PATH, np.isnan(got), np.isnan(want), tol.EXACT)
        defined = ~np.isnan(want)
        if not defined.any():
            return
        got, want = got[defined], want[defined]
    report.close(f"metrics/{name}", _PATH, got, want, atol)


def _segmentation(name: str, data: dict[str, np.ndarray], report: Report) -> None:
    label, prediction = data[f"{name}.label"], data[f"{name}.pred"]
    known = [data[f"{name}.{key}"] for key in ("hist", "f1", "iou") if f"{name}.{key}" in data]
    classes = len(known[0]) if known else int(max(label.max(), prediction.max())) + 1
    background = int(data.get(f"{name}.bg", 0))
    histogram = sum(metrics.confusion(a, b, classes) for a, b in zip(label, prediction, strict=True))
    f1, iou = metrics.f1(histogram), metrics.iou(histogram)
    scores = metrics.per_image_f1(label, prediction, classes)
    foreground = np.arange(classes) != background
    got = {
        "hist": (histogram, tol.EXACT),
        "f1": (f1, tol.METRICS),
        "iou": (iou, tol.METRICS),
        "f1_fg_mean": (f1[foreground].mean(), tol.METRICS),
        "f1_fg_nanmean": (metrics.mean_defined(f1, background)[0], tol.METRICS),
        "iou_fg_nanmean": (metrics.mean_defined(iou, background)[0], tol.METRICS),
        "perimage_f1": (scores, tol.METRICS),
        "perimage_floor_mean": (metrics.baker_means(scores, "floor"), tol.METRICS),
        "perimage_drop_nanmean": (metrics.baker_means(scores, "drop"), tol.METRICS),
    }
    for key, (value, atol) in got.items():
        if f"{name}.{key}" in data:
            _close(f"{name}.{key}", value, data[f"{name}.{key}"], report, atol)


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    for found in groups(data, r"(.+)\.label$"):
        _segmentation(found.group(1), data, report)
    if "nme.gt" in data:
        truth, points = data["nme.gt"], data["nme.pred"]
        errors = metrics.nme(truth, points)
        for key, value in (("iod", metrics.inter_ocular(truth)), ("per_image", errors), ("mean", errors.mean())):
            if f"nme.{key}" in data:
                _close(f"nme.{key}", value, data[f"nme.{key}"], report)
        for found in groups(data, r"nme\.fr_auc_(\d*\.\d+)$"):
            threshold = float(re.sub("nme.fr_auc_", "", found.group(0)))
            rate, area = data[found.group(0)]
            _close(
                f"{found.group(0)} failure rate", metrics.failure_rate(errors, threshold), rate, report, tol.ROUNDED_4
            )
            _close(f"{found.group(0)} area", metrics.auc(errors, threshold), area, report, tol.ROUNDED_6)
    if "cb.counts" in data:
        weights = metrics.class_balanced_weights(data["cb.counts"], float(data["cb.beta"]))
        _close("cb.weights", weights, data["cb.weights"], report)
        if "cb.logits" in data:
            means = metrics.class_mean_cross_entropy(data["cb.logits"], data["cb.target"])
            _close("cb.Lc_mean", means, data["cb.Lc_mean"], report)
            loss = metrics.class_balanced_loss(data["cb.logits"], data["cb.target"], data["cb.weights"])
            _close("cb.loss_class_mean", loss, data["cb.loss_class_mean"], report)
    if "age.logits" in data:
        _close("age.expected", metrics.expected_value(data["age.logits"]), data["age.expected"], report)
