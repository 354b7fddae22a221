"""Training crops of faces-mini: the alignment of the engine (docs/design/faces.md), disturbed; every output's truth goes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from forge_rt.landmarks68 import MIRROR, face_box, five_points

from .augment import backdrop, erase, photometric
from .samples import Sample

Rng = np.random.Generator
#: The crop rule that goes into the bundle.
RULE = {
    "rule": "five_points", "eyes": 4.0, "mouth": 3.6, "shift": 0.1, "scale": 1.1, "rotate": True,
    "box": {"scale": 1.6, "shift": [0.0, -0.075]},  # what the rule for points gives on the average, a little wider
}  # fmt: skip
SPARED = 0.3  #: share of training crops that keep their colours and sharpness
_LOOSE = (1.75, -0.07)  #: box crops of training: a little wider than the rule's, as detectors are off
_SKIN = (1, 7, 8, 10, 14)  # skin, ears, nose, neck
_HAIR = (2, 3, 17)


@dataclass(frozen=True)
class Crop:
    image: np.ndarray  #: [S, S, 3] uint8
    mask: np.ndarray  #: [S, S] uint8
    depth_m: np.ndarray  #: [S, S] float32 relative to the mean camera z of the landmarks; NaN where there is no truth
    landmarks: np.ndarray  #: [68, 2] 0..1 of the crop; may lie beyond it
    visible: np.ndarray  #: [68] bool


def aligned(points: np.ndarray, size: int, rule: dict = RULE) -> np.ndarray:
    """[2, 3]: image pixels → crop pixels by the rule for five points."""
    e0, e1, _, m0, m1 = points.astype(np.float64)
    eye, d = (e0 + e1) / 2, (m0 + m1) / 2 - (e0 + e1) / 2
    x = (e1 - e0) + np.array([d[1], -d[0]])
    x = x / max(np.hypot(*x), 1e-9) if rule["rotate"] else np.array([1.0, 0.0])
    side = rule["scale"] * max(rule["eyes"] * np.hypot(*(e1 - e0)), rule["mouth"] * np.hypot(*d))
    return _square(eye + rule["shift"] * d, x, side, size)


def boxed(landmarks: np.ndarray, size: int, scale: float, shift: float) -> np.ndarray:
    """[2, 3]: image pixels → upright crop around `face_box`: its side is `scale` times the longer side, its centre moved down by `shift` sides."""
    left, top, right, bottom = face_box(landmarks)
    side = scale * max(right - left, bottom - top)
    centre = np.array([(left + right) / 2, (top + bottom) / 2 + shift * side])
    return _square(centre, np.array([1.0, 0.0]), side, size)


def _square(centre: np.ndarray, x: np.ndarray, side: float, size: int) -> np.ndarray:
    k = size / max(side, 1e-6)
    turn = k * np.array([[x[0], x[1]], [-x[1], x[0]]])
    return np.column_stack([turn, size / 2 - turn @ centre])


def plain(sample: Sample, size: int) -> Crop:
    """The crop that the engine would make."""
    return _cut(sample, np.vstack([aligned(five_points(sample.landmarks), size), [0, 0, 1]]), size, 0)


def disturbed(rng: Rng, sample: Sample, mirror: Sequence[int], size: int, clutter: float = 0.45) -> Crop:
    """A crop as hard as the world makes them: geometry, flip, background, occluder, colours of skin and hair, light, optics, codec. Some are
    spared all but geometry and flip: good photographs exist too."""
    spared = rng.random() < SPARED
    by_box = rng.random() < 0.3
    matrix = np.eye(3)
    matrix[:2] = boxed(sample.landmarks, size, *_LOOSE) if by_box else aligned(five_points(sample.landmarks), size)
    matrix = _shake(rng, size, by_box) @ matrix
    crop = _cut(sample, matrix, size, tuple(map(int, rng.integers(0, 256, 3))) if rng.random() < 0.5 else 0)
    image, mask = crop.image, crop.mask
    if not spared and rng.random() < 0.35:
        image = _recolour(rng, image, mask)
    if rng.random() < (clutter / 2 if spared else clutter):
        inside = cv2.GaussianBlur((mask > 0).astype(np.float32), (0, 0), 0.7)[..., None]
        image = (image * inside + backdrop(rng, size) * (1 - inside)).astype(np.uint8)
    depth, visible = crop.depth_m, crop.visible
    if not spared and rng.random() < 0.2:
        image, mask, depth, visible = _occlude(rng, image, mask, depth, crop.landmarks, visible)
    if not spared:
        image = photometric(rng, image)
    if not spared and rng.random() < 0.15:
        image = image.copy()
        erase(rng, image)
    landmarks = crop.landmarks
    if rng.random() < 0.5:
        image, mask, depth = image[:, ::-1], np.asarray(mirror, np.uint8)[mask[:, ::-1]], depth[:, ::-1]
        landmarks, visible = np.stack([1 - landmarks[MIRROR, 0], landmarks[MIRROR, 1]], 1), visible[MIRROR]
    return Crop(np.ascontiguousarray(image), mask, depth, landmarks, visible)


def _shake(rng: Rng, size: int, wide: bool) -> np.ndarray:
    """About the crop's middle: rotation, scale, aspect, shift, now and then a little perspective."""
    angle = np.deg2rad(np.clip(rng.normal(0, 16 if wide else 8), -45, 45))
    scale = np.exp(np.clip(rng.normal(-0.03, 0.13), -0.4, 0.3))
    aspect = np.exp(rng.normal(0, 0.03))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag(
        [scale * aspect, scale / aspect]
    )
    out = np.eye(3)
    out[:2, :2] = turn
    out[:2, 2] = size / 2 - turn @ [size / 2, size / 2] + rng.normal(0, 0.035, 2) * size
    if rng.random() < 0.3:
        bend = np.eye(3)
        bend[2, :2] = rng.normal(0, 0.08, 2) / size
        bend[2, 2] = 1 - bend[2, :2].sum() * size / 2
        out = bend @ out
    return out


def _cut(sample: Sample, matrix: np.ndarray, size: int, border: int | tuple[int, ...]) -> Crop:
    """`matrix`: pixels → crop pixels, centres at halves; OpenCV has them at whole numbers."""
    to_whole, to_half = np.eye(3), np.eye(3)
    to_whole[:2, 2], to_half[:2, 2] = -0.5, 0.5
    m = to_whole @ matrix @ to_half
    rgb = sample.rgb
    span = float(np.sqrt(abs(np.linalg.det(m[:2, :2]))))
    if span < 0.6:  # more than 1.7 pixels in one: the engine averages
        rgb = cv2.GaussianBlur(rgb, (0, 0), 0.35 / span)
    image = cv2.warpPerspective(
        rgb, m, (size, size), flags=cv2.INTER_LINEAR, borderValue=border if isinstance(border, tuple) else (0, 0, 0)
    )
    mask = cv2.warpPerspective(sample.mask, m, (size, size), flags=cv2.INTER_NEAREST)
    relative = np.where(sample.depth_m > 0, sample.depth_m - np.float32(sample.centre_z_m), np.float32(np.nan))
    depth = cv2.warpPerspective(relative, m, (size, size), flags=cv2.INTER_NEAREST, borderValue=float("nan"))
    depth[mask == 0] = np.nan
    points = np.column_stack([sample.landmarks, np.ones(68)]) @ matrix.T
    landmarks = (points[:, :2] / points[:, 2:] / size).astype(np.float32)
    inside = ((landmarks > 0) & (landmarks < 1)).all(1)
    return Crop(image, mask, depth, landmarks, sample.visible & inside)


def _recolour(rng: Rng, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Darker or lighter skin, other hair, with the shading kept: our renders favour fair skin."""
    x = image.astype(np.float32)
    for classes, spread in ((_SKIN, 0.9), (_HAIR, 0.8)):
        where = cv2.GaussianBlur(np.isin(mask, classes).astype(np.float32), (0, 0), 1.2)[..., None]
        gain = np.exp(rng.uniform(-spread, 0.25) + rng.normal(0, 0.08, 3)).astype(np.float32)
        x *= 1 + where * (gain - 1)
    return np.clip(x, 0, 255).astype(np.uint8)


def _occlude(
    rng: Rng, image: np.ndarray, mask: np.ndarray, depth: np.ndarray, landmarks: np.ndarray, visible: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """An object in front of the face: background of the mask, without depth, and what it hides cannot be seen."""
    size = mask.shape[0]
    shape = np.zeros_like(mask)
    centre = rng.uniform(0.1, 0.9, 2) * size
    if rng.random() < 0.5:
        axes = tuple(int(v) for v in rng.uniform(0.05, 0.22, 2) * size)
        cv2.ellipse(shape, (int(centre[0]), int(centre[1])), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        corners = centre + rng.normal(0, 0.13, (int(rng.integers(3, 6)), 2)) * size
        cv2.fillPoly(shape, [cv2.convexHull(corners.astype(np.int32))], 1)
    soft = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), rng.uniform(0.4, 1.2))[..., None]
    image = (image * (1 - soft) + backdrop(rng, size) * soft).astype(np.uint8)
    hidden = shape > 0
    at = np.clip((landmarks * size).astype(int), 0, size - 1)
    return (
        image,
        np.where(hidden, 0, mask).astype(np.uint8),
        np.where(hidden, np.nan, depth).astype(np.float32),
        visible & ~hidden[at[:, 1], at[:, 0]],
    )
