"""`forge-rt bench encode`: label maps and 16-bit depth into PNG files, against cv2.imwrite with its defaults; tars against tarfile.

200 ForgeHead samples of 512 x 512 (`studio`, `portrait` cameras). Every contestant of the mask and depth rows gets the array
and leaves a file in the same folder, in memory where the system has one; one call writes one file, and the samples take turns. First each file is read by
OpenCV and Pillow and must give the array back. Pillow at its fastest setting is reported without a bar, and so are RGB pictures.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from forge_rt import _core
from forge_rt.bench.forgehead import studio
from forge_rt.bench.harness import Contestant, Run
from forge_rt.bench.tar_rows import tar_rows
from forge_rt.forge_head import ForgeHead
from forge_rt.production.records import encode_depth

SIZE, SAMPLES, BATCH, SEED = 512, 200, 8, 2024

#: Bars: how many times faster than cv2.imwrite, and size against its files.
VS_CV2, SIZE_VS_CV2 = 3.0, 1.15


@dataclass(frozen=True)
class Pictures:
    mask: list[np.ndarray]  #: [H, W] uint8 class ids
    depth: list[np.ndarray]  #: [H, W] uint16 steps of 0.1 mm
    rgb: list[np.ndarray]  #: [H, W, 3] uint8


def pictures() -> Pictures:
    """The samples of this benchmark; always the same."""
    head = ForgeHead()
    found = Pictures([], [], [])
    for start in range(0, SAMPLES, BATCH):
        index = range(start, min(start + BATCH, SAMPLES))
        batch = head.generate(seed=SEED, index=index, size=SIZE, camera="portrait", **studio(head))
        found.mask.extend(np.array(batch.segmentation))
        found.depth.extend(encode_depth(d) for d in np.asarray(batch.depth_m))
        found.rgb.extend(np.array(batch.rgb))
    return found


def quiet_folder() -> str:
    """Where writing a file costs least, for every contestant: memory where the system has such a folder."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else tempfile.gettempdir()


def write_file(path: Path, content: bytes) -> None:
    """One open, write and close, without Python's buffer in between."""
    with path.open("wb", buffering=0) as file:
        file.write(content)


def pillow_image() -> Any:
    """The class PIL.Image; None where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def _differ_opencv(files: Iterable[bytes], images: Iterable[np.ndarray]) -> int:
    wrong = 0
    for file, image in zip(files, images, strict=True):
        seen = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
        seen = seen[..., ::-1] if seen is not None and seen.ndim == 3 else seen
        wrong += seen is None or seen.dtype != image.dtype or not np.array_equal(seen, image)
    return wrong


def _differ_pillow(files: Iterable[bytes], images: Iterable[np.ndarray], image_class: Any) -> int:
    wrong = 0
    for file, image in zip(files, images, strict=True):
        with image_class.open(io.BytesIO(file)) as opened:
            wrong += not np.array_equal(np.asarray(opened), image)
    return wrong


def png_parity(run: Run, images: Pictures) -> None:
    """Every file decodes to its array; then sizes, which are part of the bars."""
    image_class = pillow_image()
    if image_class is None:
        run.notes.append("Pillow is not installed (pip install forge-rt[test]): its rows and its decoder were left out")
    for kind in ("mask", "depth", "rgb"):
        arrays = getattr(images, kind)
        files = [_core.encode_png(a) for a in arrays]
        wrong = _differ_opencv(files, arrays)
        run.parity(f"png_{kind}_opencv_differ", wrong, 0, f"of {len(files)} files, decoded by OpenCV")
        if image_class is not None:
            wrong = _differ_pillow(files, arrays, image_class)
            run.parity(f"png_{kind}_pillow_differ", wrong, 0, f"of {len(files)} files, decoded by Pillow")
        ours = sum(map(len, files))
        theirs = sum(len(cv2.imencode(".png", a)[1]) for a in arrays)
        note = f"{ours / len(files):,.0f} bytes an image, OpenCV {theirs / len(files):,.0f}"
        if kind == "rgb":
            run.notes.append(f"png_rgb_size {ours / theirs:.3f}: {note}")
        else:
            run.parity(f"png_{kind}_size", ours / theirs, SIZE_VS_CV2, note)


def _turns(arrays: list[np.ndarray], job: Callable[[np.ndarray], object]) -> Callable[[], object]:
    """A call without arguments that does the job for the next array."""
    following = itertools.cycle(arrays)
    return lambda: job(next(following))


def png_writers(kind: str, arrays: list[np.ndarray], folder: Path) -> list[Contestant]:
    """All that write pictures of one kind into `folder`."""

    def contestant(name: str, what: str, job: Callable[[np.ndarray], object]) -> Contestant:
        return Contestant(f"{kind}_{name}", what, _turns(arrays, job), 1, "image", 1)

    ours, cv2s, pillows = (folder / f"{name}.png" for name in ("forge_rt", "cv2", "pillow"))
    cv2_path = str(cv2s)
    found = [
        contestant("forge_rt", "encode_png to a file", lambda a: write_file(ours, _core.encode_png(a))),
        contestant("cv2", "cv2.imwrite, defaults", lambda a: cv2.imwrite(cv2_path, a)),
        contestant("forge_rt_memory", "encode_png, no file", _core.encode_png),
    ]
    image_class = pillow_image()
    if image_class is not None:
        what = "Pillow, compress_level 1"
        found.append(contestant("pillow", what, lambda a: image_class.fromarray(a).save(pillows, compress_level=1)))
    return found


def png_rows(run: Run, images: Pictures) -> None:
    """Times; ratios against cv2.imwrite."""
    for kind in ("mask", "depth"):
        with tempfile.TemporaryDirectory(dir=quiet_folder()) as folder:
            timings = run.compare(*png_writers(kind, getattr(images, kind), Path(folder)), rounds=9, turn_s=0.25)
        ratio = timings.ratio(f"{kind}_cv2", f"{kind}_forge_rt")
        run.check(f"png_{kind}_vs_cv2", ratio, ">=", VS_CV2, "writing a file both times")

    def memory_row(name: str, what: str, job: Callable[[np.ndarray], object]) -> Contestant:
        return Contestant(name, what, _turns(images.rgb, job), 1, "image", 1)

    timings = run.compare(
        memory_row("rgb_forge_rt_memory", "encode_png, no file", _core.encode_png),
        memory_row("rgb_cv2_memory", "cv2.imencode, defaults", lambda a: cv2.imencode(".png", a)),
        rounds=5,
        turn_s=0.25,
    )
    run.notes.append(f"rgb: {timings.ratio('rgb_cv2_memory', 'rgb_forge_rt_memory'):.1f} times cv2.imencode's speed")


def run(run: Run) -> None:
    """All of it: parity, then sizes, then times."""
    images = pictures()
    run.problem = {
        "size": SIZE, "samples": SAMPLES, "seed": SEED, "folder": quiet_folder(), "opencv": cv2.__version__
    }  # fmt: skip
    png_parity(run, images)
    run.require_parity()
    png_rows(run, images)
    tar_rows(run)
