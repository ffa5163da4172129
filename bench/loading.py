"""The full load: raw files to bronze, silver and gold; Lakeloop, the PySpark of every day, and DuckDB."""

from __future__ import annotations

from collections.abc import Sequence

from bench import same
from bench.by_hand import ByHand
from bench.contest import Contestant, in_turn
from bench.duck import Duck
from bench.flights import SOURCES
from bench.result import Goal, Result
from bench.workbench import WARM_UP_DAYS, Workbench
from lakeloop.tables import Table

STAGES = ("bronze", "silver", "gold")
OF_SPARK, OF_DUCKDB = 0.8, 3


def loading(bench: Workbench, days: int, rounds: int) -> Result:
    """All tables of so many days, from nothing. The first days alone go before, to warm Java's compiler."""
    warm = _Load(bench, min(days, WARM_UP_DAYS))
    in_turn(warm.contestants(), 1, lambda text: bench.tell(f"warming up, {text}"))
    warm.clear()
    load = _Load(bench, days)
    costs = in_turn(load.contestants(), rounds, bench.tell)
    bench.tell("comparing the tables")
    rows = load.compared()
    ours, spark, duck = costs.values()
    goals = [
        Goal("Lakeloop / PySpark by hand", ours.ratio(spark), OF_SPARK),
        Goal("Lakeloop / DuckDB", ours.ratio(duck), OF_DUCKDB),
    ]
    return Result("load", f"{rows['silver.flights']:,} flights of {days} days, raw to gold", costs, goals, rows)


class _Load:
    """The three who load so many days, each with a folder of its own."""

    def __init__(self, bench: Workbench, days: int) -> None:
        self.bench = bench
        files = bench.raw(days)
        root = bench.root / f"load_{days}"
        self.pipeline = bench.pipeline(f"load_{days}/lakeloop", files)
        self.by_hand = ByHand(bench.spark, files, root / "by_hand")
        self.duck = Duck(files, root / "duckdb")

    def contestants(self) -> list[Contestant]:
        """Lakeloop first."""
        ours = {name: self.pipeline.stage(name) for name in STAGES}
        spark = {name: getattr(self.by_hand, name) for name in STAGES}
        duck = {name: getattr(self.duck, name) for name in STAGES}
        return [
            Contestant("Lakeloop", self._begin, ours),
            Contestant("PySpark by hand", self.by_hand.clear, spark),
            Contestant("DuckDB", self.duck.clear, duck),
        ]

    def _begin(self) -> None:
        self.pipeline.clear()
        self.pipeline.begin()

    def clear(self) -> None:
        """Removes what all three have made."""
        for one in (self.pipeline, self.by_hand, self.duck):
            one.clear()

    def compared(self) -> dict[str, int]:
        """The numbers of rows of the tables, after all were found to be the same."""
        columns: dict[str, Sequence[str]] = {f"silver/{name}": source.columns for name, source in SOURCES.items()}
        # DuckDB writes the numbers of JSON in its own way: texts alone tell the rows there.
        columns |= {f"quarantine/{name}": source.texts for name, source in SOURCES.items()}
        for name in ("gold/departures", "gold/movements"):
            columns[name] = self.by_hand.read(name).columns
        found = {}
        for path, names in columns.items():
            table = Table(*path.split("/"))
            duck = self.bench.spark.read.parquet(str(self.duck.file(path)))
            others = {"PySpark by hand": self.by_hand.read(path), "DuckDB": duck}
            found[str(table)] = same.check(str(table), self.pipeline.lakehouse.read(table), others, names)
        return found
