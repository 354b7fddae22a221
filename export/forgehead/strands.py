"""Guide strands of hair styles, brows, lashes and beards."""

from __future__ import annotations

import numpy as np

from .binding import bind
from .head import Head
from .write import Described, to_head_frame

POINTS = 12


def build_strands(head: Head) -> Described:
    """Arrays guide_* of strands.safetensors and their rows (cpp/models/forge_head/model.h, StrandGroup)."""
    scalp = np.flatnonzero((head.rest[:, 1] > 0.7) & (np.arange(head.count) < head.skin.count))[::3]
    root = head.rest[scalp]
    out = root - np.array([0.0, 0.2, -0.1])
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    along = np.linspace(0.0, 1.0, POINTS)[None, :, None]
    guides = root[:, None] + out[:, None] * 0.25 * along + np.array([0, -0.4, 0.1]) * along**2
    ids, weight = bind(head, guides.reshape(-1, 3), 3, np.flatnonzero(np.arange(head.count) < head.skin.count))
    count = len(guides)
    arrays = {
        "guide_points": to_head_frame(guides).astype(np.float16),
        "guide_bind": ids.reshape(count, POINTS, 3),
        "guide_weight": weight.reshape(count, POINTS, 3),
        "guide_next": np.stack([(np.arange(count) + 1) % count, (np.arange(count) + 2) % count], 1).astype(np.int32),
    }
    rows = [{"name": "hair_short", "material": "hair", "guides": [0, count], "locks": 2000, "behind_hairline": True}]
    return Described(arrays, rows)
