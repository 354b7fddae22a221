"""Strong augmentation of labelled face images with OpenCV: what a camera, a lens, a codec and a stranger's photograph do."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

Rng = np.random.Generator


def homography(rng: Rng, mask: np.ndarray, size: int) -> np.ndarray:
    """Source pixels to crop pixels: the face takes 0.28–1 of the crop's height; rotation ±30°, aspect, a little perspective."""
    rows, columns = np.nonzero((mask >= 1) & (mask <= 13))
    height = max(np.ptp(rows), np.ptp(columns), 8) if len(rows) else mask.shape[0] / 2
    middle = np.array([columns.mean(), rows.mean()]) if len(rows) else np.array(mask.shape[::-1]) / 2
    angle = np.deg2rad(np.clip(rng.normal(0, 12), -30, 30))
    scale = np.exp(rng.uniform(np.log(0.28), 0)) * size / height
    aspect = np.exp(rng.normal(0, 0.05))
    middle = middle + rng.normal(0, 0.06, 2) * size / scale
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn @ np.diag([scale * aspect, scale / aspect])
    matrix[:2, 2] = size / 2 - matrix[:2, :2] @ middle
    if rng.random() < 0.5:
        bend = np.eye(3)
        bend[2, :2] = rng.normal(0, 0.12, 2) / size
        bend[2, 2] = 1 - bend[2, :2].sum() * size / 2  # the middle stays
        matrix = bend @ matrix
    return matrix


def backdrop(rng: Rng, size: int) -> np.ndarray:
    """Clutter: a colour field of random roughness, with stripes or patches on it."""
    cells = int(rng.choice([2, 3, 5, 9, 24]))
    field = rng.normal(rng.uniform(40, 215, 3), rng.uniform(5, 60), (cells, cells, 3)).clip(0, 255).astype(np.uint8)
    image = cv2.resize(field, (size, size), interpolation=rng.choice([cv2.INTER_CUBIC, cv2.INTER_NEAREST]))
    for _ in range(rng.integers(0, 7)):
        colour = tuple(map(int, rng.integers(0, 256, 3)))
        corners = rng.uniform(-0.2, 1.2, (rng.integers(3, 6), 2)) * size
        cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 6)) if rng.random() < 0.6 else image


def dead_leaves(rng: Rng, size: int) -> np.ndarray:
    """Shapes of all sizes one over the other, each with its own grain and shading: the edges and scales of photographs, without any."""
    half = size // 2
    grain = np.zeros((half, half, 3), np.float32)
    for n in (3, 7, 18, 45):
        octave = rng.standard_normal((n, n, 3), np.float32) * np.float32(6 / n**0.5)
        grain += cv2.resize(octave, (half, half), interpolation=cv2.INTER_CUBIC)
    grain = cv2.resize(np.clip(grain * rng.uniform(4, 14), -70, 70), (size, size))
    tint = rng.uniform(30, 220, 3)
    image = np.full((size, size, 3), tint, np.float32)
    spread = rng.uniform(12, 70)
    for _ in range(int(rng.integers(15, 140))):
        radius = size * 0.02 * (1 - rng.random() * 0.98) ** -0.75
        radius = min(radius, 0.5 * size)
        centre = rng.uniform(-0.1, 1.1, 2) * size
        grey = rng.normal(0, spread)
        colour = tuple(float(v) for v in np.clip(tint + grey + rng.normal(0, spread / 3, 3), 0, 255))
        kind = rng.random()
        if kind < 0.4:
            axes = (int(radius) + 1, int(radius * rng.uniform(0.2, 1)) + 1)
            cv2.ellipse(
                image,
                (int(centre[0]), int(centre[1])),
                axes,
                float(rng.uniform(0, 180)),
                0,
                360,
                colour,
                -1,
                cv2.LINE_AA,
            )
        elif kind < 0.8:
            angle = rng.uniform(0, np.pi)
            along = np.array([np.cos(angle), np.sin(angle)]) * radius * rng.uniform(1, 3)
            across = np.array([-np.sin(angle), np.cos(angle)]) * radius * rng.uniform(0.1, 0.8)
            corners = np.stack(
                [centre + along + across, centre + along - across, centre - along - across, centre - along + across]
            )
            cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            corners = centre + rng.normal(0, radius, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        if kind < 0.06:  # a light or a button, with its highlight
            cv2.circle(
                image,
                (int(centre[0]), int(centre[1])),
                int(radius / 3) + 1,
                tuple(255 - c for c in colour),
                -1,
                cv2.LINE_AA,
            )
    image *= np.float32(rng.uniform(0.5, 1.2))
    image += grain
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 4))
    return np.clip(image, 0, 255).astype(np.uint8)


def photometric(rng: Rng, image: np.ndarray, coarsest: float = 0.15) -> np.ndarray:
    """Float colour changes, then what optics, sensor and codec add. [S, S, 3] uint8 in and out. Now and then the image loses resolution, down
    to the share `coarsest`."""
    grey_only = np.array([0.299, 0.587, 0.114], np.float32)[None].repeat(3, 0)
    tone = (np.arange(256, dtype=np.float32) / 255) ** np.float32(np.exp(rng.normal(0, 0.25)))
    tone = (tone - 0.5) * np.float32(np.exp(rng.normal(0, 0.25))) + np.float32(0.5 + rng.normal(0, 0.08))
    balance = np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
    colour = np.float32(rng.uniform(0.4, 1.5) if rng.random() >= 0.15 else 0)
    x = cv2.LUT(image, (tone[:, None] * balance)[None])
    x = cv2.transform(x, colour * np.eye(3, dtype=np.float32) + (1 - colour) * grey_only)
    if rng.random() < 0.3:  # uneven light
        ramp = np.linspace(-1, 1, x.shape[0], dtype=np.float32)
        x *= 1 + (rng.normal(0, 0.25) * ramp[:, None] + rng.normal(0, 0.25) * ramp[None]).astype(np.float32)[..., None]
    np.clip(x, 0, 1, out=x)
    size = x.shape[0]
    if rng.random() < 0.4:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.15:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, tuple(rng.integers(0, length, 2).tolist()), (length // 2, length // 2), 1)
        x = cv2.filter2D(x, -1, kernel / kernel.sum())
    if rng.random() < 0.3:
        small = max(int(size * rng.uniform(coarsest, 0.8)), 20)
        x = cv2.resize(
            cv2.resize(x, (small, small), interpolation=cv2.INTER_AREA), (size, size), interpolation=cv2.INTER_CUBIC
        )
    if rng.random() < 0.5:
        strength = np.float32(rng.uniform(0.004, 0.06))
        x = x + strength * rng.standard_normal(x.shape if rng.random() < 0.5 else (*x.shape[:2], 1), np.float32)
    out = cv2.convertScaleAbs(np.maximum(x, 0), alpha=255)  # rounds, and stops at 255
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(20, 95))]
        out = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_COLOR)
    return out


def erase(rng: Rng, image: np.ndarray) -> None:
    """A rectangle of one colour or of noise; the labels under it stay."""
    size = image.shape[0]
    h, w = (rng.uniform(0.05, 0.25, 2) * size).astype(int) + 1
    y, x = (int(v) for v in rng.uniform(-0.1, 0.95, 2) * size)
    patch = image[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)]
    patch[:] = rng.integers(0, 256, 3) if rng.random() < 0.7 else rng.integers(0, 256, patch.shape)


def augment(
    rng: Rng, rgb: np.ndarray, mask: np.ndarray, mirror: Sequence[int], size: int, clutter: float
) -> tuple[np.ndarray, np.ndarray]:
    """[H, W, 3] uint8 and its [H, W] classes → [size, size, 3] and [size, size]."""
    matrix = homography(rng, mask, size)
    rgb, mask = np.ascontiguousarray(rgb), np.ascontiguousarray(mask)
    border = tuple(map(int, rng.integers(0, 256, 3)))
    image = cv2.warpPerspective(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=border)
    label = cv2.warpPerspective(mask, matrix, (size, size), flags=cv2.INTER_NEAREST, borderValue=0)
    if rng.random() < 0.5:
        image, label = image[:, ::-1], np.asarray(mirror, np.uint8)[label[:, ::-1]]
    if rng.random() < clutter:
        inside = cv2.GaussianBlur((label > 0).astype(np.float32), (0, 0), 0.7)[..., None]
        image = (image * inside + backdrop(rng, size) * (1 - inside)).astype(np.uint8)
    image = photometric(rng, image)
    if rng.random() < 0.3:
        erase(rng, image)
    return image, label
