"""forge-rt verify: is a bundle whole, and does its model give here what it gave when it was made?"""

from __future__ import annotations

from typing import Annotated

import typer

from forge_rt.cli import EXIT_FAILED

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def verify(
    bundles: Annotated[list[str], typer.Argument(metavar="BUNDLE...", help="Paths, or names of installed bundles.")],
) -> None:
    """Check the hashes of bundles and replay their golden samples. Ends with 1 when an error is above its tolerance."""
    from forge_rt import bundles as module

    good = True
    for name in bundles:
        result = module.verify(module.find(name))
        good &= result.passed
        typer.echo(f"{result.info.name}: hashes ok{'; ' + result.note if result.note else ''}")
        for what, error, tolerance in result.errors:
            typer.echo(f"  {'ok  ' if error <= tolerance else 'FAIL'} {what}: {error:.3g} <= {tolerance:g}")
    if not good:
        raise typer.Exit(EXIT_FAILED)
