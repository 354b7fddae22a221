"""Faces of pictures and videos: class of each pixel, 68 landmarks, depth.

>>> import cv2, forge_rt
>>> image = cv2.imread("people.jpg")
>>> analyzer = forge_rt.FaceAnalyzer("faces-mini")
>>> faces = analyzer(image, format="bgr")
>>> faces.mask.shape, len(faces.faces)
((720, 1280), 2)
>>> cv2.imwrite("overlay.png", faces.overlay(image, format="bgr")[..., ::-1])
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forge_rt import _core, bundles
from forge_rt._core import InvalidArgumentError, LabelInfo
from forge_rt.backend import locate_runtime

__all__ = ["Face", "FaceAnalyzer", "FaceTracker", "Faces"]

#: order of the channels of each format that has red, green and blue as they are
_TO_RGB = {"rgb": (0, 1, 2), "bgr": (2, 1, 0), "rgba": (0, 1, 2), "bgra": (2, 1, 0), "gray": (0, 0, 0)}
_CHANNELS = {"rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "gray": 1}


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class Face:
    """One face. Positions are pixels of the frame; the centre of its top-left pixel is (0.5, 0.5)."""

    box: tuple[float, float, float, float]  #: left, top, right, bottom; may reach beyond the frame
    score: float  #: of the detector, 0..1; 1 for boxes that the caller gave
    points: np.ndarray  #: [5, 2] float32: right eye, left eye, nose tip, right and left mouth corner (the subject's)
    landmarks: np.ndarray | None  #: [68, 2] float32, iBUG order; None where the bundle has none
    visibility: np.ndarray | None  #: [68] float32, 0..1: probability that the point can be seen
    confidence: float  #: 0..1: how sure the network is of the classes it chose; 0 without parsing
    area: dict[str, int]  #: pixels that this face painted in the mask, by label name
    to_crop: tuple[
        tuple[float, float, float], tuple[float, float, float]
    ]  #: frame pixels → pixels of the network's crop
    rect: tuple[int, int, int, int]  #: left, top, right, bottom of the frame's pixels that the crop covers
    track: int = -1  #: FaceTracker: the same number while it is the same face


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class Faces:
    """What was found in one frame. Maps are views of one result, and None where they were not computed."""

    faces: list[Face]  #: by falling score; in the order of the boxes where boxes were given
    width: int
    height: int
    mask: np.ndarray | None  #: [H, W] uint8 class ids, 0 where no face has a class
    confidence: np.ndarray | None  #: [H, W] uint8, probability · 255 of the class in the mask
    depth: np.ndarray | None  #: [H, W] float32 in the unit of `FaceAnalyzer.depth_unit`, 0 where the mask is 0
    ms: dict[str, float]  #: wall clock by stage, and "total"
    labels: list[LabelInfo] = field(repr=False)

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Any:
        return iter(self.faces)

    def overlay(self, image: Any, alpha: float = 0.5, *, format: str | None = None) -> np.ndarray:
        """The picture with its classes in colour, landmarks and boxes: [H, W, 3] uint8 RGB, a copy.

        image   the frame that was analyzed: [H, W, 3], [H, W, 4] or [H, W] uint8; `format` as in FaceAnalyzer
        alpha   0..1: weight of the colours
        """
        import cv2

        if not 0 <= alpha <= 1:
            raise InvalidArgumentError(f"alpha must be in 0..1, got {alpha}")
        picture = _to_rgb(image, format)
        if picture.shape[:2] != (self.height, self.width):
            raise InvalidArgumentError(
                f"the picture must be the one analyzed, {self.height} x {self.width} pixels, got {picture.shape[0]} x {picture.shape[1]}"
            )
        if self.mask is not None:
            palette = np.zeros((256, 3), np.float32)
            for label in self.labels:
                palette[label.id] = label.color
            shown = self.mask != 0
            picture[shown] = ((1 - alpha) * picture[shown] + alpha * palette[self.mask[shown]] + 0.5).astype(np.uint8)
        thickness = max(1, round(min(self.height, self.width) / 400))
        for face in self.faces:
            left, top, right, bottom = (int(np.clip(v, -1e4, 1e5)) for v in face.box)
            cv2.rectangle(picture, (left, top), (right, bottom), (255, 255, 255), thickness)
            points = face.points if face.landmarks is None else face.landmarks
            for x, y in points[np.isfinite(points).all(1)]:
                cv2.circle(
                    picture, (int(np.clip(x, -1e4, 1e5)), int(np.clip(y, -1e4, 1e5))), thickness, (0, 255, 80), -1
                )
        return picture

    def to_dict(self) -> dict[str, Any]:
        """Everything but the maps, as JSON has it; numbers that are not finite become None."""
        return {
            "width": self.width,
            "height": self.height,
            "labels": {str(label.id): label.name for label in self.labels},
            "faces": [
                {
                    "box": _plain(face.box),
                    "score": _plain(face.score),
                    "confidence": _plain(face.confidence),
                    "points": _plain(face.points),
                    "landmarks": _plain(face.landmarks),
                    "visibility": _plain(face.visibility),
                    "area": face.area,
                    "rect": list(face.rect),
                    "to_crop": [[round(v, 9) for v in row] for row in face.to_crop],
                    "track": face.track,
                }
                for face in self.faces
            ],
            "ms": {name: round(value, 3) for name, value in self.ms.items()},
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


class FaceAnalyzer:
    """Looks at faces with the networks of a bundle. Immutable; may be called from many threads at once.

    >>> analyzer = FaceAnalyzer("faces-mini")
    >>> faces = analyzer(image)                                      # [H, W, 3] uint8 RGB
    >>> faces.mask, faces.faces[0].landmarks, faces.faces[0].area["hair"]
    >>> analyzer(image, boxes=forge_rt.haar_boxes(image))            # OpenCV's detector instead of the bundle's
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] = "faces-mini",
        device: str = "cpu",
        *,
        provider: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        detector: str | os.PathLike[str] | None = None,
        parsing: bool = True,
        landmarks: bool = True,
        depth: bool = True,
        batch: int = 8,
    ) -> None:
        """
        bundle      a path, or the name of an installed bundle of family "faces"
        device      "cpu", "cuda", "cuda:1"; provider as in forge_rt.Session
        precision   a variant of the bundle ("fp32", "int8", "fp16"); "auto": fp16 on CUDA where there is one, else fp32
        threads     of one network run; None: as many as the engine (`num_threads()`)
        detector    another bundle (family "detector" or "faces") to detect with
        parsing, landmarks, depth    what is not wanted is not computed
        batch       faces that go through the network together, at most; 1..64

        Raises NotFoundError, CorruptFileError, UnsupportedError (another family or variant, no ONNX Runtime) or
        DeviceUnavailableError.
        """
        locate_runtime()
        path = bundles.find(bundle)
        self.name = bundles.name_of(path)
        self._analyzer = _core.FaceAnalyzer.load(
            path, device=device, provider=provider, precision=precision, threads=threads or 0,
            detector=None if detector is None else bundles.find(detector), parsing=parsing, landmarks=landmarks, depth=depth, batch=batch,
        )  # fmt: skip
        self._labels = self._analyzer.labels

    def __call__(
        self,
        image: Any,
        *,
        boxes: Any = None,
        crops: Any = None,
        format: str | None = None,
        bt709: bool = False,
        **options: Any,
    ) -> Faces:
        """Finds the faces and looks at them. Releases the GIL.

        image    uint8 [H, W, 3] RGB, [H, W, 4] RGBA or [H, W] grey; with `format`: "rgb", "bgr", "rgba", "bgra", "gray", or
                 "nv12" for a tuple (y [H, W], uv [H/2, W/2, 2]), BT.601 unless `bt709`. NumPy, or anything with __dlpack__ (CUDA
                 tensors stay there). Rows may be apart, as in image[100:200, 50:150]; other strides are copied. Alpha is ignored.
        boxes    [N, 4] left, top, right, bottom in pixels: looks at these instead of detecting; the result keeps their order
        crops    [N, 2, 3] matrices from frame pixels to crop pixels: likewise, for faces that are aligned already
        options  max_faces=16 (0: all), detect_threshold and detect_size (default: the bundle's), min_face=0 (pixels), mask=True, confidence=False,
                 depth_map=False, nearest=False (a faster, ragged mask); 0 stands for the bundle's own threshold and size

        Raises InvalidArgumentError for other dtypes (divide 16-bit pixels by 257), shapes, and boxes outside the frame;
        UnsupportedError where the bundle has no detector.
        """
        if boxes is not None and crops is not None:
            raise InvalidArgumentError("give boxes or crops, not both")
        name = format or ""
        if boxes is not None:
            return self._faces(self._analyzer.analyze_boxes(image, _rows(boxes, (4,), "boxes"), name, bt709, options))
        if crops is not None:
            return self._faces(self._analyzer.analyze_crops(image, _rows(crops, (2, 3), "crops"), name, bt709, options))
        return self._faces(self._analyzer.analyze([image], name, bt709, options)[0])

    def analyze(
        self, frames: Iterable[Any], *, format: str | None = None, bt709: bool = False, **options: Any
    ) -> list[Faces]:
        """The faces of many frames, of any sizes; all of them share network batches. Arguments as in `__call__`."""
        return [self._faces(result) for result in self._analyzer.analyze(list(frames), format or "", bt709, options)]

    def detect(self, image: Any, *, format: str | None = None, bt709: bool = False, **options: Any) -> list[Face]:
        """Only the detector: faces with box, score and points."""
        return [_face(row, []) for row in self._analyzer.detect(image, format or "", bt709, options)]

    def crop_of(self, face: Any) -> np.ndarray:
        """[2, 3] float32 from frame pixels to crop pixels, by the bundle's rule, of five points [5, 2] or of a box (4 numbers)."""
        array = np.asarray(face, np.float32)
        if array.shape == (5, 2):
            return np.array(self._analyzer.crop_of_points(array.tolist()), np.float32)
        if array.shape == (4,):
            return np.array(self._analyzer.crop_of_box(array.tolist()), np.float32)
        raise InvalidArgumentError(f"crop_of takes five points [5, 2] or a box [4], got {list(array.shape)}")

    @property
    def labels(self) -> list[LabelInfo]:
        """Classes of the mask: id, name, color, mirror (id after a left-right flip)."""
        return self._labels

    @property
    def side(self) -> str:
        """Whose left "left" is in the label names: "subject" or "viewer"."""
        return self._analyzer.side

    @property
    def depth_unit(self) -> str:
        return self._analyzer.depth_unit

    @property
    def landmark_count(self) -> int:
        return self._analyzer.landmark_count

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return self._analyzer.crop_size

    @property
    def has_detector(self) -> bool:
        return self._analyzer.has_detector

    @property
    def hash(self) -> str:
        """SHA-256 that names this bundle in records."""
        return self._analyzer.hash

    @property
    def precision(self) -> str:
        """The variant in use."""
        return self._analyzer.precision

    @property
    def provider(self) -> str:
        """The provider really in use: "cpu" or "cuda"."""
        return self._analyzer.provider

    @property
    def provider_reason(self) -> str:
        """One sentence: what was asked for, what is there, what was taken or why not."""
        return self._analyzer.provider_reason

    def _faces(self, result: Any) -> Faces:
        return _faces(result, self._labels)

    def __repr__(self) -> str:
        return (
            f"<forge_rt.FaceAnalyzer {self.hash[:12]} {self.precision} on {self.provider}, {len(self.labels)} classes>"
        )


class FaceTracker:
    """Faces of a video: followed by their landmarks between detections, with numbers that stay, and smoothed.

    >>> tracker = FaceTracker(analyzer)
    >>> for i, frame in enumerate(video):
    ...     for face in tracker.update(frame, i / 30).faces:
    ...         print(face.track, face.landmarks[30])
    """

    def __init__(
        self,
        analyzer: FaceAnalyzer,
        *,
        detect_every: int = 15,
        lost_below: float = 0.35,
        smooth_landmarks: bool = True,
        min_cutoff_hz: float = 1.2,
        beta: float = 6.0,
        derivative_cutoff_hz: float = 1.0,
        smooth_mask: float = 0.0,
        **options: Any,
    ) -> None:
        """
        detect_every      frames between detections while every known face is held; 1: each frame
        lost_below        a face whose confidence falls below it is looked for again
        smooth_landmarks  One-Euro filter (Casiez et al. 2012), speeds in face sizes per second: `min_cutoff_hz` at rest,
                          `beta` more per unit of speed, speed itself smoothed by `derivative_cutoff_hz`
        smooth_mask       0..0.95: weight of the last frame's logits, carried along by the face's motion
        options           of each frame, as in FaceAnalyzer: max_faces, mask, …
        """
        self.analyzer = analyzer
        self._tracker = _core.FaceTracker(
            analyzer._analyzer, detect_every=detect_every, lost_below=lost_below, smooth_landmarks=smooth_landmarks,
            min_cutoff_hz=min_cutoff_hz, beta=beta, derivative_cutoff_hz=derivative_cutoff_hz, smooth_mask=smooth_mask, analyze=options,
        )  # fmt: skip

    def update(self, frame: Any, time_s: float, *, format: str | None = None, bt709: bool = False) -> Faces:
        """The faces held in this frame, taken at `time_s` seconds (rising). Releases the GIL; one thread at a time."""
        return _faces(self._tracker.update(frame, time_s, format or "", bt709), self.analyzer.labels)

    def reset(self) -> None:
        """Forgets all faces: after a cut, or for another video."""
        self._tracker.reset()


def _face(row: dict[str, Any], labels: Sequence[LabelInfo]) -> Face:
    arrays = {name: None if row[name] is None else row[name].numpy() for name in ("points", "landmarks", "visibility")}
    area = {label.name: count for label, count in zip(labels, row["area"], strict=False)}
    return Face(**{**row, **arrays, "area": area})


def _faces(result: Any, labels: list[LabelInfo]) -> Faces:
    maps = {name: getattr(result, name) for name in ("mask", "confidence", "depth")}
    arrays = {name: None if plane is None else plane.numpy() for name, plane in maps.items()}
    return Faces(
        faces=[_face(row, labels) for row in result.faces],
        width=result.width, height=result.height, ms=result.ms, labels=labels, **arrays,
    )  # fmt: skip


def _rows(values: Any, shape: tuple[int, ...], name: str) -> list[Any]:
    try:
        array = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"{name} must be numbers [N, {', '.join(map(str, shape))}], got {values!r}"
        ) from None
    if array.size == 0:
        return []
    if array.shape == shape:
        array = array[None]
    if array.shape[1:] != shape:
        raise InvalidArgumentError(f"{name} must be [N, {', '.join(map(str, shape))}], got {list(array.shape)}")
    return array.tolist()


def _to_rgb(image: Any, format: str | None) -> np.ndarray:
    """A new [H, W, 3] array."""
    array = np.asarray(image)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))):
        raise InvalidArgumentError(
            f"a picture must be uint8 [H, W, 3], [H, W, 4] or [H, W], got {array.dtype} {list(array.shape)}"
        )
    array = array if array.ndim == 3 else array[:, :, None]
    name = format or {1: "gray", 3: "rgb", 4: "rgba"}[array.shape[2]]
    if _CHANNELS.get(name) != array.shape[2]:
        raise InvalidArgumentError(
            f"format must be one of {', '.join(_TO_RGB)} and fit the channels, got {name!r} for {list(array.shape)}"
        )
    return np.ascontiguousarray(array[:, :, list(_TO_RGB[name])])


def _plain(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return round(float(value), 4) if math.isfinite(value) else None
