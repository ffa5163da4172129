"""What a benchmark found: a table to read, JSON to keep."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.contest import Costs
from bench.cost import Cost

LIBRARIES = ("lakeloop", "pyspark", "delta-spark", "duckdb")


@dataclass(frozen=True)
class Goal:
    """Something to reach: a cost (seconds, or a ratio) that is to be ``at_most`` so much on the clock."""

    name: str
    found: Cost
    at_most: float

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.found.seconds <= self.at_most


@dataclass(frozen=True)
class Result:
    """A benchmark's name, what was done (its size), the costs of each contestant, goals, and the numbers of rows that
    were found to be the same, by table."""

    name: str
    done: str
    costs: Mapping[str, Costs]
    goals: Sequence[Goal]
    same: Mapping[str, int]


def show(console: Console, result: Result) -> None:
    """Prints medians of the rounds: seconds on the clock, CPU seconds behind them; then the goals."""
    rounds = len(next(iter(result.costs.values())).rounds)
    grid = Table(title=f"{result.name}: {result.done}", title_justify="left", caption_justify="left")
    grid.caption = f"median of {rounds} rounds: seconds on the clock (CPU seconds)"
    grid.add_column("")
    for name in result.costs:
        grid.add_column(name, justify="right")
    medians = {name: {**costs.parts(), "total": costs.total()} for name, costs in result.costs.items()}
    parts = dict.fromkeys(part for costs in medians.values() for part in costs if part != "total")
    for part in [*parts, "total"]:
        found = [costs.get(part) for costs in medians.values()]
        grid.add_row(part, *["" if cost is None else f"{cost.seconds:.2f} ({cost.cpu:.2f})" for cost in found])
    console.print(grid)
    for goal in result.goals:
        sign = "[green]reached[/]" if goal.reached else "[red]missed[/]"
        console.print(
            f"{goal.name}: {goal.found.seconds:.2f} (CPU {goal.found.cpu:.2f}), goal {goal.at_most:g}: {sign}"
        )
    same = ", ".join(f"{table} ({rows:,})" for table, rows in result.same.items())
    console.print(f"the same rows: {same}\n")


def save(file: Path, results: Sequence[Result]) -> None:
    """Writes all that was measured, round by round, with what it was measured on."""
    document = {
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "benchmarks": [
            {
                "name": result.name,
                "done": result.done,
                "costs": {
                    name: [{part: asdict(cost) for part, cost in costs.items()} for costs in found.rounds]
                    for name, found in result.costs.items()
                },
                "goals": [{**asdict(goal), "reached": goal.reached} for goal in result.goals],
                "same_rows": dict(result.same),
            }
            for result in results
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
