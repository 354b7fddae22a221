"""forge-rt parse: faces of images, folders and videos as masks, overlays and JSON. The work is in forge_rt/parsing.py."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from forge_rt.cli import EXIT_ERROR

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def parse(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Images, folders of images, videos.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made when it does not exist.")],
    model: Annotated[
        str, typer.Option("--model", help="Bundle: a path, or the name of an installed one.")
    ] = "faces-mini",
    overlay: Annotated[bool, typer.Option("--overlay", help="Write NAME_overlay.png, too.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Write NAME.json: labels, boxes, landmarks, confidences, times.")
    ] = False,
    detector: Annotated[
        str, typer.Option("--detector", help="bundle (the model's own), haar (OpenCV's), or another bundle.")
    ] = "bundle",
    max_faces: Annotated[int, typer.Option(help="Best first; 0 = all.", min=0)] = 16,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least score of a detection, 0..1; the bundle's own when left out. Not for haar.", min=0, max=1
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1")] = "cpu",
    precision: Annotated[
        str, typer.Option("--precision", help="auto, fp32, fp16 or int8, as the bundle has.")
    ] = "auto",
) -> None:
    """Find faces, and what each pixel of them is.

    NAME_mask.png is an 8-bit greyscale picture of class ids at the input's size, all 0 where no face was found. Of a video: a folder
    NAME_masks with one per frame, NAME_overlay.mp4 and NAME.jsonl. An input that cannot be read is reported, the others are done;
    the exit status is then 2. Of a folder, NAME_mask.png and NAME_overlay.png beside an image NAME are results and not read.
    """
    from forge_rt import parsing

    job = parsing.Job(
        model=model, out=out, overlay=overlay, json=json, detector=detector, max_faces=max_faces, threshold=threshold,
        device=device, precision=precision,
    )  # fmt: skip
    status = StatusLine()

    def fail(line: str) -> None:
        status.clear()
        typer.echo(line, err=True)

    done = parsing.run(inputs, job, tell=typer.echo, fail=fail, progress=status.frame)
    status.clear()
    typer.echo(done.summary())
    if done.failed:
        raise typer.Exit(EXIT_ERROR)


class StatusLine:
    """How far a long video is, on one line of stderr that is overwritten twice a second; nothing where stderr is a file."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next_s = time.monotonic() + 1
        self._length = 0

    def frame(self, path: Path, count: int, expected: int) -> None:
        if not self._shown:
            return
        now = time.monotonic()
        if count == expected:
            self.clear()
        elif now >= self._next_s:
            line = f"{path.name}: {count}{f' of {expected}' if expected else ''} frames"
            sys.stderr.write(f"\r{line:{self._length}}")
            sys.stderr.flush()
            self._length, self._next_s = len(line), now + 0.5

    def clear(self) -> None:
        if self._length:
            sys.stderr.write(f"\r{'':{self._length}}\r")
            sys.stderr.flush()
            self._length = 0
