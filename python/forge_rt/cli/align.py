"""forge-rt align: where does a generator draw the heads it is given?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def align(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Bundle of family next3d: a path, or an installed name.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The map and the report, as JSON; a sheet beside it (.png).")
    ],
    head: Annotated[
        Path | None,
        typer.Option(
            "--head",
            metavar="FILE",
            help="FLAME, for a model that was made for it: generic_model.pkl, or a bundle (default: MODEL-head.forge).",
        ),
    ] = None,
    head_landmarks: Annotated[
        str | None,
        typer.Option("--head-landmarks", metavar="FILES", help="FLAME's embeddings: static.pkl,dynamic.npy."),
    ] = None,
    samples: Annotated[int, typer.Option(metavar="N", help="Heads to generate.", min=1)] = 24,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 1,
    preset: Annotated[
        str | None,
        typer.Option(help="What samples are drawn from (default: next3d-mini, or synthforge-alignment for FLAME)."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", metavar="FILE", help="Map to start from: .json, .npy or a published .pth.")
    ] = None,
    resolution: Annotated[int, typer.Option(help="Of the depths.", min=16, max=1024)] = 128,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1")] = "cpu",
) -> None:
    """Fit the affine map between a head's meshes and the heads that a model draws, and report how well they agree."""
    import sys

    from forge_rt import InvalidArgumentError, NotFoundError, bundles
    from forge_rt.alignment_run import RunOptions, run

    # before the minutes of work
    if out.suffix != ".json":
        raise InvalidArgumentError(f"--out is a JSON file and must end in .json, got {out.name}")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder} for --out; make it first")

    def tell(done: int, count: int, what: str) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{what} {done} of {count}   ", err=True, nl=False)

    result = run(
        bundles.find(model),
        RunOptions(samples, seed, preset, resolution, device, head, head_landmarks, start),
        tell=tell,
    )
    if sys.stderr.isatty():
        typer.echo("", err=True)
    result.write(out)
    typer.echo(result.text())
    typer.echo(f"wrote {out} and {out.with_suffix('.png').name}")
