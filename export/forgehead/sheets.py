"""Documentation sheets of ForgeHead, drawn by the installed renderer; nothing on them is selected.

    python -m forge_rt.export.forgehead.sheets --out docs/pictures/forgehead [--only sliders wild]

All sheets together stay below 3 MB.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import forge_rt as fr
import numpy as np
from forge_rt.production.contact_sheet import depth_picture, overlay

SEED = 11
#: Bytes of all sheets together, and the width none exceeds.
MOST_BYTES, MOST_WIDTH = 3_000_000, 1600
GROUND, INK = (24, 24, 24), (235, 235, 235)
GAP, CAPTION = 4, 18

Tile = tuple[str, np.ndarray]


class Artist:
    """A head and the few ways of looking at it that the sheets share."""

    def __init__(self, head: fr.ForgeHead) -> None:
        self.head = head
        self.colors = np.array([label.color for label in head.labels], np.uint8)
        self.has_styles = "style" in inspect.signature(head.generate).parameters
        self.plain = self.without_accessories(head.neutral())

    def without_accessories(self, face: fr.FaceParameters) -> fr.FaceParameters:
        """Bald and bare: first choice of the sets that cover the head, the rest as they are."""
        covering = {"hair", "glasses", "hat", "headwear", "beard", "earrings", "necklace", "occluder"}
        bare = {name: choices[0] for name, choices in self.head.options.items() if name in covering}
        return self.head.face(face, options=bare)

    def generated(self, style: str, **arguments: Any) -> fr.FaceBatch:
        extra = {"style": style} if self.has_styles else {}
        return self.head.generate(seed=SEED, **arguments, **extra)

    def pictures(self, faces: Sequence[fr.FaceParameters], view: fr.camera.Camera) -> list[np.ndarray]:
        return list(np.asarray(self.head.render(list(faces), view).rgb))


def view(size: int, width_m: float = 0.30, yaw_deg: float = 0.0, height_m: float = 0.0) -> fr.camera.Camera:
    """A camera 1.2 m away whose image spans `width_m` at the middle of the head."""
    distance = 1.2
    fov = 2 * float(np.degrees(np.arctan(width_m / 2 / distance)))
    return fr.camera.orbit(
        yaw_deg=yaw_deg,
        size=size,
        fov_deg=fov,
        radius_m=distance,
        lookat_m=(0.0, height_m, 0.0),
        origin_m=(0, 0, -0.035),
    )


# ---- layout ----


def written(image: np.ndarray, words: str, x: int, y: int, scale: float = 0.38, ink: Sequence[int] = INK) -> None:
    cv2.putText(image, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, tuple(ink), 1, cv2.LINE_AA)


def fitting(words: str, width: int, scale: float = 0.38) -> float:
    """The scale at which words fit into so many pixels."""
    needed = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
    return scale * min(1.0, (width - 4) / max(needed, 1))


def sheet(tiles: Sequence[Tile], columns: int) -> np.ndarray:
    """Tiles of one size in rows, each under its caption; no caption line when none has one."""
    caption = CAPTION if any(words for words, _ in tiles) else 0
    height, width = tiles[0][1].shape[:2]
    rows = -(-len(tiles) // columns)
    canvas = np.full((rows * (height + caption + GAP) + GAP, columns * (width + GAP) + GAP, 3), GROUND, np.uint8)
    for k, (words, tile) in enumerate(tiles):
        y, x = GAP + k // columns * (height + caption + GAP), GAP + k % columns * (width + GAP)
        written(canvas, words, x + 2, y + 13, fitting(words, width))
        canvas[y + caption : y + caption + height, x : x + width] = tile
    return canvas


def beside(*images: np.ndarray) -> np.ndarray:
    return np.concatenate(images, axis=1)


# ---- sheets ----


def random(a: Artist) -> np.ndarray:
    batch = a.generated("studio", index=range(48), camera="portrait", size=192)
    return sheet([("", image) for image in np.asarray(batch.rgb)], 8)


def wild(a: Artist) -> np.ndarray:
    batch = a.generated("wild", index=range(24), camera="wild" if a.has_styles else "portrait", size=192)
    return sheet([("", image) for image in np.asarray(batch.rgb)], 8)


def sliders(a: Artist) -> np.ndarray:
    camera = view(112, 0.235, yaw_deg=25)  # turned, so that depth shows too
    tiles = []
    for slider in a.head.sliders:
        ends = [a.head.face(a.plain, sliders={slider.name: value}) for value in (slider.minimum, slider.maximum)]
        words = slider.name if slider.minimum == -1 else f"{slider.name} ({slider.minimum:.2g} | {slider.maximum:.2g})"
        tiles.append((words, beside(*a.pictures(ends, camera))))
    return sheet(tiles, 6)


def expressions(a: Artist) -> np.ndarray:
    base = a.without_accessories(a.head.sample(SEED, 5))
    rest = a.head.neutral()
    base.expression, base.neck, base.jaw = rest.expression, rest.neck, rest.jaw
    base.left_eye, base.right_eye = rest.left_eye, rest.right_eye
    faces = [base, *(a.head.face(base, expression={name: 1.0}) for name in a.head.expressions)]
    pictures = a.pictures(faces, view(176, 0.25))
    return sheet(list(zip(["neutral", *a.head.expressions], pictures, strict=True)), 8)


def yaw(a: Artist) -> np.ndarray:
    angles = (-90, -60, -40, -20, 0, 20, 40, 60, 90)
    faces = [a.head.sample(SEED, i) for i in (1, 2)]
    tiles = []
    for face in faces:
        for angle in angles:
            tiles.append((f"yaw {angle}", a.pictures([face], view(168, 0.33, angle))[0]))
    return sheet(tiles, len(angles))


def options(a: Artist) -> np.ndarray:
    tiles = []
    for k, (name, choices) in enumerate(a.head.options.items()):
        base = a.without_accessories(a.head.sample(SEED, 20 + k))
        faces = [a.head.face(base, options={name: choice}) for choice in choices]
        for choice, face in zip(choices, faces, strict=True):
            pair = [a.pictures([face], view(112, 0.36, angle, -0.01))[0] for angle in (0, 50)]
            tiles.append((f"{name}: {choice}", beside(*pair)))
    return sheet(tiles, 6)


def normal_picture(normals: np.ndarray) -> np.ndarray:
    """Right red, up green, towards the camera blue."""
    covered = np.abs(normals).sum(-1, keepdims=True) > 0
    return np.where(covered, 127.5 + 127.5 * normals * [1, -1, -1], 0).clip(0, 255).astype(np.uint8)


def layers(a: Artist) -> np.ndarray:
    """Everything known about three images, one in a row. Further label layers appear when the renderer has them."""
    known = inspect.signature(a.head.generate).parameters
    extra = {name: True for name in ("layers", "layered_labels", "label_layers") if name in known}
    batch = a.generated("studio", index=range(6, 9), camera="portrait", size=256, normals=True, **extra)
    tiles = []
    for b in range(len(batch)):
        rgb, labels = np.asarray(batch.rgb)[b], np.asarray(batch.segmentation)[b]
        points, seen = np.asarray(batch.landmarks)[b], np.asarray(batch.visibility)[b]
        tiles += [
            ("image", rgb),
            ("labels", a.colors[labels]),
            ("depth", depth_picture(np.asarray(batch.depth_m)[b])),
            ("normals", normal_picture(np.asarray(batch.normals)[b])),
            (
                "landmarks: green visible, red hidden",
                overlay(rgb, labels * 0, points, seen, a.colors.astype(np.float32)),
            ),
        ]
        for name, layer in _label_layers(batch, b, extra).items():
            tiles.append((name, a.colors[layer]))
    return sheet(tiles, len(tiles) // len(batch))


def _label_layers(batch: fr.FaceBatch, b: int, extra: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """[H, W] class ids of every further label layer of image b."""
    found = {}
    for name in extra:
        value = getattr(batch, name, None)
        if isinstance(value, Mapping):
            found.update({f"labels: {key}": np.asarray(v)[b] for key, v in value.items()})
        elif value is not None:
            array = np.asarray(value)[b]
            found.update({f"labels {k}": layer for k, layer in enumerate(array.reshape(-1, *array.shape[-2:]))})
    return found


SHEETS: dict[str, Callable[[Artist], np.ndarray]] = {
    f.__name__: f for f in (random, sliders, expressions, yaw, wild, layers, options)
}


def encoded(picture: np.ndarray, quality: int) -> bytes:
    if picture.shape[1] > MOST_WIDTH:
        height = round(picture.shape[0] * MOST_WIDTH / picture.shape[1])
        picture = cv2.resize(picture, (MOST_WIDTH, height), interpolation=cv2.INTER_AREA)
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), settings)[1].tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the documentation sheets of ForgeHead.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=SHEETS, default=list(SHEETS))
    parser.add_argument("--bundle", type=Path, help="another forgehead.forge than the installed one")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    artist = Artist(fr.ForgeHead(arguments.bundle))
    drawn = {name: SHEETS[name](artist) for name in arguments.only}
    for quality in range(88, 39, -4):
        files = {name: encoded(picture, quality) for name, picture in drawn.items()}
        if sum(map(len, files.values())) <= MOST_BYTES:
            break
    for name, data in files.items():
        (arguments.out / f"{name}.jpg").write_bytes(data)
        print(f"{name}.jpg  {drawn[name].shape[1]} x {drawn[name].shape[0]}  {len(data) / 1000:.0f} kB")
    print(f"quality {quality}, {sum(map(len, files.values())) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
