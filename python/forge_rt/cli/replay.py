"""forge-rt replay: makes single samples of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forge_rt.cli import EXIT_FAILED

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, finished or not.")],
    index: Annotated[list[int], typer.Option("--index", help="Sample to make again; may be given several times.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    extras: Annotated[
        str | None,
        typer.Option("--with", help="More members: any of normals,uv,layers,soft,volume_depth, joined by commas."),
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="Pixels per side, if not the run's.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Default: the kind the run was made with.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Where the generator lies now, if not where the run found it.")
    ] = None,
    detector: Annotated[
        str | None, typer.Option("--detector", help="Where its detector lies now, if not where the run found it.")
    ] = None,
) -> None:
    """Make samples of a run again, byte for byte, or with more members, or at another size.

    Says for each whether it is identical to the run's. Ends with 1 when one should be and is not.
    """
    import forge_rt as fr

    more = [name.strip() for name in extras.split(",") if name.strip()] if extras else None
    results = fr.replay(folder, index, out, extras=more, size=size, device=device, model=model, detector=detector)
    for result in results:
        names = ", ".join(str(path.relative_to(out)) for path in result.files)
        typer.echo(f"sample {result.index}: {names}\n  {result.note}")
    if any(result.identical is False for result in results):
        raise typer.Exit(EXIT_FAILED)
