"""`forge-rt doctor`: prints what forge_rt/diagnostics.py finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from forge_rt.cli import EXIT_FAILED

if TYPE_CHECKING:
    from forge_rt.diagnostics import Report

app = typer.Typer()


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Say what this installation can do here, and why not more. Exit status 1: a self-test failed."""
    from forge_rt import diagnostics

    report = diagnostics.report()
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1))
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(EXIT_FAILED)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)

    def title(text: str) -> None:
        console.print(Text(f"\n{text}", style="bold"))

    def line(key: str, value: str, style: str = "") -> None:
        console.print(Text.assemble("  ", f"{key:<18} ", (value, style)))

    console.print(Text("forge-rt doctor", style="bold"))
    for name, version in report.versions.items():
        line(name, version)

    title("processor")
    line("cpu", f"{report.cpu}, {report.cores} cores, {report.threads} threads in use")
    line("instruction set", report.isa.reason)

    title("CUDA")
    cuda = report.cuda
    line("build", f"with kernels for CUDA {cuda.runtime_version}" if cuda.built else "without CUDA kernels")
    line("driver", f"supports CUDA {cuda.driver_version}" if cuda.driver_version else "none found")
    for i, device in enumerate(cuda.devices):
        line(f"cuda:{i}", device, "green")
    if not cuda.devices:
        line("devices", f"none: {cuda.reason}", "yellow")

    title("ONNX Runtime")
    ort = report.onnx_runtime
    if ort.library:
        line("library", f"{ort.library} (by {ort.found_by})")
    if ort.reason:
        line("usable", f"no: {ort.reason}", "yellow")
    else:
        line("version", ort.version)
        line("providers", ", ".join(ort.providers))
    line("note", ort.note, "bold yellow" if len(ort.packages) > 1 else "")

    title("extras")
    for extra in report.extras:
        note = f" ({extra.note})" if extra.note else ""
        if extra.present:
            line(extra.name, f"present{note}", "green")
        else:
            line(extra.name, f"missing {', '.join(extra.missing)}; get it with: {extra.get}{note}")

    title("ops")
    for device, ops in report.op_paths.items():
        line(device, ", ".join(f"{op} {path}" for op, path in ops.items()))

    title("fallbacks")
    for fallback in report.fallbacks:
        line("", f"{fallback.what} -> {fallback.used}: {fallback.reason}")
    if not report.fallbacks:
        line("", "none")

    title("self-tests")
    for test in report.self_tests:
        word, style = ("ok", "green") if test.ok else ("FAILED", "bold red")
        console.print(Text.assemble("  ", f"{test.layer:<11}{test.name:<18} ", (f"{word}: {test.detail}", style)))
