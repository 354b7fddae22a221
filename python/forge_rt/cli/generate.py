"""forge-rt generate: writes an annotated data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def generate(
    out: Annotated[Path, typer.Option("--out", help="New or empty folder for the data set.")],
    count: Annotated[int, typer.Option("--count", help="Number of images.")],
    seed: Annotated[int, typer.Option("--seed", help="Run seed; image i is a pure function of (seed, i).")] = 0,
    size: Annotated[int, typer.Option("--size", help="Pixels per side.")] = 512,
    style: Annotated[
        str, typer.Option("--style", help="studio, wild, mixed, or the share of wild images, e.g. 0.3.")
    ] = "studio",
    camera: Annotated[
        str | None,
        typer.Option(
            "--camera",
            help="Preset (portrait, frontal, paper, synthforge-code, wild) or a .yaml/.json file. Default: portrait, for wild images the wild preset.",
        ),
    ] = None,
    layout: Annotated[str, typer.Option("--layout", help="folders: images/ seg/ depth/ annotations/")] = "folders",
    rgb: Annotated[str, typer.Option("--rgb", help="jpeg (quality 95, 4:4:4) or png")] = "jpeg",
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", help="Threads (default: FORGE_RT_THREADS, else usable cores, at most 8). Never changes a byte."
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="Images rendered together. Never changes a byte.")] = 8,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Write COUNT annotated faces: RGB, segmentation, depth, landmarks, camera and parameters, with a contact sheet.

    Runs on the CPU with the ForgeHead that comes with forge_rt.
    """
    import contextlib
    import sys
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    import forge_rt as fr

    console = Console(stderr=True)
    share: str | float = style
    with contextlib.suppress(ValueError):  # a name; the plan checks it
        share = float(style)
    plan = fr.Plan(count=count, seed=seed, size=size, style=share, camera=camera, layout=layout, rgb=rgb).validate()
    if threads is not None and not 1 <= threads <= 256:
        raise fr.InvalidArgumentError(f"--threads must be 1..256, got {threads}")
    console.print(
        f"forge_rt {fr.__version__}: {count} images of {size} x {size} on the CPU, {fr.isa_reason()}, {threads or fr.num_threads()} threads",
        highlight=False,
    )
    start = time.perf_counter()
    columns = (
        TextColumn("generate"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not sys.stderr.isatty()) as bar:
        task = bar.add_task("generate", total=count, rate="")

        def show(done: int) -> None:
            bar.update(task, completed=done, rate=f"{done / max(time.perf_counter() - start, 1e-9):.1f}/s")

        try:
            result = fr.generate(plan, out, threads=threads, batch=batch, progress=show)
        except KeyboardInterrupt:
            typer.echo(
                f"forge-rt: stopped; {out} holds the finished samples but no manifest. Delete it and run again.",
                err=True,
            )
            raise typer.Exit(130) from None
    seconds = time.perf_counter() - start
    typer.echo(f"{result.count} samples in {result.folder} ({seconds:.1f} s, {result.count / seconds:.1f}/s)")
    typer.echo(f"contact sheet: {result.contact_sheet}")
