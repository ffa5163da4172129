"""Commands on the way to a first run: raw files, a first configuration, a look for mistakes."""

from __future__ import annotations

from collections.abc import Sized
from contextlib import nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lakeloop.cli.options import (
    Debug,
    Env,
    Folder,
    Json,
    Sets,
)
from lakeloop.config import load
from lakeloop.errors import (
    EXIT_CONFIGURATION,
    ConfigurationError,
)
from lakeloop.terminal import output

PANEL = "A new use case"
app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def land(
    folder: Folder,
    env: Env = "local",
    sets: Sets = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Passed on to the use case's land.py."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Put an example's raw files below the landing root."""
    from lakeloop.landing import land as put

    settings = load(folder, env, sets or ())
    wrong = [item for item in options or () if "=" not in item]
    if wrong:
        raise typer.BadParameter(f"'{wrong[0]}' is not NAME=VALUE", param_hint="--option")
    console = output()
    with console.status("landing raw files"):
        written = put(settings, **dict(item.split("=", 1) for item in options or ()))
    console.print(f"landed {written:,} new files below {settings.resolve('{landing}')}")


@app.command(rich_help_panel=PANEL)
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new use case's name, such as churn.")],
    raw: Annotated[str, typer.Option("--from", metavar="PATH", help="Its raw files: a file, a folder or a pattern.")],
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to predict; else it is guessed.")
    ] = None,
    conf: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the use cases are.")] = Path("conf"),
    env: Env = "local",
    sets: Annotated[
        list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Overrides environment.key=value.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write a first pipeline.yml from raw files, with comments where it is unsure."""
    from lakeloop.config import load_environment
    from lakeloop.onboarding.files import look
    from lakeloop.onboarding.home import Home

    home = Home(conf, name)
    home.check()
    files = look(raw)
    made = [home.environment()] if env == "local" else []
    environment = load_environment(conf, env, sets or ())
    from lakeloop.onboarding.draft import text
    from lakeloop.onboarding.start import draft, provisional
    from lakeloop.session import session

    console = output()
    settings = provisional(home.pipeline.parent, files, environment)
    with console.status("looking at the files"):
        found = draft(session(settings), settings, files, label, datetime.now(timezone.utc))
    made += [home.schema(), home.write(text(found))]
    for file in made:
        if file is not None:
            console.print(f"wrote [bold]{escape(str(file))}[/]", soft_wrap=True)
    console.print(f"  {escape(found.told())}", soft_wrap=True)
    if doubts := found.doubts():
        console.print("\nNot sure of:")
        for where, note in doubts:
            console.print(f"  [yellow]{escape(where)}[/]  {escape(note)}", soft_wrap=True)
    given = f"{home.pipeline.parent}" + (f" --env {env}" if env != "local" else "")
    console.print("\nLook at it, then:")
    for command in ("check", "run"):
        console.print(f"  [cyan]lakeloop {command} {escape(given)}[/]", soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def check(folder: Folder, env: Env = "local", sets: Sets = None, as_json: Json = False, debug: Debug = False) -> None:
    """Look for mistakes without running: every expression, and columns that give the label away."""
    settings = load(folder, env, sets or ())
    from lakeloop.checking import Check
    from lakeloop.report import print_json
    from lakeloop.session import session

    console = output()
    with console.status("checking") if not as_json else nullcontext():
        found = Check(session(settings), settings, datetime.now(timezone.utc)).analyse()
        if not found.problems:
            found.look()
    if as_json:
        told = {"problems": found.problems, "warnings": found.warnings}
        print_json(console, {kind: [vars(problem) for problem in items] for kind, items in told.items()})
        raise typer.Exit(EXIT_CONFIGURATION if found.problems else 0)
    if found.problems:
        raise ConfigurationError(found.problems)
    for warning in found.warnings:
        console.print(f"[yellow]warning[/] {escape(str(warning))}", soft_wrap=True)
    pipeline = settings.pipeline
    analysed = [_count(pipeline.sources, "source"), _count(pipeline.gold, "gold table")]
    analysed.append(f"{_count(pipeline.features, 'feature group')} and the model were analysed.")
    console.print(f"[green]No problem[/] in {escape(str(folder))}: {', '.join(analysed)}", soft_wrap=True)


def _count(items: Sized, name: str) -> str:
    return f"{len(items)} {name}{'' if len(items) == 1 else 's'}"


@app.command(rich_help_panel=PANEL)
def schema(
    environment: Annotated[
        bool, typer.Option("--environment", help="Of conf/env/<name>.yml, not pipeline.yml.")
    ] = False,
    debug: Debug = False,
) -> None:
    """The JSON Schema of pipeline.yml, for editors."""
    from lakeloop.config import Environment, Pipeline
    from lakeloop.config.schema import schema_text

    typer.echo(schema_text(Environment if environment else Pipeline), nl=False)
