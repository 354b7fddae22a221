"""Photographs for the probe parser: where they come from, hand-drawn truth, scores, pictures.

Nothing is downloaded. Two portraits lie in packages many machines have; they are in the public domain. Of scikit-image also 100
tiny grey faces with 100 tiny non-faces, and a cat. More photographs are the caller's.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

#: Side of the truth masks and overlays.
SIDE = 512
#: Crop side over the side of a Haar box; the hand-drawn crops are alike.
MARGIN = 2.2
#: (left, right, top, bottom) as shares of a tiny face's side, for the middle of each part; the image's left and right.
LAYOUT = {
    "eye left": (0.16, 0.48, 0.22, 0.52),
    "eye right": (0.52, 0.84, 0.22, 0.52),
    "nose": (0.34, 0.66, 0.40, 0.70),
    "mouth": (0.30, 0.70, 0.62, 0.92),
}
_SAMPLES = {
    "astronaut.png": ("skimage", "data"),
    "chelsea.png": ("skimage", "data"),
    "lfw_subset.npy": ("skimage", "data"),
    "grace_hopper.jpg": ("matplotlib", "mpl-data", "sample_data"),
}


@dataclass(frozen=True)
class Photo:
    """A square crop around one face."""

    name: str
    image: np.ndarray  #: [H, W, 3] uint8, the whole photograph
    crop: tuple[float, float, float, float]  #: left, top, right, bottom; may reach beyond the image
    truth: np.ndarray | None = None  #: [SIDE, SIDE] uint8
    drawn: tuple[int, ...] = field(default=())  #: classes the truth shows

    def cut(self, size: int, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        return cv2.warpAffine(
            self.image,
            _to_crop(self.crop, size, scale, shift),
            (size, size),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def back(self, planes: np.ndarray, scale: float, shift: tuple[float, float]) -> np.ndarray:
        """[C, S, S] of a varied cut → [C, SIDE, SIDE] of the plain crop."""
        size = planes.shape[-1]
        varied = np.vstack([_to_crop(self.crop, size, scale, shift), [0, 0, 1]])
        plain = np.vstack([_to_crop(self.crop, SIDE, 1.0, (0.0, 0.0)), [0, 0, 1]])
        return np.stack([
            cv2.warpAffine(
                p, (plain @ np.linalg.inv(varied))[:2], (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            for p in planes
        ])  # fmt: skip


def _to_crop(crop: Sequence[float], size: int, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Photograph to crop pixels, pixel centres at whole numbers as OpenCV has them."""
    side = (crop[2] - crop[0]) * scale
    left = (crop[0] + crop[2]) / 2 + shift[0] * side - side / 2
    top = (crop[1] + crop[3]) / 2 + shift[1] * side - side / 2
    k = size / side
    return np.array([[k, 0, (0.5 - left) * k - 0.5], [0, k, (0.5 - top) * k - 0.5]])


def sample_file(name: str) -> Path | None:
    """A picture inside an installed package; None where the package is absent or does not have it."""
    package, *folders = _SAMPLES[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*folders, name)
    return path if path.is_file() else None


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path} is not an image that OpenCV reads")
    return image[..., ::-1].copy()


def drawn_truth(shapes: list[tuple[str, list[list[float]]]], crop: Sequence[float], names: Sequence[str]) -> np.ndarray:
    """Polygons in photograph pixels → class ids of the crop, [SIDE, SIDE] uint8."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    matrix = _to_crop(crop, SIDE, 1.0, (0.0, 0.0))
    for label, points in shapes:
        corners = np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], names.index(label), shift=4)
    return mask


def packaged(names: Sequence[str]) -> list[Photo]:
    """The portraits with hand-drawn truth, and the cat."""
    document = json.loads((Path(__file__).parent / "probe_truth.json").read_text(encoding="utf-8"))
    photos = []
    for name, face in document["faces"].items():
        path = sample_file(face["file"])
        if path is not None:
            truth = drawn_truth(face["shapes"], face["crop"], names)
            photos.append(Photo(name, read(path), tuple(face["crop"]), truth, tuple(np.unique(truth).tolist())))
    cat = sample_file("chelsea.png")
    if cat is not None:
        photos.append(Photo("cat", read(cat), (75, 0, 375, 300)))
    return photos


def given(paths: Sequence[Path]) -> list[Photo]:
    """Every face that Haar finds in photographs or folders of them; the middle square where it finds none."""
    detector = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
    photos = []
    for file in files:
        if file.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp", ".bmp"):
            continue
        image = read(file)
        height, width = image.shape[:2]
        least = max(min(height, width) // 16, 24)
        boxes = [
            (x + w / 2, y + h / 2, MARGIN * w)
            for x, y, w, h in detector.detectMultiScale(
                cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 1.1, 5, minSize=(least, least)
            )
        ] or [(width / 2, height / 2, min(height, width))]
        for k, (x, y, side) in enumerate(boxes):
            y -= 0.02 * side
            crop = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
            photos.append(Photo(f"{file.stem}_{k}" if len(boxes) > 1 else file.stem, image, crop))
    return photos


def tiny_faces() -> tuple[np.ndarray, np.ndarray] | None:
    """100 faces and 100 non-faces, [100, 25, 25, 3] uint8."""
    path = sample_file("lfw_subset.npy")
    if path is None:
        return None
    grey = (np.load(path).clip(0, 1) * 255).astype(np.uint8)[..., None].repeat(3, -1)
    return grey[:100], grey[100:]


def layout_hits(winner: np.ndarray, ids: dict[str, tuple[int, ...]]) -> dict[str, bool]:
    """Is each part found, and where a face has it? `winner` [S, S], the class map of one tiny face."""
    size = winner.shape[-1]
    hits = {}
    for part, (left, right, top, bottom) in LAYOUT.items():
        found = np.isin(winner, ids[part.split()[0]])
        if part == "eye left":
            found[:, size // 2 :] = False
        if part == "eye right":
            found[:, : size // 2] = False
        rows, columns = np.nonzero(found)
        if len(rows) < 2e-3 * size * size:
            hits[part] = False
            continue
        x, y = (columns.mean() + 0.5) / size, (rows.mean() + 0.5) / size
        hits[part] = bool(left <= x <= right and top <= y <= bottom)
    return hits


def f1_scores(predicted: np.ndarray, truth: np.ndarray, classes: Sequence[int]) -> dict[int, float]:
    """Dice of each class over all pixels given."""
    scores = {}
    for c in classes:
        both = np.count_nonzero((predicted == c) & (truth == c))
        total = np.count_nonzero(predicted == c) + np.count_nonzero(truth == c)
        scores[c] = 2 * both / total if total else 1.0
    return scores


# ---- pictures ----


def coloured(image: np.ndarray, mask: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """[S, S, 3] uint8: the classes over the image, borders drawn in full colour."""
    edge = np.zeros(mask.shape, bool)
    edge[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    edge[1:] |= mask[1:] != mask[:-1]
    blend = np.where(mask[..., None] > 0, 0.45 * image + 0.55 * colors[mask], 0.8 * image)
    return np.where(edge[..., None], 0.2 * image + 0.8 * colors[mask], blend).astype(np.uint8)


def text(image: np.ndarray, words: str, x: int, y: int, scale: float = 0.45) -> None:
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)


def legend(names: Sequence[str], colors: np.ndarray, shares: np.ndarray, height: int) -> np.ndarray:
    """Class names beside their colours, with the share of the image."""
    panel = np.full((height, 150, 3), 24, np.uint8)
    step = height / len(names)
    for k, name in enumerate(names):
        y = int(k * step)
        panel[y + 2 : int(y + step) - 2, 4:22] = colors[k]
        text(panel, f"{name} {100 * shares[k]:.1f}", 28, int(y + step / 2) + 4, min(0.42, step / 40))
    return panel


def sheet(tiles: Sequence[np.ndarray], columns: int, gap: int = 4) -> np.ndarray:
    """Tiles of one size on a dark ground."""
    height, width = (max(t.shape[k] for t in tiles) for k in (0, 1))
    rows = -(-len(tiles) // columns)
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 24, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = gap + k // columns * (height + gap), gap + k % columns * (width + gap)
        canvas[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return canvas


def curve(values: Sequence[float], title: str, size: tuple[int, int] = (360, 720)) -> np.ndarray:
    """A line chart with its first and last value."""
    canvas = np.full((*size, 3), 255, np.uint8)
    y = np.asarray(values, float)
    if len(y) > 1:
        low, high = y.min(), y.max()
        points = np.stack([
            np.linspace(50, size[1] - 20, len(y)),
            size[0] - 30 - (y - low) / max(high - low, 1e-9) * (size[0] - 70),
        ], -1)  # fmt: skip
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], False, (40, 90, 200), 1, cv2.LINE_AA)
        title += f": {y[0]:.3f} to {y[-1]:.3f}"
    cv2.putText(canvas, title, (50, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def write(path: Path, image: np.ndarray, quality: int = 90) -> None:
    cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
