"""What the next run would do to each table, and why, without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from lakeloop.errors import DefinitionChanged, LakeloopError
from lakeloop.governance import files, ledger
from lakeloop.governance.changes import differences
from lakeloop.governance.words import counted
from lakeloop.modelling.train import existing
from lakeloop.pipeline import Run
from lakeloop.stages import STAGES
from lakeloop.tables import Table

NOTHING = "nothing"
COLOURS = {NOTHING: "dim", "rebuild": "yellow", "wait": "dim"}


@dataclass(frozen=True)
class Planned:
    """What a run would do to one table or model: nothing, create, update, rebuild, train, look (whether there is news)
    or wait (for what is not there yet)."""

    stage: str
    table: str
    action: str
    why: str = ""


def plan(run: Run) -> list[Planned]:
    """The pieces of a run in order; what follows from a piece before it is taken into account."""
    found: list[Planned] = []
    changing: dict[str, str] = {}
    for stage in STAGES:
        if stage == "bronze":
            pieces = [_bronze(run, name) for name in run.settings.pipeline.sources]
            changing |= {piece.table: piece.action for piece in pieces if piece.action in ("create", "update")}
        elif stage == "train":
            pieces = [_train(run, changing)]
        else:
            pieces = _derived(run, stage, changing)
        found += pieces
    return found


def _bronze(run: Run, name: str) -> Planned:
    table = Table("bronze", name)
    exists = run.engine.latest(table) is not None
    waiting = files.waiting(run.lakehouse, name, exists)
    if waiting is None:
        return Planned("bronze", str(table), "look", "the source keeps no log of what was read")
    if not waiting:
        return Planned("bronze", str(table), NOTHING if exists else "wait", "" if exists else "no raw file")
    return Planned("bronze", str(table), "update" if exists else "create", counted(waiting, "new file"))


def _train(run: Run, changing: dict[str, str]) -> Planned:
    model = run.tracking.model
    if changing:
        why = "its training set will change"
    else:
        try:
            there = existing(run.engine, run.tracking)
        except LakeloopError:
            there = None
        if there is not None:
            return Planned("train", model, NOTHING)
        why = "no model was trained on these features with this configuration and code"
    changing[model] = ""
    return Planned("train", model, "train", why)


def _derived(run: Run, stage: str, changing: dict[str, str]) -> list[Planned]:
    try:
        derivations = run.derivations(stage)
    except LakeloopError:
        # Predictions and monitoring are made by a champion, and there is none yet.
        return [Planned(stage, f"{stage}", "wait", "there is no champion yet")]
    found = []
    for derivation in derivations:
        name = str(derivation.output)
        action, why = run.engine.outlook(derivation)
        before = [str(table) for table in derivation.inputs if str(table) in changing]
        if stage == "score" and run.tracking.model in changing:
            before.append("the champion, if the new model passes the gate")
        if action == NOTHING and before:
            action, why = "update", f"after {', '.join(before)}"
        if action != NOTHING:
            changing[name] = action
        found.append(Planned(stage, name, action, why))
    return found


def changed_configuration(run: Run, tables: Sequence[Table]) -> list[str]:
    """What was changed in the configuration since the first of these tables was written, as far as the ledger tells."""
    for table in tables:
        known = run.lakehouse.last_progress(table)
        before = ledger.configuration_of(run.lakehouse, str(known[1].get("run", ""))) if known else None
        if before is not None:
            return differences(before, ledger.configuration(run.settings))
    return []


def refuse_changes(run: Run, stages: Sequence[str], command: str) -> None:
    """DefinitionChanged where a table of these stages was made by another configuration, with all of them."""
    changed = run.changed_definitions(stages)
    if not changed:
        return
    lines = [f"  {table}: {why}" for table, why in changed.items()]
    lines += [f"  {line}" for line in changed_configuration(run, list(changed))]
    raise DefinitionChanged(
        "\n".join(
            [
                "The configuration was changed since these tables were made, and this environment makes a table anew "
                "only when asked (on_changed_definition: ask):",
                *lines,
                "Add --rebuild-changed to make just these anew (a job: on_changed_definition: rebuild in conf/env/"
                f"{run.settings.environment.name}.yml), or take the change back. "
                f"`lakeloop plan {command}` says what a run would do to each table.",
            ]
        )
    )


def show(console: Console, found: Sequence[Planned], changed: Sequence[str]) -> None:
    """One line a table; then what was changed in the configuration."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title in ("stage", "table", "action", "why"):
        grid.add_column(title, no_wrap=title != "why")
    for item in found:
        grid.add_row(item.stage, item.table, item.action, escape(item.why), style=COLOURS.get(item.action))
    console.print(grid)
    if changed:
        console.print("\nchanged in the configuration since:")
        for line in changed:
            console.print(f"  {escape(line)}")
    if all(item.action in (NOTHING, "wait") for item in found):
        console.print("\n[green]Nothing to do[/]: a run would commit nothing.")
