"""The command line: ``lakeloop run conf/<use case>``, one command a stage, and what the jobs call."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Sized
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lakeloop.config import Settings, load
from lakeloop.errors import (
    EXIT_CONFIGURATION,
    EXIT_FAILED,
    ConfigurationError,
    DataError,
    GateRefused,
    LakeloopError,
    MachineError,
    Problem,
    machine_fault,
)
from lakeloop.stages import STAGES
from lakeloop.terminal import output
from lakeloop.version import __version__

if TYPE_CHECKING:
    from lakeloop.pipeline import Run

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The closed loop of a lakehouse ML system: raw files to monitored predictions on Spark.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

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


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lakeloop {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def _stages(
    folder: Path,
    env: str,
    sets: list[str] | None,
    stages: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    rebuild: bool = False,
    force: bool = False,
    more: bool = False,
    rebuild_changed: bool = False,
    wait: bool = False,
) -> None:
    """Runs stages in one session and prints the summary; GateRefused after the rest, where the gate refused."""
    settings = load(folder, env, sets or ())
    started = time.monotonic()
    # Spark and MLflow take seconds to import: what is wrong with the configuration is told before.
    from lakeloop.derive import Outcome
    from lakeloop.governance.ledger import recorded
    from lakeloop.governance.lock import alone
    from lakeloop.governance.plan import refuse_changes
    from lakeloop.modelling.train import Trained
    from lakeloop.pipeline import Run, new_run_id
    from lakeloop.report import Reporter
    from lakeloop.session import session

    reporter = Reporter(quiet, as_json)
    now = datetime.now(timezone.utc)
    run_id = new_run_id(now)
    pipeline = settings.pipeline
    reporter.say(f"[bold]{pipeline.pipeline}[/]  {escape(pipeline.description)}")
    reporter.say(f"[dim]run {run_id}, environment {escape(settings.environment.name)}, lakeloop {__version__}[/]")
    outcomes: list[Outcome] = []
    trained: Trained | None = None
    with alone(settings, now, wait, _warn):
        with reporter.working("spark", "session"):
            spark = session(settings)
        reporter.say(f"{'spark':<9} {'session ' + spark.version:<36} {'':>12}      {time.monotonic() - started:6.1f} s")
        run = Run(spark, settings, run_id, now, reporter, rebuild, force)
        if settings.environment.on_changed_definition == "ask" and not (rebuild or rebuild_changed):
            refuse_changes(run, stages, _given(folder, env, sets))
        with recorded(run, _warn):
            for stage in stages:
                for result in run.stage(stage):
                    if isinstance(result, Trained):
                        trained = result
                        if not trained.promoted and not trained.unchanged and run.tracking.champion() is None:
                            reporter.summary(outcomes, trained, None, time.monotonic() - started)
                            raise _refused(trained)
                    else:
                        outcomes.append(result)
        drifted = run.drifted() if "monitor" in stages else None
    hints = _further(settings, folder, env) if more else ()
    reporter.summary(outcomes, trained, drifted, time.monotonic() - started, hints)
    if trained is not None and not trained.promoted and not trained.unchanged:
        raise _refused(trained)


def _warn(text: str) -> None:
    """A line that is no part of the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[yellow]note[/] {escape(text)}")


def _refused(trained: object) -> GateRefused:
    from lakeloop.modelling.train import Trained

    assert isinstance(trained, Trained)
    failed = "; ".join(f"{check.name}: {check.detail}" for check in trained.checks if not check.passed)
    return GateRefused(
        f"{trained.version.name} version {trained.version.version} was registered but is not made champion: {failed}"
    )


def _given(folder: Path, env: str, sets: list[str] | None = None) -> str:
    """What a user types behind a command to mean the same use case."""
    words = [str(folder), *(["--env", env] if env != "local" else ())]
    return shlex.join([*words, *[word for item in sets or () for word in ("--set", item)]])


def _further(settings: Settings, folder: Path, env: str) -> list[tuple[str, str]]:
    given = _given(folder, env)
    found = [("tables, versions and models", f"lakeloop status {given}")]
    if settings.resolve(settings.environment.tracking_uri).startswith("sqlite"):
        found.append(("experiments in the MLflow UI", f"lakeloop ui {given}   (make ui)"))
    return found


@app.command()
def run(
    folder: Folder,
    env: Env = "local",
    sets: Sets = None,
    rebuild: Rebuild = False,
    rebuild_changed: RebuildChanged = False,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The whole loop: bronze, silver, gold, features, train, score, monitor."""
    _stages(folder, env, sets, STAGES, as_json, quiet, rebuild, force, True, rebuild_changed, wait)


def _stage_command(stage: str, text: str) -> None:
    def command(
        folder: Folder,
        env: Env = "local",
        sets: Sets = None,
        rebuild: Rebuild = False,
        rebuild_changed: RebuildChanged = False,
        wait: Wait = False,
        as_json: Json = False,
        quiet: Quiet = False,
        debug: Debug = False,
    ) -> None:
        _stages(folder, env, sets, (stage,), as_json, quiet, rebuild, False, False, rebuild_changed, wait)

    command.__doc__ = text
    app.command(stage)(command)


_stage_command("bronze", "Raw files as they came, each once.")
_stage_command("silver", "Typed rows, one a key; the others go to quarantine.")
_stage_command("gold", "The SQL tables of the use case.")
_stage_command("features", "What was known at the time of each row to predict.")


@app.command()
def train(
    folder: Folder,
    env: Env = "local",
    sets: Sets = None,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Search, refit, test, log, register; champion if the gate is passed."""
    _stages(folder, env, sets, ("train",), as_json, quiet, force=force, wait=wait)


_stage_command("score", "Predictions of the champion for rows that it has not scored.")
_stage_command("monitor", "Profiles of the scored rows and their drift from the training set.")


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def status(folder: Folder, env: Env = "local", sets: Sets = None, as_json: Json = False, debug: Debug = False) -> None:
    """Tables with their versions, models, last runs."""
    settings = load(folder, env, sets or ())
    from lakeloop.session import session
    from lakeloop.status import collect, show

    console = output()
    with console.status("looking") if not as_json else nullcontext():
        found = collect(session(settings), settings)
    show(console, found, as_json)


@app.command()
def audit(folder: Folder, env: Env = "local", sets: Sets = None, as_json: Json = False, debug: Debug = False) -> None:
    """Is every raw record in silver, superseded, quarantined or dropped by a rule? Exit code 5 where one is not."""
    settings = load(folder, env, sets or ())
    from lakeloop.governance import account
    from lakeloop.governance.audit import audit_all
    from lakeloop.report import print_json
    from lakeloop.session import session
    from lakeloop.tables import Lakehouse

    console = output()
    given = _given(folder, env, sets)
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
app.add_typer(quarantine, name="quarantine")
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
            console.print(f"[dim]quarantine.{name} is not there yet: run `lakeloop run {_given(folder, env, sets)}`[/]")
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
    with alone(settings, now, wait, _warn) if not dry_run else nullcontext():
        run = Run(session(settings), settings, new_run_id(now), now, Reporter(quiet=True))
        with recorded(run, _warn):
            for name in names:
                with console.status(f"quarantine.{name}") if not as_json else nullcontext():
                    replayed.append(kept_out.replayed(run, name, dry_run))
    if as_json:
        print_json(console, {"sources": [asdict(item) for item in replayed]})
        return
    for item in replayed:
        kept_out.show_replay(console, item)
    if not dry_run and any(item.changed for item in replayed):
        console.print(f"What is made from silver follows with `lakeloop run {_given(folder, env, sets)}`.")


@app.command()
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


@app.command()
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


@app.command()
def maintain(
    folder: Folder,
    env: Env = "local",
    sets: Sets = None,
    wait: Wait = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compact small files and remove old ones, as `maintenance` in pipeline.yml says."""
    settings = load(folder, env, sets or ())
    from lakeloop import maintenance
    from lakeloop.governance.lock import alone
    from lakeloop.pipeline import new_run_id
    from lakeloop.report import print_json
    from lakeloop.session import session
    from lakeloop.tables import Lakehouse

    console = output()
    now = datetime.now(timezone.utc)
    with alone(settings, now, wait, _warn), console.status("looking") if not as_json else nullcontext() as shown:
        working = (lambda table: shown.update(table)) if shown is not None else (lambda table: None)
        found = list(maintenance.maintained(Lakehouse(session(settings), settings), new_run_id(now), working))
    if as_json:
        print_json(console, {"tables": [asdict(item) for item in found]})
    else:
        maintenance.show(console, settings, found, quiet)


@app.command()
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


@app.command()
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


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code. A user's mistake is told in words, without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=given, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except LakeloopError as error:
        if "--debug" in given:
            raise
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red bold]error[/] {escape(str(error))}")
        return error.exit_code
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; what was committed stays, and the next run goes on from there")
        return 130
    except Exception as error:
        if "--debug" in given:
            raise
        if fault := machine_fault(error):
            Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red bold]error[/] {escape(fault)}")
            return MachineError.exit_code
        shown = getattr(error, "format_message", None)
        if shown is None:
            raise
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red bold]error[/] {escape(shown())}")
        return getattr(error, "exit_code", EXIT_FAILED)


def job(stage: str) -> int:
    """What jobs/<stage>.py calls: the stage with the arguments of the process."""
    return main([stage, *sys.argv[1:]])


def entry() -> None:
    """The console script."""
    sys.exit(main())
