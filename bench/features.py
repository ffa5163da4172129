"""Features of four entities and three windows; Lakeloop's tiles against range windows in Spark and in DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from bench import same
from bench.by_hand import ByHand
from bench.contest import Contestant, in_turn
from bench.duck import Duck
from bench.result import Goal, Result
from bench.windows import GROUPS
from bench.workbench import WARM_UP_DAYS, Workbench
from lakeloop.tables import Lakehouse, Table

IN_SPARK, IN_DUCKDB = "Spark's range windows", "DuckDB's range windows"
GOALS = {IN_SPARK: 0.3, IN_DUCKDB: 1.0}
DEPARTURES, MOVEMENTS, FEATURES = (
    Table("gold", "departures"),
    Table("gold", "movements"),
    Table("features", "departures"),
)


def features(bench: Workbench, days: int, rounds: int, windows_in_spark: bool = True) -> Result:
    """The feature table of so many days of departures, of the same gold tables. The first days alone go before, to warm
    Java's compiler. Spark's windows, which take hours for ten years, may be left out."""
    warm = _Features(bench, min(days, WARM_UP_DAYS), windows_in_spark)
    in_turn(warm.contestants(), 1, lambda text: bench.tell(f"warming up, {text}"))
    whole = _Features(bench, days, windows_in_spark)
    costs = in_turn(whole.contestants(), rounds, bench.tell)
    bench.tell("comparing the tables")
    rows = whole.compared()
    ours = costs["Lakeloop"]
    goals = [Goal(f"Lakeloop / {name}", ours.ratio(costs[name]), goal) for name, goal in GOALS.items() if name in costs]
    done = f"{rows[str(FEATURES)]:,} departures, {len(GROUPS)} entities, 3 windows"
    return Result("features", done, costs, goals, rows)


class _Features:
    """Those who make features of so many days, from the gold tables of one lakehouse."""

    def __init__(self, bench: Workbench, days: int, windows_in_spark: bool) -> None:
        self.bench = bench
        self.windows_in_spark = windows_in_spark
        files = bench.raw(days)
        bench.tell(f"gold tables of {days} days")
        pipeline = bench.pipeline(f"load_{days}/lakeloop", files)
        pipeline.do("bronze", "silver", "gold")
        self.pipeline = pipeline.featuring(*GROUPS)
        root = bench.root / f"features_{days}"
        self.by_hand = ByHand(bench.spark, files, root / "by_hand")
        self.duck = Duck(files, root / "duckdb")
        for table in (DEPARTURES, MOVEMENTS):
            rows = pipeline.lakehouse.read(table)
            # DuckDB begins with one file, as it writes one.
            rows.coalesce(1).write.mode("overwrite").parquet(str(self.duck.file(f"{table.layer}/{table.name}")))

    def contestants(self) -> list[Contestant]:
        """Lakeloop first."""
        lakehouse = Lakehouse(self.by_hand.spark, self.pipeline.settings)

        def by_hand() -> None:
            self.by_hand.features(lakehouse.read(DEPARTURES), lakehouse.read(MOVEMENTS))

        contestants = [
            Contestant("Lakeloop", self._begin, {"features": self.pipeline.stage("features")}),
            Contestant(IN_SPARK, self.by_hand.clear, {"features": by_hand}),
            Contestant(IN_DUCKDB, lambda: None, {"features": self.duck.features}),
        ]
        return [one for one in contestants if one.name != IN_SPARK or self.windows_in_spark]

    def _begin(self) -> None:
        self.pipeline.forget(FEATURES, *[Table("features", name) for name in GROUPS])
        self.pipeline.begin()

    def compared(self) -> dict[str, int]:
        """The number of rows of the feature table, after all were found to be the same."""
        duck = self.bench.spark.read.parquet(str(self.duck.file("features/departures")))
        others: Mapping[str, DataFrame] = {IN_DUCKDB: duck}
        if self.windows_in_spark:
            others = {IN_SPARK: self.by_hand.read("features/departures"), **others}
        ours = self.pipeline.lakehouse.read(FEATURES)
        return {str(FEATURES): same.check(str(FEATURES), ours, others, duck.columns)}
