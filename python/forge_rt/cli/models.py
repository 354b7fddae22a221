"""forge-rt models: which bundles are there."""

from __future__ import annotations

from typing import Annotated

import typer

from forge_rt.cli import EXIT_FAILED

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def models(json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False) -> None:
    """List the bundles of the package and of the folders in FORGE_RT_MODELS, their hashes checked. Ends with 1 when one is damaged."""
    import json as json_module

    from forge_rt import bundles

    found = bundles.installed()
    damaged = [entry for entry in found if isinstance(entry, tuple)]
    if json:
        rows = [
            {"path": str(e[0]), "error": str(e[1])} if isinstance(e, tuple) else
            {"name": e.name, "family": e.family, "path": str(e.path), "sha256": e.hash, "licence": e.licence, "bytes": e.bytes, "golden": e.has_golden}
            for e in found
        ]  # fmt: skip
        typer.echo(json_module.dumps(rows, indent=1))
    else:
        for e in found:
            if isinstance(e, tuple):
                typer.echo(f"DAMAGED  {e[0]}: {e[1]}")
            else:
                golden = "golden sample" if e.has_golden else "no golden sample"
                typer.echo(
                    f"{e.name}: {e.family}, {e.bytes / 1e6:.1f} MB, licence {e.licence}, {golden}, SHA-256 {e.hash[:16]}…\n  {e.path}"
                )
        if not found:
            typer.echo("no bundles found")
    if damaged:
        raise typer.Exit(EXIT_FAILED)
