"""A warm increment: one more day of flights and weather, through bronze, silver, gold and features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import raw, same
from bench.contest import Contestant, in_turn
from bench.result import Goal, Result
from bench.workbench import Workbench
from lakeloop.tables import Table

STAGES = ("bronze", "silver", "gold", "features")
COMPARED = ("silver.flights", "silver.weather", "gold.departures", "gold.movements", "features.departures")
# So many days of each history until Java's compiler is warm: in the second day it takes a third of the CPU time, in the
# twentieth a tenth.
WARM_UP = 10
SECONDS, GROWTH = 6, 1.2


def increment(bench: Workbench, histories: Sequence[int], rounds: int) -> Result:
    """The next days after histories of so many days, the shortest first: what a day costs must not depend on what is
    there. The tables that came day by day are compared with those that come at once."""
    files = bench.raw(max(histories) + WARM_UP + rounds)
    growing = [_Growing(bench, files, days) for days in sorted(histories)]
    contestants = [lakehouse.contestant() for lakehouse in growing]
    in_turn(contestants, WARM_UP, lambda text: bench.tell(f"warming up, {text}"))
    costs = in_turn(contestants, rounds, bench.tell)
    bench.tell("comparing with what comes at once")
    rows = growing[0].compared(bench)
    short, long = contestants[0].name, contestants[-1].name
    goals = [
        Goal(f"a day {long}, seconds", costs[long].total(), SECONDS),
        Goal(f"a day {long} / {short}", costs[long].ratio(costs[short]), GROWTH),
    ]
    done = "one day of flights and weather through bronze, silver, gold and features"
    return Result("increment", done, costs, goals, rows)


class _Growing:
    """A lakehouse that gets one day after the other."""

    def __init__(self, bench: Workbench, files: Path, history: int) -> None:
        self.files = files
        self.history = history
        self.days = 0
        self.pipeline = bench.pipeline(f"increment/after_{history}")
        self.pipeline.clear()
        bench.tell(f"a history of {history} days")
        self.deliver(history)
        self.pipeline.do(*STAGES)

    def contestant(self) -> Contestant:
        """Its next day is a round."""
        parts = {name: self.pipeline.stage(name) for name in STAGES}
        return Contestant(f"after {self.history} days", self.next_day, parts)

    def deliver(self, days: int) -> None:
        """Lets the files of so many more days arrive."""
        raw.deliver(self.files, self.pipeline.landing, self.days, self.days + days)
        self.days += days

    def next_day(self) -> None:
        """One more day arrives, and a run begins."""
        self.deliver(1)
        self.pipeline.begin()

    def compared(self, bench: Workbench) -> dict[str, int]:
        """The numbers of rows of its tables, after they were compared with those that come of all files at once."""
        once = bench.pipeline("increment/at_once", self.pipeline.landing)
        once.clear()
        once.do(*STAGES)
        found = {}
        for table in map(Table.parse, COMPARED):
            rows = self.pipeline.lakehouse.read(table)
            columns = [column for column in rows.columns if not column.startswith("_")]
            found[str(table)] = same.check(str(table), rows, {"all at once": once.lakehouse.read(table)}, columns)
        return found
