"""Kill a run anywhere, run again: every table is as if nothing had happened."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from quick_spark import SPARK

from soak import worker
from soak.harness import (
    PIPELINE,
    SMALL,
    AfterSeconds,
    AtFile,
    AtPoint,
    Kill,
    Killed,
    Worker,
    land,
    settings_at,
    snapshot,
    versions,
    write_use_case,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds a run's processes in /proc")

KILLS = 50
SEED = 20240501
TABLES = (
    "silver/orders",
    "silver/orders_history",
    "quarantine/orders",
    "gold/days",
    "features/customers",
    "features/purchases",
)
STREAMS = ("orders", "visits")
# Files that are made in the midst of a commit: rows without a commit, the commit's file half made or just there, what
# the stream means to read, what it has read.
FILES = [
    *[AtFile(f"shop/{table}", ".parquet") for table in ("bronze/orders", "bronze/visits", *TABLES)],
    *[
        AtFile(f"shop/{table}/_delta_log", ending)
        for table in ("bronze/orders", *TABLES)
        for ending in (".tmp", ".json")
    ],
    *[AtFile(f"shop/{table}/_change_data", ".parquet") for table in TABLES],
    *[AtFile(f"shop/_checkpoints/bronze/{name}/sources/0", "") for name in STREAMS],
    *[AtFile(f"shop/_checkpoints/bronze/{name}/offsets", "") for name in STREAMS],
    *[AtFile(f"shop/_checkpoints/bronze/{name}/commits", "") for name in STREAMS],
]


class Twins:
    """Two lakehouses that get the same raw files; the runs of one are killed."""

    def __init__(self, spark: SparkSession, folder: Path, pipeline: str = PIPELINE) -> None:
        self._spark = spark
        self._home = write_use_case(folder, SPARK, pipeline)
        self._log = folder / "worker.log"
        self.whole = settings_at(self._home, folder / "whole")
        self.killed = settings_at(self._home, folder / "killed")
        self._worker: Worker | None = None
        self._day = -1

    def new_day(self) -> None:
        """A day's raw files for both."""
        self._day += 1
        for settings in (self.whole, self.killed):
            land(settings, self._day)

    def run(self, kill: Kill | None = None) -> dict[str, Any]:
        """A run of the other, in the process that is alive or else in a new one; Killed where it was killed."""
        if self._worker is None:
            self._worker = Worker(self._home, Path(self.killed.resolve("{root}")), self._log)
        try:
            return self._worker.run(kill)
        except Killed:
            self._worker = None
            raise

    def go_on(self) -> None:
        """A run of the other in the tests' own session, which is there already."""
        worker.run(self._spark, self.killed)

    def assert_equal(self) -> None:
        """Every table of the other is as in the one, whose runs nobody kills."""
        worker.run(self._spark, self.whole)
        expected, found = snapshot(self.whole), snapshot(self.killed)
        assert found.keys() == expected.keys()
        assert {name for name in expected if found[name] != expected[name]} == set()

    def end(self) -> None:
        if self._worker is not None:
            self._worker.kill()


@pytest.fixture
def twins(spark: SparkSession, tmp_path: Path) -> Iterator[Twins]:
    made = Twins(spark, tmp_path)
    yield made
    made.end()


# Between the first data's commit and its checkpoint, and between silver's commit and quarantine's: on a first day
# quarantine follows and is told by silver whether all rows stay, later they are made side by side.
@pytest.mark.parametrize(
    "points",
    [
        ("after stream bronze.orders", "before merge silver.orders"),
        ("after create silver.orders", "after append quarantine.orders"),
    ],
)
def test_runs_that_are_killed_are_gone_on_with(spark: SparkSession, tmp_path: Path, points: tuple[str, ...]) -> None:
    twins = Twins(spark, tmp_path, SMALL)
    for point in points:
        twins.new_day()
        with pytest.raises(Killed):
            twins.run(AtPoint(point))
        twins.go_on()
    twins.assert_equal()


@pytest.mark.soak
def test_a_killed_run_is_gone_on_with(twins: Twins) -> None:
    """Killed where it would hurt most: while the first tables are made, and between two commits of later days."""
    twins.new_day()
    with pytest.raises(Killed):
        twins.run(AtPoint("after stream bronze.orders"))
    twins.run()
    twins.new_day()
    with pytest.raises(Killed):
        twins.run(AtPoint("before append quarantine.orders"))
    with pytest.raises(Killed):
        twins.run(AtPoint("after merge silver.orders"))
    twins.run()
    twins.assert_equal()
    before = versions(twins.killed)
    assert {"bronze.orders", "quarantine.visits", "gold.days", "features.purchases"} <= before.keys()
    twins.run()
    assert versions(twins.killed) == before


@pytest.mark.soak
def test_kill_it_anywhere(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    """At each commit point, in the midst of commits and at random instants, recoveries too."""
    chance = random.Random(SEED)
    started = time.monotonic()
    points: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    survived = compared = 0
    seconds = 20.0

    def choose() -> Kill:
        """In turn the point that was met least, a file, an instant."""
        kind = chance.choice(("point", "file", "instant"))
        if kind == "point" and points:
            return AtPoint(min(sorted(points), key=lambda point: (points[point], chance.random())))
        return chance.choice(FILES) if kind == "file" else AfterSeconds(chance.uniform(0, seconds))

    def tell(words: str) -> None:
        with capsys.disabled():
            print(f"{time.monotonic() - started:6.0f} s  {killed.total():3} kills  {words}", flush=True)

    while killed.total() < KILLS:
        for _ in range(chance.randint(3, 8)):
            if chance.random() < 0.6:
                twins.new_day()
            kill = choose()
            try:
                twins.run(kill)
                survived += 1
            except Killed:
                killed[type(kill).__name__] += 1
                if isinstance(kill, AtPoint):
                    points[kill.point] += 1
                tell(str(kill))
        twins.new_day()
        done = twins.run()
        seconds = done["seconds"]
        points.update({point: 0 for point in done["points"]})
        twins.assert_equal()
        compared += 1
        before = versions(twins.killed)
        twins.run()
        assert versions(twins.killed) == before
        tell("all tables are equal")
    met = sum(count > 0 for count in points.values())
    tell(f"{dict(killed)}; {met} of {len(points)} points; {compared} comparisons; {survived} runs ended before")
