"""Commands that change tables: the whole loop, one stage, maintenance."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import typer
from rich.markup import escape

from lakeloop.cli.options import (
    Debug,
    Env,
    Folder,
    Force,
    Json,
    Quiet,
    Rebuild,
    RebuildChanged,
    Sets,
    Wait,
    as_typed,
    warn,
)
from lakeloop.config import Settings, load
from lakeloop.errors import (
    GateRefused,
)
from lakeloop.stages import STAGES
from lakeloop.terminal import output
from lakeloop.version import __version__

PANEL = "The loop"
app = typer.Typer()


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
    with alone(settings, now, wait, warn):
        with reporter.working("spark", "session"):
            spark = session(settings)
        reporter.say(f"{'spark':<9} {'session ' + spark.version:<36} {'':>12}      {time.monotonic() - started:6.1f} s")
        run = Run(spark, settings, run_id, now, reporter, rebuild, force)
        if settings.environment.on_changed_definition == "ask" and not (rebuild or rebuild_changed):
            refuse_changes(run, stages, as_typed(folder, env, sets))
        with recorded(run, warn):
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


def _refused(trained: object) -> GateRefused:
    from lakeloop.modelling.train import Trained

    assert isinstance(trained, Trained)
    failed = "; ".join(f"{check.name}: {check.detail}" for check in trained.checks if not check.passed)
    return GateRefused(
        f"{trained.version.name} version {trained.version.version} was registered but is not made champion: {failed}"
    )


def _further(settings: Settings, folder: Path, env: str) -> list[tuple[str, str]]:
    given = as_typed(folder, env)
    found = [("tables, versions and models", f"lakeloop status {given}")]
    if settings.resolve(settings.environment.tracking_uri).startswith("sqlite"):
        found.append(("experiments in the MLflow UI", f"lakeloop ui {given}"))
    return found


@app.command(rich_help_panel=PANEL)
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
    app.command(stage, rich_help_panel=PANEL)(command)


_stage_command("bronze", "Raw files as they came, each once.")


_stage_command("silver", "Typed rows, one a key; the others go to quarantine.")


_stage_command("gold", "The SQL tables of the use case.")


_stage_command("features", "What was known at the time of each row to predict.")


@app.command(rich_help_panel=PANEL)
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


@app.command(rich_help_panel=PANEL)
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
    with alone(settings, now, wait, warn), console.status("looking") if not as_json else nullcontext() as shown:
        working = (lambda table: shown.update(table)) if shown is not None else (lambda table: None)
        found = list(maintenance.maintained(Lakehouse(session(settings), settings), new_run_id(now), working))
    if as_json:
        print_json(console, {"tables": [asdict(item) for item in found]})
    else:
        maintenance.show(console, settings, found, quiet)
