"""Where hair grows on the scalp: one row per choice of the set "hairline"."""

from __future__ import annotations

import numpy as np

from .head import Head


def hairlines(head: Head) -> np.ndarray:
    """[n, V] uint8: 255 = covered by hair roots, 0 = bare; only skin vertices are ever covered."""
    y, z = head.rest[:, 1], head.rest[:, 2]
    covered = (y > 0.75 - 0.9 * np.clip(0.75 - z, 0.0, 1.3)) * 1.0
    covered[head.skin.count :] = 0.0
    return (255 * covered)[None].astype(np.uint8)
