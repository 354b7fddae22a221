"""Face boxes from OpenCV's Haar cascades: a chain of cascades and settings, from strict to lenient, that ends with the first find.

>>> analyzer(image, boxes=forge_rt.haar_boxes(image))
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt._core import InvalidArgumentError, NotFoundError

__all__ = ["haar_boxes"]


@dataclass(frozen=True)
class _Stage:
    """Sizes are shares: of the height for `smallest_h`, of the width for the others; 0 = no limit."""

    cascade: str
    scale: float
    neighbours: int
    smallest_h: float = 0.0
    smallest_w: float = 0.0
    largest_w: float = 0.0
    mirrored: bool = False


def _chain(smallest: float) -> list[_Stage]:
    # The profile cascade knows one side of the face: the mirrored picture shows it the other.
    return [
        _Stage("frontalface_alt2", 1.05, 2, smallest_h=smallest),
        _Stage("profileface", 1.05, 2, smallest_h=smallest),
        _Stage("profileface", 1.05, 2, smallest_h=smallest, mirrored=True),
    ]


#: spec/face_analysis §6 B, then smaller faces
_CHAIN = [
    *_chain(1 / 2),
    _Stage("frontalface_default", 1.05, 3, smallest_h=1 / 2.5, largest_w=1 / 1.7),
    _Stage("frontalface_default", 1.1, 3, smallest_w=1 / 2.5),
    _Stage("frontalface_alt", 1.03, 1, smallest_h=1 / 2),
    *_chain(1 / 4),
    *_chain(1 / 6),
]


# From a cascade's square to the box that detectors give and `crop.box` of a bundle is meant for: the landmarks' bounds, raised by 0.2 of
# their height. Medians (interquartile ranges) over 80 ForgeHead faces of seed 77 at 320 pixels, as shares of the square's side:
#                        width         height        centre lower by   IoU with that box, square → box
#   40 "portrait"        0.69 (0.03)   0.88 (0.08)   0.07 (0.03)       0.59 → 0.69
#   40 "frontal"         0.77 (0.04)   1.00 (0.07)   0.08 (0.02)       0.67 → 0.86
#   28 yaw 50..75        0.74          1.04          0.06              0.60 → 0.72   (of 40; not in the medians)
_WIDTH, _HEIGHT, _LOWER = 0.73, 0.945, 0.074


@cache
def _cascade_path(name: str) -> str:
    import cv2

    path = Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"
    if not path.is_file():
        raise NotFoundError(f"OpenCV has no cascade at {path}; install opencv-python-headless")
    return str(path)


def haar_boxes(image: Any, *, format: str = "rgb", all_faces: bool = False, raw: bool = False) -> np.ndarray:
    """Boxes [N, 4] float32 (left, top, right, bottom, pixels), largest first; [0, 4] when nothing is found. They reach from the hairline
    to the chin, as those of the bundle's detector do, and may reach beyond the picture.

    image       uint8 [H, W, 3], [H, W, 4] or [H, W]
    format      "rgb" or "bgr": the order of the first three channels
    all_faces   all boxes of the stage that found something, not only the largest; faces much smaller than the largest are missed
    raw         the cascade's own squares, which are wider and sit higher

    Slow (tens of milliseconds for small pictures) and for upright faces that fill a sixth of the height or more; the bundle's
    detector is better at both. Raises InvalidArgumentError for other dtypes and shapes.
    """
    import cv2

    array = np.asarray(image)
    if (
        array.dtype != np.uint8
        or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
        or array.size == 0
    ):
        raise InvalidArgumentError(
            f"an image must be uint8 [H, W, 3], [H, W, 4] or [H, W], got {array.dtype} {list(array.shape)}"
        )
    if format not in ("rgb", "bgr"):
        raise InvalidArgumentError(f"format must be rgb or bgr, got {format!r}")
    grey = array
    if array.ndim == 3:
        code = cv2.COLOR_RGB2GRAY if format == "rgb" else cv2.COLOR_BGR2GRAY
        grey = cv2.cvtColor(np.ascontiguousarray(array[:, :, :3]), code)
    height, width = grey.shape
    for stage in _CHAIN:
        picture = np.ascontiguousarray(grey[:, ::-1]) if stage.mirrored else np.ascontiguousarray(grey)
        smallest = round(max(stage.smallest_h * height, stage.smallest_w * width))
        largest = round(stage.largest_w * width)
        # A cascade is not thread-safe, so each call has its own.
        found = cv2.CascadeClassifier(_cascade_path(stage.cascade)).detectMultiScale(
            picture, scaleFactor=stage.scale, minNeighbors=stage.neighbours,
            minSize=(smallest, smallest), maxSize=(largest, largest) if largest else (0, 0),
        )  # fmt: skip
        if len(found) == 0:
            continue
        x, y, w, h = np.asarray(found, np.float32).T
        if stage.mirrored:
            x = width - x - w
        squares = np.stack([x, y, x + w, y + h], 1)[np.argsort(-w * h, kind="stable")]
        boxes = squares if raw else _face_boxes(squares)
        return boxes if all_faces else boxes[:1]
    return np.zeros((0, 4), np.float32)


def _face_boxes(squares: np.ndarray) -> np.ndarray:
    x, y = (squares[:, :2] + squares[:, 2:]).T / 2
    side = squares[:, 2] - squares[:, 0]
    y = y + _LOWER * side
    w, h = _WIDTH / 2 * side, _HEIGHT / 2 * side
    return np.stack([x - w, y - h, x + w, y + h], 1).astype(np.float32)
