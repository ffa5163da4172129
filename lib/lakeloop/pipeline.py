"""Which stage follows which, and what each does; one SparkSession for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from lakeloop import bronze, gold, history, scoring, silver
from lakeloop.config import Settings
from lakeloop.derivation import Derivation
from lakeloop.derive import DEFINITION_CHANGED, INPUTS_CHANGED, Engine, Outcome
from lakeloop.errors import LakeloopError
from lakeloop.failures import explaining
from lakeloop.features import table as feature_table
from lakeloop.features import tiles
from lakeloop.modelling import train
from lakeloop.modelling.dataset import Columns
from lakeloop.modelling.train import Trained
from lakeloop.monitoring import tables as monitor
from lakeloop.monitoring.reference import reference
from lakeloop.report import Reporter
from lakeloop.tables import Lakehouse, Table
from lakeloop.tracking import Tracking

# Tables that are made at a time.
AT_ONCE = 4
# The stages whose tables are defined by the configuration alone.
CONFIGURED = ("silver", "gold", "features")


@dataclass(frozen=True)
class Drifted:
    """A column that drifted in the newest window that has enough rows."""

    window: str
    column: str
    metric: str
    value: float
    threshold: float


@dataclass(frozen=True)
class Step:
    """Something that a run did or could not do: one table or model, or a whole stage where ``what`` is empty."""

    stage: str
    what: str
    started: datetime
    finished: datetime
    result: Outcome | Trained | None = None
    error: BaseException | None = None


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Run:
    """One run of one or more stages. Clock and id are given; the reporter tells the user what happens. ``steps`` is
    what was done so far."""

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        run_id: str,
        now: datetime,
        reporter: Reporter,
        rebuild: bool = False,
        force: bool = False,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.settings = settings
        self.now = now
        self.clock = clock
        self.steps: list[Step] = []
        self.reporter = reporter
        self.force = force
        self.lakehouse = Lakehouse(spark, settings)
        self.engine = Engine(self.lakehouse, run_id, rebuild, now)
        self._tracking: Tracking | None = None

    @property
    def tracking(self) -> Tracking:
        if self._tracking is None:
            self._tracking = Tracking(self.settings)
        return self._tracking

    def stage(self, name: str) -> list[Outcome | Trained]:
        """Runs one stage; returns what became of each of its tables, or the model."""
        steps: dict[str, Callable[[], Iterator[Outcome | Trained]]] = {
            "bronze": self._bronze,
            "silver": self._silver,
            "gold": partial(self._all_of, "gold"),
            "features": partial(self._all_of, "features"),
            "train": self._train,
            "score": partial(self._all_of, "score"),
            "monitor": partial(self._all_of, "monitor"),
        }
        started = self.clock()
        try:
            done = list(steps[name]())
        except BaseException as error:
            self.steps.append(Step(name, "", started, self.clock(), error=error))
            raise
        self.steps.append(Step(name, "", started, self.clock()))
        return done

    def derivations(self, stage: str) -> list[Derivation]:
        """The tables that a stage makes, in order. Bronze and training make none, and without a champion scoring and
        monitoring cannot say what theirs are made from: LakeloopError."""
        settings = self.settings
        if stage == "silver":
            return [item for name in settings.pipeline.sources for item in self._silver_tables(name)]
        if stage == "gold":
            return gold.derivations(settings)
        if stage == "features":
            groups = [tiles.derivation(settings, name) for name in settings.pipeline.features]
            return [*groups, feature_table.derivation(settings)]
        if stage == "score":
            return [scoring.derivation(settings, self.tracking, self._champion(), self.now)]
        if stage == "monitor":
            champion = self._champion()
            return monitor.derivations(settings, champion, monitor.load_reference(self.tracking, champion))
        return []

    def changed_definitions(self, stages: Sequence[str]) -> dict[Table, str]:
        """The tables of these stages that were made by another configuration, and how that shows. What follows the
        champion (predictions, monitoring) is not among them: a new model is no change of the configuration."""
        found = {}
        for stage in stages:
            if stage in CONFIGURED:
                for derivation in self.derivations(stage):
                    _, why = self.engine.outlook(derivation)
                    if why in (DEFINITION_CHANGED, INPUTS_CHANGED):
                        found[derivation.output] = why
        return found

    def _do(self, stage: str, what: str, work: Callable[[], Any]) -> Any:
        """Runs one piece of work with live progress, and its errors in the user's words."""
        started = self.clock()
        try:
            with self.reporter.working(stage, what):
                result = explaining(stage, what, work)
        except Exception as error:
            self.steps.append(Step(stage, what, started, self.clock(), error=error))
            raise
        self.steps.append(Step(stage, what, started, self.clock(), result))
        self.reporter.done(stage, result)
        return result

    def _derive(self, stage: str, derivation: Derivation) -> Outcome:
        def work() -> Outcome:
            try:
                return self.engine.derive(derivation)
            except LookupError as error:
                raise LakeloopError(f"{error}: run the stage that makes it first (lakeloop run does all).") from error

        result: Outcome = self._do(stage, str(derivation.output), work)
        return result

    def _bronze(self) -> Iterator[Outcome]:
        def added(name: str) -> Outcome:
            result: Outcome = self._do("bronze", f"bronze.{name}", partial(bronze.ingest, self.engine, name, self.now))
            return result

        yield from together([partial(added, name) for name in self.settings.pipeline.sources])

    def _silver(self) -> Iterator[Outcome]:
        yield from self.silver_of(*self.settings.pipeline.sources)

    def _silver_tables(self, name: str) -> list[Derivation]:
        return [*silver.derivations(self.settings, name), *history.derivations(self.settings, name)]

    def silver_of(self, *sources: str) -> Iterator[Outcome]:
        """Quarantine, silver and history of some sources; none is written where one breaks a rule that is set to
        fail."""
        for name in sources:
            if self.engine.latest(Table("bronze", name)) is None:
                raise LakeloopError(f"bronze.{name} is not there yet: run the stage 'bronze' first.")
            silver.stop_at_failing_rules(self.engine, name)
        derivations = [item for name in sources for item in self._silver_tables(name)]
        # A silver table that is made whole tells whether all rows stay; then quarantine need not look for others.
        told = [item for item in derivations if self._is_told_by_silver(item)]
        first = [item for item in derivations if item not in told]
        yield from together([partial(self._derive, "silver", item) for item in first])
        yield from together([partial(self._derive, "silver", self._without_rows_that_stay(item)) for item in told])

    def _is_told_by_silver(self, derivation: Derivation) -> bool:
        """Whether it is a quarantine whose silver is still to be made."""
        table = derivation.output
        return table.layer == "quarantine" and self.engine.latest(Table("silver", table.name)) is None

    def _without_rows_that_stay(self, quarantine: Derivation) -> Derivation:
        """The same; where silver has all rows of bronze it yields none, and reads none."""
        name = quarantine.output.name
        if not self.engine.holds_all(Table("silver", name), Table("bronze", name)):
            return quarantine
        return replace(quarantine, compute=lambda rows: quarantine.compute(rows).limit(0))

    def _all_of(self, stage: str) -> Iterator[Outcome]:
        for wave in waves(self.derivations(stage)):
            self.engine.touches.expect(wave)
            yield from together([partial(self._derive, stage, derivation) for derivation in wave])

    def _train(self) -> Iterator[Trained]:
        def describe(
            training: DataFrame, sample: pd.DataFrame, columns: Columns, scores: np.ndarray | None
        ) -> dict[str, Any]:
            pipeline = self.settings.pipeline
            slices, window = pipeline.monitoring.slices, pipeline.monitoring.window
            return reference(training, sample, columns, slices, window, pipeline.model.kind, scores).as_dict()

        yield self._do(
            "train",
            self.tracking.model,
            lambda: train.train(
                self.engine,
                self.tracking,
                describe,
                self.reporter.trials,
                self.force,
                lambda text: self.reporter.say(f"{'train':<9} {text}"),
            ),
        )

    def _champion(self) -> Any:
        champion = self.tracking.champion()
        if champion is None:
            raise LakeloopError(
                f"The registered model {self.tracking.model} has no version with the alias 'champion': run the stage "
                "'train', and see why its gate refused if it did."
            )
        return champion

    def drifted(self) -> tuple[list[Drifted], int]:
        """The columns that drifted in the newest window whose drift is known, worst first, and how many were judged."""
        status = monitor.table(self.settings, "drift_status")
        if self.lakehouse.latest(status) is None:
            return [], 0
        rows = self.lakehouse.read(status).filter("slice_key IS NULL AND status <> 'unknown'")
        newest = rows.selectExpr("max(window.start) AS start").collect()[0]["start"]
        found = (
            rows.filter(rows["window.start"] == newest).orderBy(rows["value"].desc(), "column_name", "metric").collect()
        )
        drifted = [
            Drifted(
                f"{row['window']['start']:%Y-%m-%d}",
                row["column_name"],
                row["metric"],
                row["value"],
                row["threshold"],
            )
            for row in found
            if row["status"] == "drift"
        ]
        return drifted, len({row["column_name"] for row in found})


def waves(derivations: Sequence[Derivation]) -> list[list[Derivation]]:
    """The derivations in groups, each of which reads only what earlier groups make; the order is kept."""
    made = {derivation.output for derivation in derivations}
    level: dict[Table, int] = {}
    for derivation in derivations:
        level[derivation.output] = max((level[table] + 1 for table in derivation.inputs if table in made), default=0)
    return [[item for item in derivations if level[item.output] == at] for at in sorted(set(level.values()))]


def together(works: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Does pieces of work side by side, for much of a small table's time is waiting; the results in the works' order.

    Where one fails, those in progress are finished, no other is begun, and the first failure is raised.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = [pool.submit(work) for work in works]
        _, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
    failed = [future for future in futures if not future.cancelled() and future.exception() is not None]
    return [future.result() for future in (failed or futures)]


def new_run_id(now: datetime) -> str:
    """An id for a run, from its clock: sortable, readable."""
    return f"{now:%Y%m%dT%H%M%S}-{time.time_ns() % 0xFFFF:04x}"
