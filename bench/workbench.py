"""Where benchmarks are run: one Spark session, a folder, and Lakeloop on lakehouses below it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession

from bench import raw
from bench.contest import Tell
from lakeloop.config import Settings, load
from lakeloop.pipeline import Run, new_run_id
from lakeloop.report import Reporter
from lakeloop.tables import Lakehouse, Table

# So many days warm Java's compiler: more than few rows, which Lakeloop works through in another way.
WARM_UP_DAYS = 90
CONF = Path(__file__).parents[1] / "conf" / "flights"


@dataclass(frozen=True)
class Workbench:
    """``sets`` are overrides of the configuration, as on the command line; ``tell`` shows what is going on."""

    spark: SparkSession
    root: Path
    sets: Sequence[str]
    tell: Tell

    def raw(self, days: int) -> Path:
        """A folder with the raw files of so many days."""
        folder = self.root / f"raw_{days}"
        self.tell(f"raw files of {days} days")
        return raw.land(folder, settings(self.root, self.sets), days)

    def pipeline(self, name: str, landing: Path | None = None) -> Pipeline:
        """Lakeloop on a lakehouse of its own; its files arrive in ``landing``, or below its folder."""
        root = self.root / name
        return Pipeline(self.spark, settings(root, self.sets, landing or root / "landing"))


class Pipeline:
    """Lakeloop's stages on one lakehouse."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self.spark = spark
        self.settings = settings
        self._run: Run | None = None

    @property
    def lakehouse(self) -> Lakehouse:
        """Its tables."""
        return Lakehouse(self.spark, self.settings)

    @property
    def landing(self) -> Path:
        """Where its raw files arrive."""
        return Path(self.settings.resolve("{landing}"))

    def clear(self) -> None:
        """Removes its folder."""
        shutil.rmtree(self.settings.resolve("{root}"), ignore_errors=True)

    def forget(self, *tables: Table) -> None:
        """Removes tables."""
        for table in tables:
            shutil.rmtree(self.lakehouse.location(table), ignore_errors=True)

    def begin(self) -> None:
        """The stages that follow are of one run, as those of `lakeloop run` are."""
        now = datetime.now(timezone.utc)
        self._run = Run(self.spark, self.settings, new_run_id(now), now, Reporter(quiet=True))

    def stage(self, name: str) -> Callable[[], object]:
        """A function that does a stage of the run that has begun by then."""

        def work() -> object:
            assert self._run is not None
            return self._run.stage(name)

        return work

    def do(self, *stages: str) -> None:
        """Stages in a run of their own."""
        self.begin()
        for name in stages:
            self.stage(name)()

    def featuring(self, *groups: str) -> Pipeline:
        """The same with these feature groups alone."""
        features = {name: self.settings.pipeline.features[name] for name in groups}
        pipeline = self.settings.pipeline.model_copy(update={"features": features})
        return Pipeline(self.spark, replace(self.settings, pipeline=pipeline))


def settings(root: Path, sets: Sequence[str] = (), landing: Path | None = None) -> Settings:
    """The flights' settings with the lakehouse at ``root``."""
    places = [f"environment.root={root}", *([f"environment.landing={landing}"] if landing else [])]
    return load(CONF, "local", [*places, *sets])
