"""Assembles `forge-rt`: finds commands, reports errors. What a command does lives in its own module."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from forge_rt.cli import EXIT_ERROR

#: Command -> module that defines `app`, a typer.Typer with that one command. Imported only for the command in use.
COMMANDS = {
    "align": "forge_rt.cli.align",
    "bench": "forge_rt.cli.bench",
    "doctor": "forge_rt.cli.doctor",
    "evaluate": "forge_rt.cli.evaluate",
    "export": "forge_rt.cli.export",
    "generate": "forge_rt.cli.generate",
    "inspect": "forge_rt.cli.inspect",
    "models": "forge_rt.cli.models",
    "parse": "forge_rt.cli.parse",
    "replay": "forge_rt.cli.replay",
    "shape": "forge_rt.cli.shape",
    "train": "forge_rt.cli.train",
    "verify": "forge_rt.cli.verify",
}

_debug = False


class LazyGroup(TyperGroup):
    """Looks commands up in COMMANDS. `--help` loads all of them, so their modules import nothing heavy at the top."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(importlib.import_module(COMMANDS[cmd_name]).app)
        command.name = cmd_name
        return command


def _version(asked: bool) -> None:
    if asked:
        import forge_rt

        typer.echo(f"forge-rt {forge_rt.__version__}")
        raise typer.Exit


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Engine for synthetic faces: annotated data at the speed of the hardware, real-time analysis, export."""
    global _debug
    _debug = debug


def _terminated(*_: object) -> None:
    """What was begun is cleaned up, as after Ctrl-C."""
    sys.exit(128 + signal.SIGTERM)


def main(arguments: list[str] | None = None) -> None:
    """The console script. Ends with SystemExit: 0 done, 1 a check failed, 2 an error, told in one line."""
    from forge_rt import ForgeError

    global _debug
    _debug = False
    before = None
    with contextlib.suppress(ValueError):  # not the main thread
        before = signal.signal(signal.SIGTERM, _terminated)
    try:
        app(args=arguments, prog_name="forge-rt")
    except ForgeError as error:
        if _debug:
            raise
        typer.echo(f"forge-rt: error: {' '.join(str(error).split())}", err=True)
        sys.exit(EXIT_ERROR)
    except Exception as error:
        if _debug:
            raise
        what = " ".join(str(error).split()) or "no message"
        advice = "forge-rt --debug ... shows where; please report it"
        typer.echo(f"forge-rt: unexpected error: {type(error).__name__}: {what} ({advice})", err=True)
        sys.exit(EXIT_ERROR)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    main()
