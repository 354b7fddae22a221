"""`forge-rt bench`: runs a benchmark, prints it, writes its JSON. The work is in forge_rt/bench/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forge_rt.cli import EXIT_FAILED

if TYPE_CHECKING:
    from forge_rt.bench import Result

app = typer.Typer()


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="Benchmark to run.", show_default=False)] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the benchmarks and exit.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result here too.", show_default=False)
    ] = None,
    repeat: Annotated[int, typer.Option(help="Take so many times as many rounds. The problem stays the same.")] = 1,
) -> None:
    """Run a benchmark. Exit status 1: a result was wrong or a bar was missed."""
    from forge_rt import bench as benchmarks

    if list_:
        width = max(map(len, benchmarks.BENCHMARKS))
        for benchmark in benchmarks.BENCHMARKS.values():
            typer.echo(f"{benchmark.name:{width}}  {benchmark.summary}")
        return
    if name is None:
        raise typer.BadParameter("name a benchmark, or list them with --list", param_hint="NAME")
    if json_file is not None and not json_file.resolve().parent.is_dir():
        from forge_rt import NotFoundError

        raise NotFoundError(f"folder of --json does not exist: {json_file.resolve().parent}")
    result = benchmarks.run(name, benchmarks.Options(repeat=repeat))
    _print(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
    if not result.passed:
        raise typer.Exit(EXIT_FAILED)


def _print(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"{result.benchmark}: {result.summary}", style="bold"))
    for title, values in (("problem", result.problem), ("machine", result.environment), ("ceilings", result.ceilings)):
        if values:
            console.print(Text(f"{title}: " + ", ".join(f"{key} {_number(value)}" for key, value in values.items())))
    if result.rows:
        table = Table("", "threads", "items", "n", "p50 ms", "p90 ms", "p99 ms", "items/s", box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for r in result.rows:
            times = (f"{ms:.3f}" for ms in (r.p50_ms, r.p90_ms, r.p99_ms))
            table.add_row(
                Text(r.name), str(r.threads), f"{r.items} {r.unit}", str(r.n), *times, f"{r.items_per_s:,.0f}"
            )
        console.print(table)
    for c in result.checks:
        word, style = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("--", "yellow")}[c.passed]
        value = "" if c.value is None else f"{_number(c.value)} "
        note = f"  ({c.note})" if c.note else ""
        console.print(Text.assemble((f"{word:6} ", style), f"{c.name} {value}{c.op} {_number(c.bar)}{note}"))
    for note in result.notes:
        console.print(Text(f"note: {note}"))


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
