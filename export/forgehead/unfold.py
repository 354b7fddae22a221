"""Smooths the displacement columns where random heads fold.

Problem: every column is fine alone; their sum turns small triangles over where rings are tight (lid corners, lip
         corners, the rim of the nostrils).
Idea:    a displacement that is smooth over the mesh is locally a linear map and cannot fold. So: draw heads, find the
         folded triangles, average all columns there with their neighbours, draw others, and so on.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .checks import inverted, neighbours, normals, random_values
from .head import Head
from .parameters import Array, sliders

HEADS, STRENGTH = 12, 0.6
WIDER = 1.3  # finds folds of rare heads


def _average(head: Head, faces: np.ndarray) -> sp.csr_matrix:
    """[skin, skin] mean of the neighbours, symmetric under the mirror."""
    count, mirror = head.skin.count, head.skin.mirror
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, mirror[edges]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    graph = sp.coo_matrix((np.ones(len(edges)), edges.T), (count, count)).tocsr()
    graph.data[:] = 1.0
    return sp.diags(1.0 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1.0)) @ graph


def unfolded(head: Head, columns: Array, gain: Array, rounds: int) -> Array:
    """[V, 3, n] the columns, smoothed at folds. `gain` [n_shape]: extra weight of a blink per slider."""
    skin, count = head.skin, head.skin.count
    own = head.faces[(head.faces < count).all(1)].astype(np.int64)
    rows = sliders()
    rest = head.rest[:count].astype(np.float32)
    local = columns[:count].astype(np.float32)
    home, beside, average = normals(rest, own)[0], neighbours(own), _average(head, own)
    everything, blinks = np.arange(len(own)), [len(rows), len(rows) + 1]
    for round_ in range(rounds):
        values = (
            random_values([r.name for r in rows], [(r.minimum, r.maximum) for r in rows], HEADS, 1000 + round_) * WIDER
        )
        bad = np.zeros(count, bool)
        for head_values in values.astype(np.float32):
            identity = rest + local[..., : len(rows)] @ head_values
            for k in range(len(rows) - 1, local.shape[-1]):
                weight = 1.0 + gain @ head_values if k in blinks else 1.0
                posed = identity + weight * local[..., k] if k >= len(rows) else identity
                wrong = inverted(normals(posed, own)[0], home, beside, everything)
                bad[own[wrong]] = True
        if not bad.any():
            continue
        bad |= bad[skin.mirror]
        smooth = (average[bad] @ local.reshape(count, -1)).reshape(-1, *local.shape[1:])
        mixed = (1.0 - STRENGTH) * local[bad] + STRENGTH * smooth
        mixed[..., blinks] = local[bad][..., blinks]  # lids must keep their closed line
        local[bad] = mixed
    result = columns.copy()
    result[:count] = local
    return result
