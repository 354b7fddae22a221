"""Layout `folders`: images/ seg/ depth/ annotations/, one file of each per sample."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt._core import InputOutputError, InvalidArgumentError
from forge_rt.forge_head import FaceBatch, ForgeHead
from forge_rt.production.records import annotation, encode_depth

SUFFIX = {"jpeg": ".jpg", "png": ".png"}
FOLDERS = ("images", "seg", "depth", "annotations")


def prepare(root: Path) -> None:
    """Makes the folders. Refuses a folder that already holds something: nothing is ever overwritten."""
    if root.exists() and not root.is_dir():
        raise InvalidArgumentError(f"--out {root} is a file; name a folder")
    if root.is_dir() and any(root.iterdir()):
        raise InvalidArgumentError(f"{root} is not empty; choose another folder or empty it first")
    try:
        for name in FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputOutputError(f"cannot create folders in {root}: {error.strerror}") from error


def write_atomically(path: Path, data: bytes) -> None:
    """The file is there complete or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputOutputError(f"cannot write {path}: {error.strerror or error}") from error


def encode_image(image: np.ndarray, kind: str) -> bytes:
    """jpeg: [H, W, 3] uint8 RGB at quality 95, 4:4:4; png: the same lossless, or [H, W] uint8 / uint16."""
    import cv2

    pixels = np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image
    if kind == "jpeg":
        options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        good, data = cv2.imencode(".jpg", pixels, options)
    else:
        good, data = cv2.imencode(".png", pixels)
    if not good:
        raise InputOutputError(f"OpenCV could not encode a {image.shape} {image.dtype} image as {kind}")
    return data.tobytes()


def dump_json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False) + os.linesep).encode()


def write_sample(root: Path, head: ForgeHead, batch: FaceBatch, k: int, rgb: str) -> None:
    """Writes member k of a batch; the annotation comes last, so a sample with an annotation is complete."""
    assert batch.index is not None
    stem = f"{batch.index[k]:08d}"
    files = {
        "rgb": f"images/{stem}{SUFFIX[rgb]}",
        "segmentation": f"seg/{stem}.png",
        "depth": f"depth/{stem}.png",
    }
    write_atomically(root / files["rgb"], encode_image(np.asarray(batch.rgb)[k], rgb))
    write_atomically(root / files["segmentation"], encode_image(np.asarray(batch.segmentation)[k], "png"))
    write_atomically(root / files["depth"], encode_image(encode_depth(np.asarray(batch.depth_m)[k]), "png"))
    write_atomically(root / f"annotations/{stem}.json", dump_json(annotation(head, batch, k, files)))
