"""Which stage follows which, and what each does; one SparkSession for all of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lakeloop import bronze, gold, scoring, silver
from lakeloop.config import Settings
from lakeloop.derive import Derivation, Engine, Outcome
from lakeloop.errors import DataError, LakeloopError, MachineError
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


@dataclass(frozen=True)
class Drifted:
    """A column that drifted in the newest window that has enough rows."""

    window: str
    column: str
    metric: str
    value: float
    threshold: float


class Run:
    """One run of one or more stages. Clock and id are given; the reporter tells the user what happens."""

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        run_id: str,
        now: datetime,
        reporter: Reporter,
        rebuild: bool = False,
        force: bool = False,
    ) -> None:
        self.settings = settings
        self.now = now
        self.reporter = reporter
        self.force = force
        self.lakehouse = Lakehouse(spark, settings)
        self.engine = Engine(self.lakehouse, run_id, rebuild)
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
            "gold": self._gold,
            "features": self._features,
            "train": self._train,
            "score": self._score,
            "monitor": self._monitor,
        }
        done = []
        for result in steps[name]():
            done.append(result)
        return done

    def _do(self, stage: str, what: str, work: Callable[[], Any]) -> Any:
        """Runs one piece of work with live progress, and its errors in the user's words."""
        with self.reporter.working(stage, what):
            try:
                result = work()
            except PySparkException as error:
                raise explained(stage, what, error) from error
            except Exception as error:
                if type(error).__module__.startswith("py4j"):
                    raise explained(stage, what, error) from error
                raise
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
        for name in self.settings.pipeline.sources:
            yield self._do("bronze", f"bronze.{name}", partial(bronze.ingest, self.engine, name, self.now))

    def _silver(self) -> Iterator[Outcome]:
        for name in self.settings.pipeline.sources:
            if self.engine.latest(Table("bronze", name)) is None:
                raise LakeloopError(f"bronze.{name} is not there yet: run the stage 'bronze' first.")
            silver.stop_at_failing_rules(self.engine, name)
            for derivation in silver.derivations(self.settings, name):
                yield self._derive("silver", derivation)

    def _gold(self) -> Iterator[Outcome]:
        for derivation in gold.derivations(self.settings):
            yield self._derive("gold", derivation)

    def _features(self) -> Iterator[Outcome]:
        for name in self.settings.pipeline.features:
            yield self._derive("features", tiles.derivation(self.settings, name))
        yield self._derive("features", feature_table.derivation(self.settings))

    def _train(self) -> Iterator[Trained]:
        def describe(training: DataFrame, columns: Columns, scores: np.ndarray | None) -> dict[str, Any]:
            pipeline = self.settings.pipeline
            slices, window = pipeline.monitoring.slices, pipeline.monitoring.window
            return reference(training, columns, slices, window, pipeline.model.kind, scores).as_dict()

        yield self._do(
            "train",
            self.tracking.model,
            lambda: train.train(self.engine, self.tracking, describe, self.reporter.trials, self.force),
        )

    def _score(self) -> Iterator[Outcome]:
        champion = self._champion()
        yield self._derive("score", scoring.derivation(self.settings, self.tracking, champion, self.now))

    def _monitor(self) -> Iterator[Outcome]:
        champion = self._champion()
        known = monitor.load_reference(self.tracking, champion)
        for derivation in monitor.derivations(self.settings, champion, known):
            yield self._derive("monitor", derivation)

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


def explained(stage: str, what: str, error: Exception) -> LakeloopError:
    """A failure of Spark as the one sentence in it that a user can act on."""
    text = str(error)
    own = re.search(r"\[USER_RAISED_EXCEPTION\] (.*?)(?: SQLSTATE|$)", text, re.MULTILINE)
    if own:
        return DataError(own.group(1).strip())
    if "No space left on device" in text:
        return MachineError(f"{what}: the disk is full. Free some space and run again; nothing half done was kept.")
    if "OutOfMemoryError" in text or "SparkOutOfMemoryError" in text:
        return MachineError(
            f"{what}: Spark ran out of memory. Give it more with --set environment.spark.'spark.driver.memory'=8g "
            "(or in conf/env), and run again."
        )
    causes = re.findall(r"^(?:Caused by: )?(?:[\w.$]+(?:Exception|Error): )(.*)$", text, re.MULTILINE)
    line = next((cause for cause in reversed(causes) if cause.strip()), text.strip().splitlines()[0])
    return LakeloopError(f"{stage}, {what}: {line.strip()[:600]}")


def new_run_id(now: datetime) -> str:
    """An id for a run, from its clock: sortable, readable."""
    return f"{now:%Y%m%dT%H%M%S}-{time.time_ns() % 0xFFFF:04x}"
