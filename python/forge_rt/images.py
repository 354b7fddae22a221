"""Reading pictures of unknown origin: 8-bit RGB, or one clear error."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from forge_rt._core import CorruptFileError, InputOutputError, InvalidArgumentError, NotFoundError, OutOfMemoryError

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "read_image", "to_rgb8"]

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2"))
VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"))
LARGEST = 32768  #: pixels of a side
_CV_NO_MEMORY = -4  #: cv::Error::StsNoMem


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """[H, W, 3] uint8 RGB. Turned upright by its EXIF orientation; 16 bits are scaled to 8, grey, palette and CMYK become RGB, alpha is
    dropped; of an animation the first frame.

    Raises NotFoundError, InputOutputError, CorruptFileError (not a picture, or damaged), InvalidArgumentError (floating point, too large).
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"no such file: {path}") from error
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror}") from error
    if not data:
        raise CorruptFileError(f"{path} is empty")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise InvalidArgumentError(
                f"{path} has more pixels than OpenCV reads (2^30 unless OPENCV_IO_MAX_IMAGE_PIXELS says otherwise); make it smaller"
            ) from error
        if error.code == _CV_NO_MEMORY:
            raise OutOfMemoryError(f"{path} needs more memory than there is; make it smaller") from error
        raise CorruptFileError(f"{path} cannot be decoded: {' '.join(error.err.split())}") from error
    if image is None:
        raise CorruptFileError(
            f"{path} is damaged or no picture that OpenCV reads (JPEG, PNG, WebP, TIFF, BMP, PNM, JPEG 2000)"
        )
    return to_rgb8(image, str(path), bgr=True)


def to_rgb8(image: np.ndarray, name: str = "image", *, bgr: bool = False) -> np.ndarray:
    """[H, W], [H, W, 1], [H, W, 3] or [H, W, 4] of uint8 or uint16 → [H, W, 3] uint8 RGB, contiguous."""
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise InvalidArgumentError(f"{name} must be [H, W], [H, W, 3] or [H, W, 4], got shape {list(image.shape)}")
    if max(image.shape[:2]) > LARGEST or min(image.shape[:2]) < 1:
        raise InvalidArgumentError(f"{name} is {image.shape[1]} x {image.shape[0]} pixels; sides are 1..{LARGEST}")
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if image.dtype != np.uint8:
        raise InvalidArgumentError(
            f"{name} holds {image.dtype} values; expected 8 or 16 bits per channel: scale floating point to 0..255 and convert it to uint8"
        )
    if image.shape[2] == 1:
        return np.repeat(image, 3, 2)
    return np.ascontiguousarray(image[..., 2::-1] if bgr else image[..., :3])
