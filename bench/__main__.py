"""The command: `python -m bench`, all benchmarks or some, at any size."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.features import features
from bench.increment import increment
from bench.loading import loading
from bench.result import Result, save, show
from bench.workbench import Workbench, settings
from lakeloop.session import session


class Benchmark(str, Enum):
    """What there is to measure."""

    increment = "increment"
    load = "load"
    features = "features"


def main(
    benchmarks: Annotated[list[Benchmark] | None, typer.Argument(help="Which; all of them by default.")] = None,
    days: Annotated[int, typer.Option(help="Days of flights for load and features.")] = 3650,
    history: Annotated[list[int] | None, typer.Option(help="Days that are there before an increment.")] = None,
    windows: Annotated[
        bool,
        typer.Option("--spark-windows/--no-spark-windows", help="For features, in Spark too: hours for ten years."),
    ] = True,
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 3,
    root: Annotated[Path, typer.Option(help="A folder for raw files and tables: some GB.")] = Path("lakehouse/bench"),
    sets: Annotated[list[str] | None, typer.Option("--set", help="dotted.key=value, as lakeloop takes it.")] = None,
    results: Annotated[Path, typer.Option(help="Where the measured figures go, as JSON.")] = Path("bench/results.json"),
) -> None:
    """Measures Lakeloop against what else does the same, in turn, and compares the rows of both."""
    root = root.absolute()
    console = Console()
    with console.status("Spark session") as status:
        bench = Workbench(session(settings(root, sets or ())), root, sets or (), status.update)
        found: list[Result] = []
        for benchmark in benchmarks or list(Benchmark):
            if benchmark is Benchmark.increment:
                found.append(increment(bench, history or [30, 360], rounds))
            elif benchmark is Benchmark.load:
                found.append(loading(bench, days, rounds))
            else:
                found.append(features(bench, days, rounds, windows))
            show(console, found[-1])
            save(results, found)


if __name__ == "__main__":
    typer.run(main)
