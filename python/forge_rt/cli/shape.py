"""forge-rt shape: the geometry of a generated person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def shape(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Bundle of family next3d or eg3d: a path, or an installed name.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Mesh, .ply or .obj; head frame, metres, with colours.")
    ],
    seed: Annotated[int, typer.Option(help="Of the data set; seed and index say who it is.")] = 0,
    index: Annotated[int, typer.Option(help="Sample of the data set that generate makes with this seed.")] = 0,
    attempt: Annotated[int, typer.Option(help="Its draw, as its record says.")] = 0,
    resolution: Annotated[int, typer.Option(metavar="N", help="Points of a side of the grid, 16 to 1024.")] = 256,
    level: Annotated[
        float | None, typer.Option(help="Raw density of the surface (default: the model's, or 10 as published).")
    ] = None,
    border: Annotated[
        float | None,
        typer.Option(help="Share of the grid left out on each side (default: the model's bounds, or 30/256)."),
    ] = None,
    colors: Annotated[bool, typer.Option("--colors/--no-colors", help="Colours of the vertices.")] = True,
    preset: Annotated[
        str | None, typer.Option(help="Whom to draw, as generate (default: next3d-mini, or synthforge-code).")
    ] = None,
    psi: Annotated[float | None, typer.Option(help="Truncation of styles (default: the model's).")] = None,
    cutoff: Annotated[int | None, typer.Option(help="Styles that are truncated (default: the model's).")] = None,
    head: Annotated[
        Path | None,
        typer.Option("--head", metavar="FILE", help="FLAME head: generic_model.pkl, or a bundle (MODEL-head.forge)."),
    ] = None,
    head_landmarks: Annotated[
        str | None,
        typer.Option("--head-landmarks", metavar="FILES", help="FLAME's embeddings: static.pkl,dynamic.npy."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1")] = "cpu",
) -> None:
    """Write the surface of a person that a model draws, as a mesh: marching cubes over its density."""
    import sys

    from forge_rt import InvalidArgumentError, NotFoundError, bundles
    from forge_rt.mesh_files import SUFFIXES
    from forge_rt.shape_run import ShapeOptions, run

    # before the work
    if out.suffix.lower() not in SUFFIXES:
        raise InvalidArgumentError(f"--out must end in {' or '.join(SUFFIXES)}, got {out.name}")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder} for --out; make it first")

    def tell(done: int, count: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\rdensity {100 * done // count} % ", err=True, nl=False)

    options = ShapeOptions(
        seed, index, attempt, preset, psi, cutoff, resolution, level, border, colors, device, head, head_landmarks
    )
    surface = run(bundles.find(model), options, tell=tell)
    if sys.stderr.isatty():
        typer.echo("", err=True)
    surface.write(out)
    low, high = surface.vertices_m.min(0), surface.vertices_m.max(0)
    size = " x ".join(f"{100 * s:.1f}" for s in high - low)
    typer.echo(f"{out}: {len(surface.vertices)} vertices, {len(surface.triangles)} triangles, {size} cm")
