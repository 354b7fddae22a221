"""forge-rt parse: faces of images, folders and videos as masks, overlays and JSON. The work is in forge_rt/parsing.py."""

from __future__ import annotations

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
    threshold: Annotated[float, typer.Option(help="Least score of a detection, 0..1.", min=0, max=1)] = 0.5,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1")] = "cpu",
    precision: Annotated[
        str, typer.Option("--precision", help="auto, fp32, fp16 or int8, as the bundle has.")
    ] = "auto",
) -> None:
    """Find faces, and what each pixel of them is.

    NAME_mask.png is an 8-bit greyscale picture of class ids at the input's size, all 0 where no face was found. Of a video: a folder
    NAME_masks with one per frame, NAME_overlay.mp4 and NAME.jsonl. An input that cannot be read is reported, the others are done;
    the exit status is then 2.
    """
    from forge_rt import parsing

    job = parsing.Job(
        model=model, out=out, overlay=overlay, json=json, detector=detector, max_faces=max_faces, threshold=threshold,
        device=device, precision=precision,
    )  # fmt: skip
    done = parsing.run(inputs, job, tell=lambda line: typer.echo(line), fail=lambda line: typer.echo(line, err=True))
    typer.echo(done.summary())
    if done.failed:
        raise typer.Exit(EXIT_ERROR)
