"""Kill a run anywhere, run again: every table is as if nothing had happened."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SPARK
from pyspark.sql import SparkSession

from soak import worker
from soak.harness import (
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

KILLS = 60
SEED = 20240501
TABLES = ("silver/orders", "quarantine/orders", "gold/days", "features/customers", "features/purchases")
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

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark = spark
        self._home = write_use_case(folder, SPARK)
        self._log = folder / "worker.log"
        self.whole = settings_at(self._home, folder / "whole")
        self.killed = settings_at(self._home, folder / "killed")
        self._worker: Worker | None = None
        self._day = -1

    def new_day(self) -> None:
        """A day's raw files for both; the one is brought up to date at once."""
        self._day += 1
        for settings in (self.whole, self.killed):
            land(settings, self._day)
        worker.run(self._spark, self.whole)

    def run(self, kill: Kill | None = None) -> dict[str, object]:
        """A run of the other, in the process that is alive or else in a new one; Killed where it was killed."""
        if self._worker is None:
            self._worker = Worker(self._home, Path(self.killed.resolve("{root}")), self._log)
        try:
            return self._worker.run(kill)
        except Killed:
            self._worker = None
            raise

    def assert_equal(self) -> None:
        """Every table of the one is every table of the other."""
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


def test_a_killed_run_is_gone_on_with(twins: Twins) -> None:
    """The first days, killed where it would hurt most."""
    for point in (
        "after stream bronze.orders",
        "before append quarantine.orders",
        "after merge silver.orders",
    ):
        twins.new_day()
        if point.startswith("before append"):
            # The day before, the run was killed while it made the tables.
            twins.run()
            twins.assert_equal()
        with pytest.raises(Killed):
            twins.run(AtPoint(point))
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
    points: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    compared = survived = 0
    seconds = 20.0
    started = time.monotonic()

    def choose() -> Kill:
        """In turn: the point that was met least, a file, an instant."""
        kind = chance.choice(("point", "file", "instant"))
        if kind == "point" and points:
            return AtPoint(min(sorted(points), key=lambda point: (points[point], chance.random())))
        if kind == "file":
            return chance.choice(FILES)
        return AfterSeconds(chance.uniform(0, seconds))

    while killed.total() < KILLS:
        twins.new_day()
        while True:
            kill = choose() if chance.random() < 0.8 else None
            if isinstance(kill, AtPoint):
                points[kill.point] += 1
            try:
                done = twins.run(kill)
            except Killed:
                killed[type(kill).__name__] += 1
                _tell(capsys, f"{killed.total():3} {time.monotonic() - started:6.0f} s  {kill}")
                if chance.random() < 0.2:
                    twins.new_day()
                continue
            survived += kill is not None
            break
        seconds = 0.5 * seconds + 0.5 * float(str(done["seconds"]))
        for point in done["points"]:  # type: ignore[attr-defined]  # a list of texts
            points.setdefault(str(point), 0)
        twins.assert_equal()
        compared += 1
        before = versions(twins.killed)
        twins.run()
        assert versions(twins.killed) == before
    met = sum(count > 0 for count in points.values())
    _tell(
        capsys,
        f"{killed.total()} kills ({dict(killed)}), {met} of {len(points)} points, {compared} comparisons, "
        f"{survived} runs ended before their moment came, {time.monotonic() - started:.0f} s",
    )


def _tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(line, flush=True)
