"""Commands that look at what is there: tables, rows kept out, what was made from what, the experiments."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from lakeloop.cli.options import (
    Debug,
    Env,
    Folder,
    Json,
    Sets,
    Wait,
    as_typed,
    warn,
)
from lakeloop.config import Settings, load
from lakeloop.errors import (
    ConfigurationError,
    DataError,
    LakeloopError,
    MachineError,
    Problem,
)
from lakeloop.stages import STAGES
from lakeloop.terminal import output

if TYPE_CHECKING:
    from lakeloop.pipeline import Run

PANEL = "What is there"
app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def status(folder: Folder, env: Env = "local", sets: Sets = None, as_json: Json = False, debug: Debug = False) -> None:
    """Tables with their versions, models, last runs."""
    settings = load(folder, env, sets or ())
    from lakeloop.session import session
    from lakeloop.status import collect, show

    console = output()
    with console.status("looking") if not as_json else nullcontext():
        found = collect(session(settings), settings)
    show(console, found, as_json)


@app.command(rich_help_panel=PANEL)
def audit(folder: Folder, env: Env = "local", sets: Sets = None, as_json: Json = False, debug: Debug = False) -> None:
    """Is every raw record in silver, superseded, quarantined or dropped by a rule? Exit code 5 where one is not."""
    settings = load(folder, env, sets or ())
    from lakeloop.governance import account
    from lakeloop.governance.audit import audit_all
    from lakeloop.report import print_json
    from lakeloop.session import session
    from lakeloop.tables import Lakehouse

    console = output()
    given = as_typed(folder, env, sets)
    with console.status("counting") if not as_json else nullcontext():
        lakehouse = Lakehouse(session(settings), settings)
        found, unable = audit_all(lakehouse, given)
    if as_json:
        print_json(console, {"sources": [account.plain(item) for item in found], "unable": unable})
    else:
        account.show(console, found)
    wrong = [f"  {item.source}: {problem}" for item in found for problem in item.problems]
    if wrong:
        raise DataError(
            "\n".join(["Not every raw record is accounted for:", *wrong, *unable])
            + f"\nBronze keeps every raw record: make the tables anew from it with `lakeloop silver {given} --rebuild`."
        )
    if unable:
        raise LakeloopError("\n".join(unable))
    if not as_json:
        console.print("[green]Every raw record is accounted for.[/]")


quarantine = typer.Typer(no_args_is_help=True, help="What was kept out of silver, and why.")


app.add_typer(quarantine, name="quarantine", rich_help_panel=PANEL)


SourceName = Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="One source; without it all.")]


def _sources(settings: Settings, source: str | None) -> list[str]:
    """The source that was named, or all; LakeloopError with the nearest right name."""
    names = list(settings.pipeline.sources)
    if source is None:
        return names
    if source not in names:
        from lakeloop.config.loading import nearest

        hint = nearest(source, names) or f"there are {', '.join(names)}"
        raise ConfigurationError([Problem(str(settings.folder), "sources", source, "the name of a source", hint)])
    return [source]


@quarantine.command("show")
def quarantine_show(
    folder: Folder,
    source: SourceName = None,
    env: Env = "local",
    sets: Sets = None,
    limit: Annotated[int, typer.Option(min=0, help="Examples a rule.")] = 3,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The quarantined rows by the rules that they break, since when, with examples."""
    settings = load(folder, env, sets or ())
    names = _sources(settings, source)
    from lakeloop.governance import quarantine as kept_out
    from lakeloop.report import print_json
    from lakeloop.session import session
    from lakeloop.tables import Lakehouse

    console = output()
    with console.status("looking") if not as_json else nullcontext():
        lakehouse = Lakehouse(session(settings), settings)
        looked = {name: kept_out.look(lakehouse, name, limit) for name in names}
    found = [item for item in looked.values() if item is not None]
    if as_json:
        print_json(console, {"sources": [kept_out.plain(item) for item in found]})
        return
    for name, item in looked.items():
        if item is None:
            command = f"lakeloop run {as_typed(folder, env, sets)}"
            console.print(f"[dim]quarantine.{name} is not there yet: run `{command}`[/]")
    kept_out.show(console, found)


@quarantine.command("replay")
def quarantine_replay(
    folder: Folder,
    source: SourceName = None,
    env: Env = "local",
    sets: Sets = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")] = False,
    wait: Wait = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """After a rule or a column was mended: judge the quarantined rows anew and let in those that pass."""
    settings = load(folder, env, sets or ())
    names = _sources(settings, source)
    from lakeloop.governance import quarantine as kept_out
    from lakeloop.governance.ledger import recorded
    from lakeloop.governance.lock import alone
    from lakeloop.pipeline import Run, new_run_id
    from lakeloop.report import Reporter, print_json
    from lakeloop.session import session

    console = output()
    now = datetime.now(timezone.utc)
    replayed = []
    with alone(settings, now, wait, warn) if not dry_run else nullcontext():
        run = Run(session(settings), settings, new_run_id(now), now, Reporter(quiet=True))
        with recorded(run, warn):
            for name in names:
                with console.status(f"quarantine.{name}") if not as_json else nullcontext():
                    replayed.append(kept_out.replayed(run, name, dry_run))
    if as_json:
        print_json(console, {"sources": [asdict(item) for item in replayed]})
        return
    for item in replayed:
        kept_out.show_replay(console, item)
    if not dry_run and any(item.changed for item in replayed):
        console.print(f"What is made from silver follows with `lakeloop run {as_typed(folder, env, sets)}`.")


@app.command(rich_help_panel=PANEL)
def lineage(
    folder: Folder,
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Such as silver.orders.")] = None,
    env: Env = "local",
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What each table was made from, at which versions, and what is made from it."""
    settings = load(folder, env, sets or ())
    from lakeloop.governance import lineage as graph
    from lakeloop.report import print_json

    console = output()
    with console.status("looking") if not as_json else nullcontext():
        nodes = graph.collect(_looking(settings))
    if table is not None:
        table = graph.one(nodes, table).name
        nodes = graph.related(nodes, table)
    if as_json:
        print_json(console, {"nodes": graph.plain(nodes)})
    else:
        graph.show(console, nodes, table)


@app.command(rich_help_panel=PANEL)
def plan(folder: Folder, env: Env = "local", sets: Sets = None, as_json: Json = False, debug: Debug = False) -> None:
    """What the next run would do to each table, and why, without doing it."""
    settings = load(folder, env, sets or ())
    from lakeloop.governance import plan as planning
    from lakeloop.report import print_json

    console = output()
    with console.status("looking") if not as_json else nullcontext():
        run = _looking(settings)
        found = planning.plan(run)
        definitions = list(run.changed_definitions(STAGES))
        changed = planning.changed_configuration(run, definitions)
    asks = bool(definitions) and settings.environment.on_changed_definition == "ask"
    if as_json:
        print_json(console, {"plan": [asdict(item) for item in found], "changed": changed, "asks": asks})
        return
    planning.show(console, found, changed)
    if asks:
        console.print("\n[yellow]A run refuses[/] until it is asked to rebuild: --rebuild-changed.")


def _looking(settings: Settings) -> Run:
    """A run that is used to look at the tables alone."""
    from lakeloop.pipeline import Run, new_run_id
    from lakeloop.report import Reporter
    from lakeloop.session import session

    now = datetime.now(timezone.utc)
    return Run(session(settings), settings, new_run_id(now), now, Reporter(quiet=True))


@app.command(rich_help_panel=PANEL)
def ui(
    folder: Folder,
    env: Env = "local",
    sets: Sets = None,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
    debug: Debug = False,
) -> None:
    """The MLflow UI on this use case's experiments."""
    settings = load(folder, env, sets or ())
    if not 0 < port < 65536:
        raise typer.BadParameter(f"{port} is not a port: 1 to 65535", param_hint="--port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise MachineError(
                f"Port {port} is taken by another program: name a free one with --port, such as --port {port + 1}."
            ) from error
    uri = settings.resolve(settings.environment.tracking_uri)
    typer.echo(f"MLflow on http://127.0.0.1:{port} (Ctrl-C ends it)")
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        uri,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
