"""What is written down about one sample (dataset record, version 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from forge_rt import __version__
from forge_rt.camera import labels25
from forge_rt.face_json import face_to_dict
from forge_rt.forge_head import FaceBatch, ForgeHead

RECORD_VERSION = 1
#: 16-bit depth: value x 0.1 mm, up to 6.55 m; 0 = background.
DEPTH_SCALE_M = 1e-4


def _numbers(array: Any, digits: int) -> Any:
    """Nested lists of floats with `digits` significant digits; not-a-number becomes null."""
    values = np.asarray(array, np.float64)
    flat = [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.ravel()]
    out = np.empty(values.size, object)
    out[:] = flat
    return out.reshape(values.shape).tolist()


def encode_depth(depth_m: np.ndarray) -> np.ndarray:
    """float32 metres → uint16 steps of DEPTH_SCALE_M; background and what is out of range become 0."""
    steps = np.rint(depth_m / np.float32(DEPTH_SCALE_M))
    return np.where((steps > 0) & (steps <= 65535), steps, 0).astype(np.uint16)


def annotation(head: ForgeHead, batch: FaceBatch, k: int, files: dict[str, str]) -> dict[str, Any]:
    """The record of member k of a batch as plain JSON values. Units are in the key names."""
    face, camera = batch.faces[k], batch.camera[k]
    points = np.asarray(batch.landmarks)[k]
    visibility = np.asarray(batch.visibility)[k]
    height, width = camera.size
    assert batch.index is not None
    parameters = face_to_dict(head, face)
    return {
        "record_version": RECORD_VERSION,
        "index": batch.index[k],
        "seed": batch.seed,
        "files": files,
        "image": {"height": height, "width": width},
        "depth": {"scale_m": DEPTH_SCALE_M, "background": 0, "kind": "camera z"},
        "camera": {
            "fx_px": camera.fx, "fy_px": camera.fy, "cx_px": camera.cx, "cy_px": camera.cy,
            "world_to_camera": _numbers(camera.world_to_camera, 12),
            "yaw_deg": camera.yaw_deg, "pitch_deg": camera.pitch_deg, "roll_deg": camera.roll_deg,
            "fov_deg": camera.fov_deg, "radius_m": camera.radius_m,
            "label25": _numbers(labels25(camera)[0], 9),
            "generator_world": {"scale": 2.5, "shift": [0.0, 0.0, 0.0]},
        },
        "landmarks_px": [[*xy, int(v)] for xy, v in zip(_numbers(points, 7), visibility, strict=True)],
        "landmarks_camera_m": _numbers(np.asarray(batch.landmarks_camera_m)[k], 7),
        "landmarks_head_m": _numbers(np.asarray(batch.landmarks_head_m)[k], 7),
        "head": parameters,
        "attributes": {
            "style": face.style,
            "melanin": parameters["appearance"]["melanin"],
            **{name.split("/")[1]: value for name, value in parameters["sliders"].items() if name.startswith("macro/")},
            **parameters["options"],
        },
        "accepted": True,
        "model": {"name": "forgehead", "sha256": head.hash},
        "engine": f"forge_rt {__version__}",
    }  # fmt: skip
