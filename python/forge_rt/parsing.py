"""Faces of files as files: what `forge-rt parse` does.

>>> forge_rt.parsing.run([Path("photos")], Job(out=Path("parsed"), overlay=True)).summary()
'12 images, 14 faces, no face in 1: parsed'
"""

from __future__ import annotations

import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from forge_rt.production.encode import dump_json
from forge_rt.production.files import appearing, failure, make_folder, unique_part, write_atomically

__all__ = ["Job", "Outcome", "document", "run"]

_CV_NO_MEMORY = -4  #: cv::Error::StsNoMem


@dataclass(frozen=True)
class Job:
    out: Path
    model: str = "faces-mini"
    overlay: bool = False
    json: bool = False
    detector: str = "bundle"  #: "bundle", "haar", or another bundle
    max_faces: int = 16
    threshold: float | None = None  #: least score of a detection; None: the bundle's own
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
    progress: Callable[[Path, int, int], None] = lambda *_: None,
) -> Outcome:
    """Parses images, folders of images (not their subfolders) and videos into `job.out`. One bad input does not stop the others: it is
    told to `fail` and listed. Raises when nothing can be done at all: no such model, no input, names that clash.

    progress    called with a video, the frames of it that are done, and their number (0: not known)
    """
    if job.detector == "haar" and job.threshold is not None:
        raise InvalidArgumentError(
            "Haar cascades give no score; leave out the threshold, or take the bundle's detector"
        )
    files = list(expand(inputs, tell))
    names = output_names(files)
    keep_inputs(files, names, job)
    analyzer = _analyzer(job)
    make_folder(job.out)
    tell(f"{analyzer.name}: {analyzer.precision} on {analyzer.provider_reason}")
    done = Outcome(job.out)
    for path, name in zip(files, names, strict=True):
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                _video(path, name, analyzer, job, done, progress)
            else:
                _image(path, name, analyzer, job, done)
        except (ForgeError, cv2.error, MemoryError, OSError) as error:
            done.failed.append(str(path))
            fail(f"forge-rt: error: {_sentence(path, error)}")
    return done


def expand(inputs: Sequence[Path], tell: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
    """Files as they are, folders as the images in them, by name, without results of an earlier run: `tell` says how many those are."""
    for path in inputs:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
            if not found:
                raise NotFoundError(f"the folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
            known = {name for p in found for name in (p.stem, p.name)}
            images = [p for p in found if not _is_result(p, known)]
            if len(images) < len(found):
                tell(f"{path}: {len(found) - len(images)} results of an earlier run are left out")
            yield from images
        elif path.exists():
            yield path
        else:
            raise NotFoundError(f"no such file or folder: {path}")


def _is_result(path: Path, known: set[str]) -> bool:
    """NAME_mask.png or NAME_overlay.png beside an image called NAME."""
    return path.suffix == ".png" and any(
        path.stem.endswith(end) and path.stem.removesuffix(end) in known for end in ("_mask", "_overlay")
    )


def output_names(files: Sequence[Path]) -> list[str]:
    """The stem; the whole file name where two stems are equal. Raises where even those are."""
    stems = Counter(path.stem for path in files)
    names = [path.stem if stems[path.stem] == 1 else path.name for path in files]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidArgumentError(f"two inputs are called {twice[0]}; write them to different folders with --out")
    return names


def keep_inputs(files: Sequence[Path], names: Sequence[str], job: Job) -> None:
    """Raises where a result would replace an input."""
    given = {path.resolve() for path in files}
    for path, name in zip(files, names, strict=True):
        for end in ("_mask.png", "_overlay.png", "_overlay.mp4") if job.overlay else ("_mask.png",):
            target = job.out / f"{name}{end}"
            if target.resolve() in given:
                raise InvalidArgumentError(
                    f"{target}, the result of {path}, would replace an input of that name; write to another folder with --out"
                )


def document(faces: Faces, analyzer: FaceAnalyzer, **more: Any) -> dict[str, Any]:
    """The JSON of one image: `more`, the model, and what `Faces.to_dict` says."""
    model = {
        "name": analyzer.name, "sha256": analyzer.hash, "precision": analyzer.precision, "provider": analyzer.provider,
    }  # fmt: skip
    return {**more, "model": model, "side": analyzer.side, **faces.to_dict()}


def _analyzer(job: Job) -> FaceAnalyzer:
    detector = None if job.detector in ("bundle", "haar") else job.detector
    return FaceAnalyzer(job.model, job.device, precision=job.precision, detector=detector)


def _sentence(path: Path, error: Exception) -> str:
    """One line that names the input."""
    if isinstance(error, ForgeError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == _CV_NO_MEMORY):
        return f"{path} needs more memory than there is; make it smaller"
    if isinstance(error, cv2.error):
        return f"{path}: OpenCV failed: {' '.join(str(error).split())}"
    return f"{path}: {getattr(error, 'strerror', None) or error}"


def _image(path: Path, name: str, analyzer: FaceAnalyzer, job: Job, done: Outcome) -> None:
    image = read_image(path)
    options = _detection(job)
    if job.detector == "haar":
        options = {"boxes": haar_boxes(image, all_faces=True)[: job.max_faces or None], "max_faces": job.max_faces}
    faces = analyzer(image, **options)
    write_atomically(job.out / f"{name}_mask.png", _core.encode_png(faces.mask))
    if job.overlay:
        write_atomically(job.out / f"{name}_overlay.png", _png(faces.overlay(image)))
    if job.json:
        write_atomically(job.out / f"{name}.json", dump_json(document(faces, analyzer, image=path.name), indent=1))
    done.images += 1
    done.faces += len(faces.faces)
    done.empty += not faces.faces


def _detection(job: Job) -> dict[str, Any]:
    # 0 stands for the bundle's own threshold
    return {"max_faces": job.max_faces, "detect_threshold": job.threshold or 0.0}


def _video(
    path: Path, name: str, analyzer: FaceAnalyzer, job: Job, done: Outcome, progress: Callable[[Path, int, int], None]
) -> None:
    if job.detector == "haar":
        raise InvalidArgumentError(
            f"{path}: videos are tracked with the bundle's detector; leave --detector haar to images"
        )
    count = found = empty = 0
    with ExitStack() as stack:
        capture = cv2.VideoCapture(str(path))
        stack.callback(capture.release)
        rate = capture.get(cv2.CAP_PROP_FPS)
        rate = rate if 1 <= rate <= 1000 else 25.0
        expected = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        expected = round(expected) if 0 < expected < 1e9 else 0
        tracker = FaceTracker(analyzer, **_detection(job))
        masks = stack.enter_context(_mask_folder(job.out / f"{name}_masks"))
        lines = (
            stack.enter_context(stack.enter_context(appearing(job.out / f"{name}.jsonl")).open("wb"))
            if job.json
            else None
        )
        film: cv2.VideoWriter | None = None
        time_s = 0.0
        while True:
            good, frame = capture.read()
            if not good:
                break
            time_s = frame_time(count, time_s, capture.get(cv2.CAP_PROP_POS_MSEC), rate)
            faces = tracker.update(frame, time_s, format="bgr")
            (masks / f"{count:06d}.png").write_bytes(_core.encode_png(faces.mask))
            if job.overlay:
                if film is None:
                    target = stack.enter_context(_film(job.out / f"{name}_overlay.mp4", rate, frame.shape))
                    film = target
                film.write(np.ascontiguousarray(faces.overlay(frame[..., ::-1])[..., ::-1]))
            if lines is not None:
                lines.write(dump_json(document(faces, analyzer, frame=count, time_s=round(time_s, 6))))
            count += 1
            found += len(faces.faces)
            empty += not faces.faces
            progress(path, count, expected)
        if count == 0:
            raise CorruptFileError(f"{path} is damaged or no video that OpenCV reads: it gives no frame")
    done.frames += count
    done.faces += found
    done.empty += empty
    if ends_early(count, expected):
        raise CorruptFileError(
            f"{path} is damaged: {count} of its {expected} frames can be read; their results are written"
        )


def frame_time(count: int, before_s: float, stamp_ms: float, rate: float) -> float:
    """Seconds of frame number `count`: the file's time stamp while it rises, else one frame after `before_s`, the time of the last one."""
    stamp_s = stamp_ms / 1000
    if count == 0:
        return stamp_s if math.isfinite(stamp_s) and stamp_s > 0 else 0.0
    return stamp_s if math.isfinite(stamp_s) and stamp_s > before_s else before_s + 1 / rate


def ends_early(count: int, expected: int) -> bool:
    """Whether frames are missing; containers that do not count their frames estimate them to a few per cent."""
    return expected > 0 and count < expected - max(2, 0.03 * expected)


@contextmanager
def _mask_folder(path: Path) -> Iterator[Path]:
    """A folder to write masks into, which becomes `path` when the block ends well and replaces older masks there."""
    if path.exists() and not (path.is_dir() and all(re.fullmatch(r"\d{6,}\.png", p.name) for p in path.iterdir())):
        raise InvalidArgumentError(
            f"{path} holds something else than masks of frames; move it, or choose another --out"
        )
    part, old = unique_part(path), unique_part(path)
    try:
        make_folder(part)
        yield part
        try:
            if path.exists():
                path.rename(old)
            part.rename(path)
        except OSError as error:
            if old.exists() and not path.exists():
                old.rename(path)
            raise failure("write", path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


class _film:
    """cv2.VideoWriter that appears under its name when it is whole. (Its part keeps the ending: OpenCV tells the container by it.)"""

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
