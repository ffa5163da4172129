"""Features of four entities and three windows; Lakeloop's tiles against range windows in Spark and in DuckDB."""

from __future__ import annotations

from bench import same
from bench.by_hand import ByHand
from bench.contest import Contestant, in_turn
from bench.duck import Duck
from bench.result import Goal, Result
from bench.windows import GROUPS
from bench.workbench import Workbench
from lakeloop.tables import Lakehouse, Table

WARM_UP_DAYS = 30
OF_SPARK, OF_DUCKDB = 0.3, 1.0
DEPARTURES, MOVEMENTS, FEATURES = (
    Table("gold", "departures"),
    Table("gold", "movements"),
    Table("features", "departures"),
)


def features(bench: Workbench, days: int, rounds: int) -> Result:
    """The feature table of so many days of departures, of the same gold tables. The first days alone go before, to warm
    Java's compiler."""
    warm = _Features(bench, min(days, WARM_UP_DAYS))
    in_turn(warm.contestants(), 1, lambda text: bench.tell(f"warming up, {text}"))
    whole = _Features(bench, days)
    costs = in_turn(whole.contestants(), rounds, bench.tell)
    bench.tell("comparing the tables")
    rows = whole.compared()
    ours, spark, duck = costs.values()
    goals = [
        Goal("Lakeloop / Spark's range windows", ours.ratio(spark), OF_SPARK),
        Goal("Lakeloop / DuckDB's range windows", ours.ratio(duck), OF_DUCKDB),
    ]
    done = f"{rows[str(FEATURES)]:,} departures, {len(GROUPS)} entities, 3 windows"
    return Result("features", done, costs, goals, rows)


class _Features:
    """The three who make features of so many days, from the gold tables of one lakehouse."""

    def __init__(self, bench: Workbench, days: int) -> None:
        self.bench = bench
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

        return [
            Contestant("Lakeloop", self._begin, {"features": self.pipeline.stage("features")}),
            Contestant("Spark's range windows", self.by_hand.clear, {"features": by_hand}),
            Contestant("DuckDB's range windows", lambda: None, {"features": self.duck.features}),
        ]

    def _begin(self) -> None:
        self.pipeline.forget(FEATURES, *[Table("features", name) for name in GROUPS])
        self.pipeline.begin()

    def compared(self) -> dict[str, int]:
        """The number of rows of the feature table, after all three were found to be the same."""
        by_hand = self.by_hand.read("features/departures")
        duck = self.bench.spark.read.parquet(str(self.duck.file("features/departures")))
        others = {"Spark's range windows": by_hand, "DuckDB's range windows": duck}
        ours = self.pipeline.lakehouse.read(FEATURES)
        return {str(FEATURES): same.check(str(FEATURES), ours, others, by_hand.columns)}
