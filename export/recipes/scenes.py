"""Scenes with zero to many faces, for the detector: heads of ForgeHead cut out by their masks, on made-up backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from forge_rt.landmarks68 import MIRROR, face_box, five_points

from .augment import backdrop, dead_leaves, photometric
from .samples import Sample

Rng = np.random.Generator
MAX_FACES = 5
#: Scenes count faces from this many pixels of the box's longer side on, in an image of 320 pixels.
SMALLEST = 12.0
#: Faces that show less of their box are neither wanted nor wrong, in training and in scores.
SHOWN = 0.12
_FACE = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)  # classes of a face


@dataclass(frozen=True)
class Scene:
    image: np.ndarray  #: [S, S, 3] uint8
    boxes: np.ndarray  #: [N, 4] float32 left, top, right, bottom in pixels (`face_box`)
    points: np.ndarray  #: [N, 5, 2] float32 pixels
    visible: np.ndarray  #: [N] float32 pixels of the face that can be seen, over the area of its box


def compose(rng: Rng, pick: Callable[[Rng], Sample], size: int, *, harsh: bool = True) -> Scene:
    """Zero to five faces, far ones first. `harsh`: colours, blur, noise and codec on top."""
    faces = int(rng.choice(MAX_FACES + 1, p=[0.2, 0.3, 0.2, 0.13, 0.09, 0.08]))
    image = _background(rng, pick, size)
    owner = np.zeros((size, size), np.uint8)  # which face a pixel of skin belongs to, 1…
    if faces == 1 and rng.random() < 0.5:
        sizes = [size * rng.uniform(0.3, 0.8)]  # one person before a camera
    else:
        sizes = sorted(float(np.exp(rng.uniform(np.log(14), np.log(size * 0.55)))) for _ in range(faces))
    placed: list[tuple[np.ndarray, np.ndarray, int]] = []
    for number, side in enumerate(sizes, 1):
        sample = pick(rng)
        found = _place(rng, sample, side, size, [box for box, _, _ in placed])
        if found is None:
            continue
        matrix, box, points = found
        whole_scene = faces == 1 and rng.random() < 0.4  # with the background it was rendered in
        _paste(rng, image, owner, number, sample, matrix, whole_scene)
        placed.append((box, points, number))
    keep = []
    for box, points, number in placed:
        rows, columns = _pixels(box, size)
        seen = np.count_nonzero(owner[rows, columns] == number)
        whole = max((box[2] - box[0]) * (box[3] - box[1]), 1.0)
        keep.append((box, points, seen / whole))
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):
        _clutter(rng, image, [box for box, _, _ in keep])
    if harsh:
        image = photometric(rng, image, coarsest=0.4)
    n = len(keep)
    return Scene(
        image,
        np.array([k[0] for k in keep], np.float32).reshape(n, 4),
        np.array([k[1] for k in keep], np.float32).reshape(n, 5, 2),
        np.array([k[2] for k in keep], np.float32),
    )


def _background(rng: Rng, pick: Callable[[Rng], Sample], size: int) -> np.ndarray:
    kind = rng.random()
    if kind < 0.55:
        return dead_leaves(rng, size)
    return _surface(rng, pick(rng), size) if kind < 0.75 else backdrop(rng, size)


def _surface(rng: Rng, sample: Sample, size: int) -> np.ndarray:
    """Hair, cloth, skin or wall without a face in it, enlarged: what looks like people and is none."""
    face = np.isin(sample.mask, _FACE)
    side = int(rng.uniform(0.12, 0.4) * sample.rgb.shape[0])
    for _ in range(12):
        y, x = (int(rng.integers(0, s - side + 1)) for s in sample.mask.shape)
        if not face[y : y + side, x : x + side].any():
            patch = sample.rgb[y : y + side, x : x + side]
            return cv2.resize(patch, (size, size), interpolation=cv2.INTER_CUBIC)
    return backdrop(rng, size)


def _place(
    rng: Rng, sample: Sample, side: float, size: int, others: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """[2, 3] source to scene pixels (now and then mirrored), the box, the five points; None where no place was free."""
    landmarks = sample.landmarks.astype(np.float64)
    flipped = bool(rng.random() < 0.5)
    if flipped:
        landmarks = np.stack([sample.rgb.shape[1] - landmarks[MIRROR, 0], landmarks[MIRROR, 1]], 1)
    bounds = face_box(landmarks)
    middle = np.array([(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2])
    k = side / max(bounds[2] - bounds[0], bounds[3] - bounds[1], 1.0)
    angle = np.deg2rad(np.clip(rng.normal(0, 10), -40, 40))
    turn = k * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for _ in range(12):
        centre = rng.uniform(0.3 * side, size - 0.3 * side, 2) if side < size / 0.7 else np.full(2, size / 2)
        matrix = np.column_stack([turn, centre - turn @ middle])
        moved = landmarks @ matrix[:, :2].T + matrix[:, 2]
        box = face_box(moved)
        if all(_overlap(box, other) < 0.15 for other in others):
            if flipped:
                matrix = (np.vstack([matrix, [0, 0, 1]]) @ [[-1, 0, sample.rgb.shape[1]], [0, 1, 0], [0, 0, 1]])[:2]
            return matrix, box, five_points(moved)
    return None


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over the smaller box."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return max(w, 0.0) * max(h, 0.0) / max(smaller, 1e-6)


def _paste(
    rng: Rng, image: np.ndarray, owner: np.ndarray, number: int, sample: Sample, matrix: np.ndarray, whole: bool
) -> None:
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * sample.rgb.shape[1::-1] @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    rows, columns = _pixels(np.concatenate([low, high]), image.shape[0])
    part, mine = image[rows, columns], owner[rows, columns]
    if not part.size:
        return
    rgb, mask = (
        sample.rgb,
        np.full(sample.mask.shape, 255, np.uint8) if whole else (sample.mask > 0).astype(np.uint8) * 255,
    )
    skin = np.isin(sample.mask, _FACE).astype(np.uint8)
    m = matrix.copy()
    m[:, 2] -= columns.start, rows.start
    while (
        np.sqrt(abs(np.linalg.det(m[:, :2]))) < 0.5 and min(rgb.shape[:2]) % 2 == 0
    ):  # what is far is averaged, not skipped
        rgb, mask = (
            cv2.resize(x, (rgb.shape[1] // 2, rgb.shape[0] // 2), interpolation=cv2.INTER_AREA) for x in (rgb, mask)
        )
        m[:, :2] *= 2
    near = m.copy()
    near[:, :2] *= rgb.shape[0] / skin.shape[0]
    for each in (m, near):
        each[:, 2] += each[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV's pixel centres
    side = part.shape[1::-1]
    flat = cv2.warpAffine(rgb, m, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(mask, m, side, flags=cv2.INTER_LINEAR)
    face = cv2.warpAffine(skin, near, side, flags=cv2.INTER_NEAREST)
    gain = np.exp(rng.normal(-0.1, 0.25)) * np.exp(rng.normal(0, 0.06, 3))
    lit = cv2.LUT(flat, np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)[None])
    weight = alpha[..., None].astype(np.float32) * np.float32(1 / 255)
    part[:] = part + (lit.astype(np.float32) - part) * weight
    mine[alpha > 127] = 0
    mine[face > 0] = number


def _pixels(box: np.ndarray, size: int) -> tuple[slice, slice]:
    left, top, right, bottom = np.clip(np.round(box).astype(int), 0, size)
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def _clutter(rng: Rng, image: np.ndarray, boxes: list[np.ndarray]) -> None:
    """A disc or bar outside the faces."""
    size = image.shape[0]
    centre, reach = rng.uniform(0, size, 2), rng.uniform(0.03, 0.2) * size
    bounds = np.array([*(centre - reach), *(centre + reach)])
    if any(_overlap(bounds, box) > 0 for box in boxes):
        return
    cv2.ellipse(
        image, (int(centre[0]), int(centre[1])), (int(reach), int(reach * rng.uniform(0.2, 1))), float(rng.uniform(0, 180)), 0, 360,
        tuple(map(int, rng.integers(0, 256, 3))), -1, cv2.LINE_AA,
    )  # fmt: skip
