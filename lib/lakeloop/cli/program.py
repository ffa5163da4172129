"""The program: its arguments in, its exit code out; a mistake is told in words."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from lakeloop.cli import looking, preparing, running
from lakeloop.errors import (
    EXIT_FAILED,
    LakeloopError,
    MachineError,
    machine_fault,
)
from lakeloop.terminal import errors
from lakeloop.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The closed loop of a lakehouse ML system: raw files to monitored predictions on Spark.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lakeloop {__version__}")
        raise typer.Exit


for room in (running, preparing, looking):
    app.add_typer(room.app)


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code. A user's mistake is told in words, without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=given, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except LakeloopError as error:
        if "--debug" in given:
            raise
        errors().print(f"[red bold]error[/] {escape(str(error))}")
        return error.exit_code
    except KeyboardInterrupt:
        errors().print("stopped; what was committed stays, and the next run goes on from there")
        return 130
    except Exception as error:
        if "--debug" in given:
            raise
        if fault := machine_fault(error):
            errors().print(f"[red bold]error[/] {escape(fault)}")
            return MachineError.exit_code
        shown = getattr(error, "format_message", None)
        if shown is None:
            raise
        errors().print(f"[red bold]error[/] {escape(shown())}")
        return getattr(error, "exit_code", EXIT_FAILED)


def job(stage: str) -> int:
    """What jobs/<stage>.py calls: the stage with the arguments of the process."""
    return main([stage, *sys.argv[1:]])


def entry() -> None:
    """The console script."""
    sys.exit(main())
