"""What there is: tables with their versions, the registered model's versions, the last runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from pyspark.sql import SparkSession
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from lakeloop.config import Settings
from lakeloop.features.table import feature_table
from lakeloop.governance import ledger
from lakeloop.monitoring import tables as monitor
from lakeloop.report import print_json
from lakeloop.scoring import prediction_table
from lakeloop.tables import Lakehouse, Table
from lakeloop.tracking import Tracking


@dataclass(frozen=True)
class TableStatus:
    """A table's newest version; ``rows`` None where it is not there."""

    table: str
    rows: int | None
    version: int | None
    operation: str
    run: str
    location: str


@dataclass(frozen=True)
class Status:
    """All of it, plain."""

    tables: list[TableStatus]
    models: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    last_runs: list[dict[str, Any]] = field(default_factory=list)


def known_tables(settings: Settings) -> list[Table]:
    """Every table that the pipeline makes, in the order of the stages."""
    pipeline = settings.pipeline
    found = [Table("bronze", name) for name in pipeline.sources]
    for name in pipeline.sources:
        found += [Table("quarantine", name), Table("silver", name)]
    found += [Table("silver", name) for name in pipeline.histories()]
    found += [Table("gold", name) for name in pipeline.gold]
    found += [Table("features", name) for name in pipeline.features]
    found += [feature_table(settings), prediction_table(settings)]
    return found + [monitor.table(settings, what) for what in ("profile_metrics", "drift_metrics", "drift_status")]


def collect(spark: SparkSession, settings: Settings) -> Status:
    """Looks at every table, the registry and the experiment."""
    lakehouse = Lakehouse(spark, settings)
    tables = []
    for table in known_tables(settings):
        commit = lakehouse.latest(table)
        location = lakehouse.location(table)
        if commit is None:
            tables.append(TableStatus(str(table), None, None, "", "", location))
            continue
        run = str((commit.progress or {}).get("run", ""))
        tables.append(
            TableStatus(str(table), lakehouse.read(table).count(), commit.version, commit.operation, run, location)
        )
    tracking = Tracking(settings)
    models = [asdict(version) for version in tracking.versions()]
    runs = [
        {
            "name": run.info.run_name,
            "run_id": run.info.run_id,
            "status": run.info.status,
            "started": datetime.fromtimestamp(run.info.start_time / 1000, timezone.utc).isoformat(timespec="seconds"),
            "metric": {
                key: value for key, value in run.data.metrics.items() if key == f"test_{settings.pipeline.model.metric}"
            },
        }
        for run in tracking.last_trainings(5)
    ]
    return Status(tables, models, runs, [asdict(item) for item in ledger.last_runs(lakehouse, 5)])


def show(console: Console, found: Status, as_json: bool) -> None:
    """Prints it, as tables or as one JSON document."""
    if as_json:
        print_json(console, asdict(found))
        return
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title, side in (
        ("table", "left"),
        ("rows", "right"),
        ("version", "right"),
        ("last change", "left"),
        ("run", "left"),
    ):
        grid.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]  # a literal by another name
    for item in found.tables:
        rows = "not there" if item.rows is None else f"{item.rows:,}"
        version = "" if item.version is None else str(item.version)
        grid.add_row(
            item.table,
            rows,
            version,
            item.operation.lower(),
            item.run,
            style="dim" if item.rows is None else None,
        )
    console.print(grid)
    console.print()
    if not found.models:
        console.print("no model is registered yet")
    for made in found.models:
        aliases = ", ".join(made["aliases"]) or "no alias"
        console.print(f"[bold]model[/] {made['name']} version {made['version']} ({aliases}), run {made['run_id']}")
    for training in found.runs:
        shown = ", ".join(f"{key} {value:.4f}" for key, value in training["metric"].items())
        console.print(
            f"[bold]training[/] {training['started']}  {training['status'].lower()}  {shown}  {training['run_id']}"
        )
    for done in found.last_runs:
        minutes, seconds = divmod(round((done["finished"] - done["started"]).total_seconds()), 60)
        error = f"  {done['error'].splitlines()[0]}" if done["error"] else ""
        console.print(
            f"[bold]run[/] {done['run_id']}  {done['result']}  {done['tables_written']} tables and models written by "
            f"{escape(done['user'])} in {minutes}:{seconds:02d}{escape(error)}"
        )
