"""forge-rt inspect: checks a data set and shows what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forge_rt.cli import EXIT_FAILED

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, finished or not.")],
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Write the contact sheet to this PNG.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with plots to this file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Everything as one JSON document.")] = False,
) -> None:
    """Check every hash and count of a data set, and show its coverage of poses, expressions, attributes and classes.

    Ends with 0 when everything is right, with 1 when something is missing or damaged.
    """
    import json as json_module

    import forge_rt as fr
    from forge_rt.production.files import write_atomically
    from forge_rt.production.finish import sheet_png
    from forge_rt.production.folder import RunFolder

    found = fr.inspect(folder)
    if sheet is not None:
        write_atomically(sheet, sheet_png(RunFolder.open(folder)))
    if html is not None:
        write_atomically(html, found.html().encode())
    typer.echo(json_module.dumps(found.to_json(), indent=1, allow_nan=False) if json else found.text())
    if not found.good:
        raise typer.Exit(EXIT_FAILED)
