"""What a user sees: a line for each piece of work, live on a terminal, and a summary at the end."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from threading import RLock
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table as Grid

from lakeloop.derive import Outcome
from lakeloop.modelling.train import Trained
from lakeloop.terminal import output

if TYPE_CHECKING:
    from lakeloop.pipeline import Drifted

NAME_WIDTH = 36


class Reporter:
    """Tells of the work as it goes. On a terminal the piece in progress is shown with its seconds; in a log there is
    a line a piece. With ``quiet`` only summaries and errors are told, with ``as_json`` one JSON document."""

    def __init__(self, quiet: bool = False, as_json: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet or as_json
        self.as_json = as_json
        self.console = console or output()
        self._status: Status | None = None
        self._started = 0.0
        self._doing: list[tuple[str, str]] = []
        self._lock = RLock()

    @contextmanager
    def working(self, stage: str, what: str) -> Iterator[None]:
        """Shows a piece of work while it lasts; several may last at a time."""
        with self._lock:
            self._started = time.monotonic()
            self._doing.append((stage, what))
            self._show()
        try:
            yield
        finally:
            with self._lock:
                self._doing.remove((stage, what))
                self._show()

    def _show(self, more: str = "") -> None:
        """The work in progress, in one line that a terminal keeps."""
        if self.quiet or not self.console.is_terminal:
            return
        if not self._doing:
            if self._status is not None:
                self._status.stop()
            self._status = None
            return
        if self._status is None:
            self._status = self.console.status(self._line(more), spinner="dots")
            self._status.start()
        else:
            self._status.update(self._line(more))

    def _line(self, more: str) -> str:
        stage, first = self._doing[0]
        others = f"and {len(self._doing) - 1} more" if len(self._doing) > 1 else ""
        return f"{stage:<9} {first:<{NAME_WIDTH}} {more or others}"

    def say(self, text: str) -> None:
        """A line of its own."""
        if not self.quiet:
            self.console.print(text)

    def trials(self, finished: int, best: float | None) -> None:
        """How far a search is."""
        text = f"{finished} trials" + (f", best {best:.4f}" if best is not None else "")
        text += f", {time.monotonic() - self._started:.0f} s"
        with self._lock:
            self._show(text)
            if not self.quiet and not self.console.is_terminal and finished and self._doing:
                self.console.print(self._line(text))

    def done(self, stage: str, result: Outcome | Trained) -> None:
        """A line for a finished piece."""
        if self.quiet:
            return
        if isinstance(result, Trained):
            self.console.print(_trained_line(stage, result))
        else:
            self.console.print(_outcome_line(stage, result))

    def summary(
        self,
        outcomes: Sequence[Outcome],
        trained: Trained | None,
        drifted: tuple[list[Drifted], int] | None,
        seconds: float,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        """What a run came to: tables, model, drift, and where to look further."""
        if self.as_json:
            print_json(self.console, _as_json(outcomes, trained, drifted, seconds))
            return
        console = self.console
        changed = [outcome for outcome in outcomes if outcome.action != "unchanged"]
        console.print()
        if outcomes:
            console.print(tables(outcomes))
        if not changed and (trained is None or trained.unchanged):
            console.print(f"[green]Nothing new[/]: {len(outcomes)} tables are up to date, and no commit was made.")
        if trained is not None:
            console.print()
            model(console, trained)
        if drifted is not None:
            console.print()
            drift(console, *drifted)
        if more:
            console.print()
            for what, command in more:
                console.print(f"  {what:<34} [cyan]{command}[/]")
        console.print(f"\nDone in {seconds:.0f} s.")


def print_json(console: Console, data: Any) -> None:
    """One JSON document; a number that JSON cannot say (NaN, infinity) is null."""
    console.print_json(json.dumps(_plain(data), default=str, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _outcome_line(stage: str, outcome: Outcome) -> str:
    start = f"{stage:<9} {outcome.table!s:<{NAME_WIDTH}}"
    if outcome.action == "unchanged":
        told = f"  [yellow]{escape(outcome.reason)}[/]" if outcome.reason else ""
        return f"[dim]{start} {'unchanged':>12}      {outcome.seconds:6.1f} s[/]{told}"
    why = f"rebuilt: {outcome.reason}" if outcome.action == "rebuilt" else outcome.reason
    reason = f"  [yellow]{escape(why)}[/]" if outcome.reason else ""
    return f"{start} {outcome.rows_out:>12,} rows {outcome.seconds:6.1f} s{reason}"


def _trained_line(stage: str, trained: Trained) -> str:
    what = f"{escape(trained.version.name)} v{trained.version.version}"
    if trained.unchanged:
        return f"[dim]{stage:<9} {what:<{NAME_WIDTH}} {'unchanged':>12}[/]"
    value = trained.metrics.get(trained.metric)
    shown = f"{trained.algorithm}, test {trained.metric} {value:.4f}" if value is not None else trained.algorithm
    return f"{stage:<9} {what:<{NAME_WIDTH}} {trained.rows:>12,} rows {trained.seconds:6.1f} s  {shown}"


def tables(outcomes: Sequence[Outcome]) -> Grid:
    """One line a table; quarantined rows stand beside the silver table that they were kept out of."""
    quarantined = {outcome.table.name: outcome for outcome in outcomes if outcome.table.layer == "quarantine"}
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("table", no_wrap=True, min_width=NAME_WIDTH)
    for title in ("rows in", "rows out", "quarantined", "version", "seconds"):
        grid.add_column(title, justify="right", no_wrap=True, min_width=9)
    for outcome in outcomes:
        if outcome.table.layer == "quarantine":
            continue
        beside = quarantined.get(outcome.table.name) if outcome.table.layer == "silver" else None
        idle = outcome.action == "unchanged"
        # Both are made side by side.
        seconds = max(outcome.seconds, beside.seconds if beside else 0.0)
        grid.add_row(
            str(outcome.table),
            "·" if idle else f"{outcome.rows_in:,}",
            "·" if idle else f"{outcome.rows_out:,}",
            "" if beside is None else "·" if beside.action == "unchanged" else f"{beside.rows_out:,}",
            str(outcome.version),
            f"{seconds:.1f}",
            style="dim" if idle else None,
        )
    return grid


def model(console: Console, trained: Trained) -> None:
    """The model, its test metrics beside the naive model's, and what the gate said."""
    alias = "[green]champion[/]" if trained.promoted else "[yellow]not champion[/]"
    console.print(
        f"[bold]model[/] {escape(trained.version.name)} version {trained.version.version} "
        f"({trained.algorithm}), {alias}"
    )
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("  test metric", min_width=NAME_WIDTH, no_wrap=True)
    grid.add_column("model", justify="right", min_width=9)
    grid.add_column("naive", justify="right", min_width=9)
    for name, value in sorted(trained.metrics.items(), key=lambda item: (item[0] != trained.metric, item[0])):
        naive = trained.naive.get(name)
        grid.add_row(f"  {escape(name)}", f"{value:.4f}", "" if naive is None else f"{naive:.4f}")
    console.print(grid)
    for check in trained.checks:
        mark = "[green]passed[/]" if check.passed else "[red]failed[/]"
        console.print(f"  gate: {check.name:<28} {mark}  {escape(check.detail)}")


def drift(console: Console, drifted: Sequence[Drifted], judged: int) -> None:
    """The columns that drifted, and by which threshold."""
    if not judged:
        console.print("[bold]drift[/] unknown: no window has enough rows to compare")
        return
    if not drifted:
        console.print(f"[bold]drift[/] none of {judged} columns in the newest window")
        return
    console.print(
        f"[bold]drift[/] {len({item.column for item in drifted})} of {judged} columns drifted from the training set "
        f"in the window from {drifted[0].window}"
    )
    for item in drifted:
        console.print(
            f"  {escape(f'{item.column:<{NAME_WIDTH - 2}}')} {item.metric} {item.value:.3f} (from {item.threshold:g})"
        )


def _as_json(
    outcomes: Sequence[Outcome],
    trained: Trained | None,
    drifted: tuple[list[Drifted], int] | None,
    seconds: float,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tables": [{**asdict(outcome), "table": str(outcome.table)} for outcome in outcomes],
        "seconds": round(seconds, 1),
    }
    if trained is not None:
        found["model"] = {
            "name": trained.version.name,
            "version": trained.version.version,
            "run_id": trained.version.run_id,
            "algorithm": trained.algorithm,
            "champion": trained.promoted,
            "unchanged": trained.unchanged,
            "metrics": dict(trained.metrics),
            "naive": dict(trained.naive),
            "gate": [asdict(check) for check in trained.checks],
        }
    if drifted is not None:
        found["drift"] = {"judged": drifted[1], "drifted": [asdict(item) for item in drifted[0]]}
    return found
