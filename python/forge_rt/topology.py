"""Triangles of meshes as sets: which heads have the same topology, whatever the order in a file."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray


def canonical(triangles: ArrayLike) -> NDArray[np.int32]:
    """[F, 3]: every triangle turned so that its smallest vertex comes first, then sorted. Orientation stays."""
    table = np.asarray(triangles, np.int64).reshape(-1, 3)
    start = table.argmin(1)[:, None]
    turned = np.take_along_axis(table, (start + np.arange(3)) % 3, 1)
    return np.ascontiguousarray(turned[np.lexsort(turned.T[::-1])], np.int32)


def same_topology(a: ArrayLike, b: ArrayLike) -> bool:
    """Equal triangles that face the same way."""
    return np.array_equal(canonical(a), canonical(b))


def topology_sha256(triangles: ArrayLike) -> str:
    """Equal for equal meshes: the sum that bundles of generators record of their head."""
    return hashlib.sha256(canonical(triangles).astype("<i4").tobytes()).hexdigest()
