"""What is written down about one sample (dataset record, version 1; docs/reference/dataset_record.md)."""

from __future__ import annotations

from typing import Any

import numpy as np

from forge_rt import __version__
from forge_rt.camera import labels25
from forge_rt.production.samples import Sample
from forge_rt.production.sources import Source

RECORD_VERSION = 1
#: 16-bit depth: value x 0.1 mm, up to 6.55 m; 0 = background.
DEPTH_SCALE_M = 1e-4


def _numbers(array: Any, digits: int) -> Any:
    """Nested lists of floats with `digits` significant digits; not-a-number becomes null."""
    values = np.asarray(array, np.float64)
    form = f"%.{digits}g"
    flat = [float(form % v) if v - v == 0 else None for v in values.ravel().tolist()]  # inf and nan: v - v is nan
    if values.ndim == 1:
        return flat
    width = values.shape[-1]
    return [flat[k : k + width] for k in range(0, len(flat), width)]


def encode_depth(depth_m: np.ndarray) -> np.ndarray:
    """float32 metres → uint16 steps of DEPTH_SCALE_M; background and what is out of range become 0."""
    steps = np.divide(depth_m, np.float32(DEPTH_SCALE_M))
    np.rint(steps, out=steps)
    if steps.size and not (steps.min() >= 0 and steps.max() <= 65535):  # also when there are nans
        steps = np.where((steps > 0) & (steps <= 65535), steps, 0)
    return steps.astype(np.uint16)


def annotation(source: Source, sample: Sample, agreement: float) -> dict[str, Any]:
    """The record of a sample as plain JSON values. Units are in the key names."""
    camera = sample.camera
    height, width = camera.size
    parameters = source.parameters(sample)
    scale, shift = source.generator_world()
    return {
        "record_version": RECORD_VERSION,
        "index": sample.index,
        "seed": sample.seed,
        "identity": sample.identity,
        "view": sample.view,
        "attempt": sample.attempt,
        "image": {"height": height, "width": width},
        "depth": {"scale_m": DEPTH_SCALE_M, "background": 0, "kind": "camera z"},
        "camera": {
            "fx_px": camera.fx, "fy_px": camera.fy, "cx_px": camera.cx, "cy_px": camera.cy,
            "world_to_camera": _numbers(camera.world_to_camera, 12),
            "yaw_deg": camera.yaw_deg, "pitch_deg": camera.pitch_deg, "roll_deg": camera.roll_deg,
            "fov_deg": camera.fov_deg, "radius_m": camera.radius_m,
            "label25": _numbers(labels25(camera, scale, shift)[0], 9),
            "generator_world": {"scale": scale, "shift": list(shift)},
        },
        "landmarks_px": [[*xy, v] for xy, v in zip(_numbers(sample.landmarks, 7), sample.visibility.tolist(), strict=True)],
        "landmarks_camera_m": _numbers(sample.landmarks_camera_m, 7),
        "landmarks_head_m": _numbers(sample.landmarks_head_m, 7),
        "head": parameters,
        "attributes": source.attributes(sample, parameters),
        "agreement": round(agreement, 6),
        "accepted": sample.accepted,
        "reason": sample.reason,
        **source.record(sample),
        "model": {"name": source.name, "sha256": source.hash},
        "engine": f"forge_rt {__version__}",
    }  # fmt: skip
