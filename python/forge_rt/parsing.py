"""Faces of files as files: what `forge-rt parse` does.

>>> forge_rt.parsing.run([Path("photos")], Job(out=Path("parsed"), overlay=True)).summary()
'12 images, 14 faces, no face in 1: parsed'
"""

from __future__ import annotations

import json as json_module
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from forge_rt import _core
from forge_rt._core import CorruptFileError, ForgeError, InvalidArgumentError, NotFoundError
from forge_rt.face_analyzer import FaceAnalyzer, Faces, FaceTracker
from forge_rt.haar import haar_boxes
from forge_rt.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES, read_image
from forge_rt.production.files import appearing, make_folder, write_atomically

__all__ = ["Job", "Outcome", "document", "run"]


@dataclass(frozen=True)
class Job:
    out: Path
    model: str = "faces-mini"
    overlay: bool = False
    json: bool = False
    detector: str = "bundle"  #: "bundle", "haar", or another bundle
    max_faces: int = 16
    threshold: float = 0.5
    device: str = "cpu"
    precision: str = "auto"


@dataclass
class Outcome:
    out: Path
    images: int = 0
    frames: int = 0
    faces: int = 0
    empty: int = 0  #: images and frames without a face
    failed: list[str] = field(default_factory=list)

    def summary(self) -> str:
        what = [f"{self.images} images"] if self.images or not self.frames else []
        what += [f"{self.frames} frames of video"] if self.frames else []
        what += [f"{self.faces} faces"]
        what += [f"no face in {self.empty}"] if self.empty else []
        what += [f"{len(self.failed)} inputs failed"] if self.failed else []
        return f"{', '.join(what)}: {self.out}"


def run(
    inputs: Sequence[Path],
    job: Job,
    *,
    tell: Callable[[str], None] = lambda _: None,
    fail: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Parses images, folders of images (not their subfolders) and videos into `job.out`. One bad input does not stop the others: it is
    told to `fail` and listed. Raises when nothing can be done at all: no such model, no input, names that clash."""
    files = list(expand(inputs))
    names = output_names(files)
    make_folder(job.out)
    analyzer = _analyzer(job)
    tell(f"{analyzer.name}: {analyzer.precision} on {analyzer.provider_reason}")
    done = Outcome(job.out)
    for path, name in zip(files, names, strict=True):
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                _video(path, name, analyzer, job, done)
            else:
                _image(path, name, analyzer, job, done)
        except ForgeError as error:
            done.failed.append(str(path))
            fail(f"forge-rt: error: {error}")
    return done


def expand(inputs: Sequence[Path]) -> Iterator[Path]:
    """Files as they are, folders as the images in them, by name."""
    for path in inputs:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
            if not found:
                raise NotFoundError(f"the folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
            yield from found
        elif path.exists():
            yield path
        else:
            raise NotFoundError(f"no such file or folder: {path}")


def output_names(files: Sequence[Path]) -> list[str]:
    """The stem; the whole file name where two stems are equal. Raises where even those are."""
    stems = Counter(path.stem for path in files)
    names = [path.stem if stems[path.stem] == 1 else path.name for path in files]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidArgumentError(f"two inputs are called {twice[0]}; write them to different folders with --out")
    return names


def document(faces: Faces, analyzer: FaceAnalyzer, **more: Any) -> dict[str, Any]:
    """The JSON of one image: `more`, the model, and what `Faces.to_dict` says."""
    model = {
        "name": analyzer.name, "sha256": analyzer.hash, "precision": analyzer.precision, "provider": analyzer.provider,
    }  # fmt: skip
    return {**more, "model": model, "side": analyzer.side, **faces.to_dict()}


def _analyzer(job: Job) -> FaceAnalyzer:
    detector = None if job.detector in ("bundle", "haar") else job.detector
    return FaceAnalyzer(job.model, job.device, precision=job.precision, detector=detector)


def _image(path: Path, name: str, analyzer: FaceAnalyzer, job: Job, done: Outcome) -> None:
    image = read_image(path)
    options: dict[str, Any] = {"max_faces": job.max_faces, "detect_threshold": job.threshold}
    if job.detector == "haar":
        options = {"boxes": haar_boxes(image)}
    faces = analyzer(image, **options)
    write_atomically(job.out / f"{name}_mask.png", _core.encode_png(faces.mask))
    if job.overlay:
        write_atomically(job.out / f"{name}_overlay.png", _png(faces.overlay(image)))
    if job.json:
        write_atomically(job.out / f"{name}.json", _dump(document(faces, analyzer, image=path.name), indent=1))
    done.images += 1
    done.faces += len(faces.faces)
    done.empty += not faces.faces


def _video(path: Path, name: str, analyzer: FaceAnalyzer, job: Job, done: Outcome) -> None:
    if job.detector == "haar":
        raise InvalidArgumentError(
            f"{path}: videos are tracked with the bundle's detector; leave --detector haar to images"
        )
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    rate = rate if 1 <= rate <= 1000 else 25.0
    tracker = FaceTracker(analyzer, max_faces=job.max_faces, detect_threshold=job.threshold)
    masks = job.out / f"{name}_masks"
    make_folder(masks)
    count = 0
    with ExitStack() as stack:
        stack.callback(capture.release)
        lines = (
            stack.enter_context(stack.enter_context(appearing(job.out / f"{name}.jsonl")).open("wb"))
            if job.json
            else None
        )
        film: cv2.VideoWriter | None = None
        while True:
            good, frame = capture.read()
            if not good:
                break
            faces = tracker.update(frame, count / rate, format="bgr")
            write_atomically(masks / f"{count:06d}.png", _core.encode_png(faces.mask))
            if job.overlay:
                if film is None:
                    target = stack.enter_context(_film(job.out / f"{name}_overlay.mp4", rate, frame.shape))
                    film = target
                film.write(np.ascontiguousarray(faces.overlay(frame[..., ::-1])[..., ::-1]))
            if lines is not None:
                lines.write(_dump(document(faces, analyzer, frame=count, time_s=round(count / rate, 6))))
            count += 1
            done.faces += len(faces.faces)
            done.empty += not faces.faces
        if count == 0:
            raise CorruptFileError(f"{path} is damaged or no video that OpenCV reads: it gives no frame")
    done.frames += count


class _film:
    """cv2.VideoWriter that appears under its name when it is whole."""

    def __init__(self, path: Path, rate: float, shape: tuple[int, ...]) -> None:
        self._path, self._part = path, path.with_name(f".part-{path.name}")
        self._writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*"mp4v"), rate, (shape[1], shape[0]))
        if not self._writer.isOpened():
            raise InvalidArgumentError(f"OpenCV cannot write {path}: it has no encoder for mp4v; leave out --overlay")

    def __enter__(self) -> cv2.VideoWriter:
        return self._writer

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.release()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def _png(rgb: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def _dump(value: dict[str, Any], indent: int | None = None) -> bytes:
    return (json_module.dumps(value, indent=indent, allow_nan=False) + "\n").encode()
