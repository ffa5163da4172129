"""The ledger: who ran what, when, on which versions, with which configuration and outcome; in one append a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakeloop.config import Settings
from lakeloop.errors import LakeloopError
from lakeloop.features.table import feature_table
from lakeloop.modelling.train import Trained
from lakeloop.pipeline import Run, Step
from lakeloop.tables import Lakehouse, Table
from lakeloop.version import __version__

LEDGER = Table("governance", "ledger")
SCHEMA = (
    "run_id string, stage string, table string, started timestamp, finished timestamp, user string, "
    "code_version string, configuration_hash string, versions_read map<string,bigint>, version_written bigint, "
    "rows_in bigint, rows_out bigint, action string, result string, error string, configuration string"
)
LONGEST = 500


@dataclass(frozen=True)
class Entry:
    """A line of the ledger: a stage (``table`` is None) or a table or model that it wrote or could not write.
    ``result`` is succeeded, refused (by the gate) or failed; a run's first line has the whole ``configuration``."""

    run_id: str
    stage: str
    table: str | None
    started: datetime
    finished: datetime
    user: str
    code_version: str
    configuration_hash: str
    versions_read: Mapping[str, int]
    version_written: int | None
    rows_in: int | None
    rows_out: int | None
    action: str
    result: str
    error: str | None
    configuration: str | None


@dataclass(frozen=True)
class RunEntry:
    """A run as the ledger has it, all its stages together."""

    run_id: str
    started: datetime
    finished: datetime
    user: str
    result: str
    stages: Sequence[str]
    tables_written: int
    error: str | None


def configuration(settings: Settings) -> dict[str, Any]:
    """What defines the tables, as plain data: the pipeline and its queries."""
    return {**settings.pipeline.model_dump(mode="json", by_alias=True), "queries": dict(settings.queries)}


def entries(
    steps: Sequence[Step], settings: Settings, run_id: str, user: str, trained_on: Mapping[str, int]
) -> list[Entry]:
    """The lines for what a run did; none where all was up to date: such a run commits nothing to any table.

    ``trained_on`` is what a model was trained on, if one was: table and version.
    """
    if not any(changed(step) or step.error for step in steps):
        return []
    plain = configuration(settings)
    text, short = json.dumps(plain, sort_keys=True), settings.fingerprint(plain)
    found: list[Entry] = []
    for step in steps:
        if step.what and not changed(step) and not step.error:
            continue
        pieces = [other for other in steps if other.stage == step.stage and other.what]
        values = _piece(step, trained_on) if step.what else _stage(step, pieces)
        found.append(
            Entry(
                run_id=run_id,
                stage=step.stage,
                started=step.started,
                finished=step.finished,
                user=user,
                code_version=__version__,
                configuration_hash=short,
                configuration=None if found else text,
                **values,
            )
        )
    return found


def changed(step: Step) -> bool:
    """Whether the step wrote something."""
    if isinstance(step.result, Trained):
        return not step.result.unchanged
    return step.result is not None and step.result.action != "unchanged"


def _stage(step: Step, pieces: Sequence[Step]) -> dict[str, Any]:
    written = [piece for piece in pieces if changed(piece)]
    refused = any(isinstance(piece.result, Trained) and not piece.result.promoted for piece in written)
    return {
        "table": None,
        "versions_read": {},
        "version_written": None,
        "rows_in": None,
        "rows_out": None,
        "action": "changed" if written else "unchanged",
        "result": "failed" if step.error else "refused" if refused else "succeeded",
        "error": told(step.error) if step.error else None,
    }


def _piece(step: Step, trained_on: Mapping[str, int]) -> dict[str, Any]:
    result = step.result
    if step.error or result is None:
        nothing: dict[str, Any] = {"versions_read": {}, "version_written": None, "rows_in": None, "rows_out": None}
        failure = told(step.error) if step.error else None
        return nothing | {"table": step.what, "action": "failed", "result": "failed", "error": failure}
    common: dict[str, Any] = {"rows_out": None, "result": "succeeded", "error": None}
    if isinstance(result, Trained):
        return common | {
            "table": result.version.name,
            "versions_read": dict(trained_on),
            "version_written": int(result.version.version),
            "rows_in": result.rows,
            "action": "trained",
            "result": "succeeded" if result.promoted else "refused",
        }
    return common | {
        "table": str(result.table),
        "versions_read": dict(result.consumed),
        "version_written": result.version,
        "rows_in": result.rows_in,
        "rows_out": result.rows_out,
        "action": result.action,
    }


def told(error: BaseException) -> str:
    """An error without values of the data: our own words, or just what kind of failure Spark or Python had, whose
    messages may quote a value."""
    kind = type(error).__name__
    cause = error.__cause__
    if isinstance(cause, PySparkException):
        return f"{kind}: {cause.getCondition() or type(cause).__name__}"
    if isinstance(error, LakeloopError) and cause is None:
        return f"{kind}: {error}"[:LONGEST]
    return f"{kind}: {type(cause).__name__}" if cause is not None else kind


@contextmanager
def recorded(run: Run, warn: Callable[[str], None]) -> Iterator[None]:
    """Writes the ledger once what is inside has ended, well or not. Where that cannot be done the run goes on, and
    ``warn`` is told why; a user who stops a run is not kept waiting."""
    try:
        yield
    finally:
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
            try:
                write(run)
            except Exception as error:
                warn(f"the ledger ({LEDGER}) was not written: {str(error).strip().splitlines()[0][:200]}")


def write(run: Run) -> None:
    """Appends what a run did, in one commit; nothing where it did nothing."""
    if not any(changed(step) or step.error for step in run.steps):
        return
    lakehouse = run.lakehouse
    user = lakehouse.spark.sql("SELECT current_user() AS user").collect()[0]["user"]
    features = feature_table(run.settings)
    commit = run.engine.latest(features)
    trained_on = {str(features): commit.version} if commit else {}
    rows = [tuple(vars(entry).values()) for entry in entries(run.steps, run.settings, run.engine.run, user, trained_on)]
    frame = lakehouse.spark.createDataFrame(rows, SCHEMA)
    progress = {"run": run.engine.run}
    if lakehouse.latest(LEDGER) is None:
        lakehouse.create(LEDGER, frame.coalesce(1), progress, {"delta.appendOnly": "true"})
    else:
        lakehouse.append(LEDGER, frame.coalesce(1), progress)


def last_runs(lakehouse: Lakehouse, most: int) -> list[RunEntry]:
    """The newest runs that did something or failed, newest first."""
    if lakehouse.latest(LEDGER) is None:
        return []
    stages = F.col("table").isNull()
    runs = (
        lakehouse.read(LEDGER)
        .groupBy("run_id")
        .agg(
            F.min("started").alias("started"),
            F.max("finished").alias("finished"),
            F.max("user").alias("user"),
            F.when(F.bool_or(F.col("result") == "failed"), "failed")
            .when(F.bool_or(F.col("result") == "refused"), "refused")
            .otherwise("succeeded")
            .alias("result"),
            F.sort_array(F.collect_list(F.when(stages, F.struct("started", "stage")))).alias("stages"),
            F.count("version_written").alias("tables_written"),
            F.max("error").alias("error"),
        )
    )
    found = [row.asDict() for row in runs.orderBy(F.col("started").desc()).limit(most).collect()]
    for run in found:
        run["stages"] = [stage["stage"] for stage in run["stages"]]
        # Spark hands out local times without a zone.
        run |= {name: run[name].astimezone(timezone.utc) for name in ("started", "finished")}
    return [RunEntry(**run) for run in found]


def configuration_of(lakehouse: Lakehouse, run_id: str) -> dict[str, Any] | None:
    """The configuration that a run had, where the ledger knows the run."""
    if not run_id or lakehouse.latest(LEDGER) is None:
        return None
    rows = lakehouse.read(LEDGER).filter((F.col("run_id") == run_id) & F.col("configuration").isNotNull())
    found = rows.select("configuration").limit(1).collect()
    return json.loads(found[0]["configuration"]) if found else None
