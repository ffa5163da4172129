"""The options that commands share, and what they all say."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lakeloop.terminal import errors

Folder = Annotated[Path, typer.Argument(metavar="CONF", help="The use case's folder, such as conf/flights.")]
Env = Annotated[str, typer.Option("--env", "-e", help="Environment: the file conf/env/<name>.yml.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Overrides a setting: dotted.key=value, or environment.key=value.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the summary alone.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback behind an error.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Make the tables anew from their inputs.")]
RebuildChanged = Annotated[
    bool,
    typer.Option("--rebuild-changed", help="Make the tables anew whose definition was changed (where that is asked)."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another run of this use case is in progress.")]
Force = Annotated[bool, typer.Option("--force", help="Train again, even on the same inputs.")]


def warn(text: str) -> None:
    """A line that is no part of the result."""
    errors().print(f"[yellow]note[/] {escape(text)}")


def as_typed(folder: Path, env: str, sets: list[str] | None = None) -> str:
    """What a user types behind a command to mean the same use case."""
    words = [str(folder), *(["--env", env] if env != "local" else ())]
    return shlex.join([*words, *[word for item in sets or () for word in ("--set", item)]])
