"""Arrays to bytes. Pure functions that release Python's lock for their long part, so that worker threads run them side by side."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from forge_rt import _core
from forge_rt._core import InternalError, InvalidArgumentError
from forge_rt.production.records import DEPTH_SCALE_M, encode_depth

#: suffix of the colour image, by Plan.rgb
RGB_SUFFIX = {"jpeg": "jpg", "png": "png", "webp": "webp"}
DEPTH_SUFFIX = {"png16": "png", "npy": "npy"}

#: a name inside the data set, without the sample's key, and the bytes
Member = tuple[str, bytes]


def png(image: np.ndarray) -> bytes:
    """[H, W] or [H, W, 3], uint8 or uint16."""
    return _core.encode_png(image)


def rgb(image: np.ndarray, kind: str) -> bytes:
    """[H, W, 3] uint8. JPEG: quality 95, 4:4:4 (libjpeg-turbo by way of OpenCV); WebP: quality 95; PNG: ours, lossless."""
    import cv2

    if kind == "png":
        return png(image)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if kind == "webp":
        good, data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 95])
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        good, data = cv2.imencode(".jpg", pixels, options)
    if not good:
        raise InternalError(f"OpenCV could not encode a {image.shape} {image.dtype} image as {kind}")
    return data.tobytes()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def depth(depth_m: np.ndarray, kind: str) -> bytes:
    """png16: steps of 0.1 mm; npy: float32 metres."""
    if kind == "npy":
        return npy(depth_m)
    farthest = float(depth_m.max(initial=0.0))
    if farthest > 65535 * DEPTH_SCALE_M:
        raise InvalidArgumentError(
            f"depth reaches {farthest:.2f} m, 16-bit depth ends at {65535 * DEPTH_SCALE_M:.2f} m; use --depth npy or a nearer camera"
        )
    return png(encode_depth(depth_m))


def normals(array: np.ndarray) -> bytes:
    """16-bit RGB PNG: round((n + 1) / 2 · 65534) + 1 per axis; 0, 0, 0 = no surface."""
    covered = (array != 0).any(-1, keepdims=True)
    return png(np.where(covered, np.rint((array + 1) * np.float32(32767)) + 1, 0).astype(np.uint16))


def uv(array: np.ndarray) -> bytes:
    """16-bit RGB PNG: u · 65535, v · 65535, 65535 on the head; 0, 0, 0 elsewhere."""
    on_head = array[..., :1] >= 0
    steps = np.where(on_head, np.rint(array * np.float32(65535)), 0)
    return png(np.concatenate([steps, on_head * np.float32(65535)], -1).astype(np.uint16))


def soft(array: np.ndarray) -> bytes:
    """[C, H, W] coverage → 8-bit PNG of C·H rows, class after class; 255 = the whole pixel."""
    classes, height, width = array.shape
    return png(np.rint(array * np.float32(255)).astype(np.uint8).reshape(classes * height, width))


def dump_json(document: Any, indent: int | None = None) -> bytes:
    separators = (",", ":") if indent is None else None
    return (json.dumps(document, indent=indent, separators=separators, allow_nan=False) + "\n").encode()


def digest(members: Iterable[Member]) -> str:
    """SHA-256 over names, lengths and bytes of a sample's members: the sample's identity across layouts' containers."""
    total = hashlib.sha256()
    for name, data in members:
        total.update(f"{name}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()
