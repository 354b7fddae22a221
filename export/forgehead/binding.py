"""Binds points of the template to skin vertices, so that they follow every identity and expression."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .head import Head
from .parameters import Array


def bind(head: Head, points: Array, neighbours: int, eligible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest `neighbours` of the skin vertices `eligible`: ids [N, k] int32 and inverse-distance weights [N, k] that sum to 1."""
    distance, near = cKDTree(head.rest[eligible]).query(points, k=neighbours)
    weight = 1.0 / np.maximum(distance, 1e-3) ** 2
    return eligible[near].astype(np.int32), (weight / weight.sum(1, keepdims=True)).astype(np.float32)
