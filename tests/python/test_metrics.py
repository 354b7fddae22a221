"""Metrics on cases small enough to do by hand, and on golden vectors that must not pass when they are wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import metrics

GOLDEN = Path(__file__).parents[1] / "golden"


def test_pooled_scores_by_hand():
    label = np.array([[0, 0, 1, 1], [2, 2, 2, 255]])
    prediction = np.array([[0, 1, 1, 1], [2, 2, 0, 0]])
    h = metrics.confusion(label, prediction, 4)
    assert h.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]] and h.dtype == np.int64
    np.testing.assert_allclose(metrics.f1(h), [0.5, 0.8, 0.8, np.nan])
    np.testing.assert_allclose(metrics.iou(h), [1 / 3, 2 / 3, 2 / 3, np.nan])
    mean, classes = metrics.mean_defined(metrics.f1(h), without=0)
    assert mean == pytest.approx(0.8) and classes == 2
    assert metrics.confusion(label, prediction, 4, where=label == 1).sum() == 2
    empty, none = metrics.mean_defined([np.nan])
    assert np.isnan(empty) and none == 0


def test_histograms_add_up():
    rng = np.random.default_rng(0)
    label, prediction = rng.integers(0, 5, (2, 4, 8, 8))
    parts = sum(metrics.confusion(a, b, 5) for a, b in zip(label, prediction, strict=True))
    assert (parts == metrics.confusion(label, prediction, 5)).all()


def test_wrong_ids_and_shapes_are_errors():
    with pytest.raises(fr.InvalidArgumentError, match="one shape"):
        metrics.confusion(np.zeros(3, int), np.zeros(4, int), 2)
    with pytest.raises(fr.InvalidArgumentError, match=r"0\.\.1"):
        metrics.confusion(np.zeros(3, int), np.full(3, 2), 2)
    with pytest.raises(fr.InvalidArgumentError, match="of label must be 0 or more, got -1"):
        metrics.confusion([-1], [0], 2)
    with pytest.raises(fr.InvalidArgumentError, match=r"of prediction must be 0\.\.1, got -3"):
        metrics.confusion([0], [-3], 2)
    with pytest.raises(fr.InvalidArgumentError, match="floor or drop"):
        metrics.baker_means(np.zeros((1, 2)), "keep")


def test_strange_predictions_lower_the_recall():
    h = metrics.confusion([0, 1, 1, 1, 9], [0, 1, 7, 2, 0], 2, strangers=True)
    assert h.tolist() == [[1, 0, 0], [0, 1, 2]]
    np.testing.assert_allclose(metrics.f1(h), [1, 0.5])
    np.testing.assert_allclose(metrics.iou(h), [1, 1 / 3])
    with pytest.raises(fr.InvalidArgumentError, match="of prediction"):
        metrics.confusion([0], [-1], 2, strangers=True)


def test_bakers_protocol():
    scores = metrics.per_image_f1([np.array([0, 1]), np.array([0, 0])], [np.array([0, 1]), np.array([0, 0])], 3)
    assert scores.tolist() == [[1, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(metrics.baker_means(scores), [1, 0.55, 0.1])
    np.testing.assert_allclose(metrics.baker_means(scores, "drop"), [1, 1, np.nan])


def test_landmark_errors():
    truth = np.zeros((2, 68, 2))
    truth[:, 45, 0] = 10.0
    points = truth + np.array([3.0, 4.0])
    errors = metrics.nme(truth, points)
    np.testing.assert_allclose(errors, 0.5)
    np.testing.assert_allclose(metrics.nme(truth, points, which=[1, 2]), 0.5)
    assert metrics.failure_rate(errors, 0.08) == 1 and metrics.failure_rate(errors, 0.5) == 0
    assert metrics.auc(np.zeros(3), 0.08) == pytest.approx(1)
    assert metrics.auc([0.04], 0.08) == pytest.approx(0.5, abs=2e-3)
    assert metrics.failure_rate([0.0, np.nan], 0.08) == 0.5 and metrics.auc([0.0, np.nan], 0.08) == pytest.approx(0.5)
    assert np.isnan(metrics.nme(np.zeros((1, 68, 2)), np.zeros((1, 68, 2)))).all()


def test_depth_counts_only_the_mask():
    error, n = metrics.masked_l1([[1.0, 2.0]], [[1.5, 9.0]], [[True, False]])
    assert (error, n) == (0.5, 1)
    assert metrics.masked_l1([1.0], [1.0], [False])[1] == 0


def test_boxes_are_matched_once_and_the_best_first():
    truth = [[0, 0, 10, 10], [20, 0, 30, 10]]
    found = [[0, 0, 10, 9], [0, 0, 10, 10], [21, 0, 31, 10], [50, 50, 60, 60]]
    assert metrics.match_boxes(truth, found, [0.9, 0.5, 0.4, 0.3]) == [(0, 0), (1, 2)]
    assert metrics.match_boxes(truth, found, [0.5, 0.9, 0.4, 0.3]) == [(0, 1), (1, 2)]
    assert metrics.match_boxes([], found) == [] and metrics.match_boxes(truth, []) == []
    np.testing.assert_allclose(metrics.box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [0, 0, 0, 0]]), [[1 / 3, 0]])


@pytest.fixture
def check(run_script, tmp_path):
    def run(change=None):
        shutil.copy(GOLDEN / "metrics" / "metrics.npz", tmp_path)
        if change is not None:
            data = dict(np.load(tmp_path / "metrics.npz"))
            change(data)
            np.savez(tmp_path / "metrics.npz", **data)
        return run_script(GOLDEN / "check.py", tmp_path)

    return run


def test_golden_vectors(check):
    done = check()
    assert done.returncode == 0 and done.stdout.count("\nok") > 40, done.stdout


@pytest.mark.parametrize(
    "array", ["a_lapa11.hist", "b_absent_both.f1", "d_bg_last.f1_fg_nanmean", "nme.mean", "cb.weights", "age.expected"]
)
def test_changed_golden_vectors_fail(check, array):
    def change(data):
        data[array] = np.nan_to_num(data[array]) + 1e-6 if data[array].dtype.kind == "f" else data[array] + 1

    done = check(change)
    assert done.returncode == 1 and array in done.stdout


def test_other_names_sizes_and_class_counts(check):
    """The runner reads the case from its arrays."""

    def change(data):
        for key in [k for k in data if k.startswith(("a_", "b_", "c_", "d_", "e_", "nme", "cb", "age"))]:
            del data[key]
        data["z.label"], data["z.pred"] = np.eye(7, dtype=np.uint8)[None] * 2, np.eye(7, dtype=np.uint8)[None] * 2
        data["z.bg"], data["z.f1"] = np.int64(2), np.array([1, np.nan, 1])
        data["z.f1_fg_nanmean"] = np.float64(1)

    done = check(change)
    assert done.returncode == 0 and "z.f1" in done.stdout, done.stdout
