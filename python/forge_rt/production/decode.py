"""Bytes of a data set's members to arrays: `encode` the other way round. `name` is what errors call the sample."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from forge_rt._core import CorruptFileError
from forge_rt.production.encode import RGB_SUFFIX


def picture(data: bytes, name: str) -> np.ndarray:
    """[H, W] or [H, W, 3] RGB, in the file's depth; alpha is dropped."""
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise CorruptFileError(f"an image of sample {name} cannot be decoded")
    if image.ndim == 2:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGB)


def rgb(members: Mapping[str, bytes], name: str) -> np.ndarray:
    """[H, W, 3] uint8."""
    return picture(next(members[suffix] for suffix in RGB_SUFFIX.values() if suffix in members), name)


def classes(members: Mapping[str, bytes], name: str) -> np.ndarray:
    """[H, W] uint8 class ids."""
    return picture(members["seg.png"], name)


def depth_m(members: Mapping[str, bytes], record: Mapping[str, Any], name: str) -> np.ndarray:
    """[H, W] float32 camera z, 0 = nothing there."""
    if "depth.npy" in members:
        return np.load(io.BytesIO(members["depth.npy"]), allow_pickle=False).astype(np.float32, copy=False)
    return picture(members["depth.png"], name) * np.float32(record["depth"]["scale_m"])


def centre_z_m(record: Mapping[str, Any]) -> float:
    """Mean camera z of the landmarks."""
    return float(np.nanmean(np.asarray(record["landmarks_camera_m"], np.float64)[:, 2]))
