"""What a table was made from, at which versions, and what is made from it: from raw files to monitoring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from lakeloop.config.loading import nearest
from lakeloop.errors import LakeloopError
from lakeloop.features.table import feature_table
from lakeloop.pipeline import Run
from lakeloop.scoring import prediction_table
from lakeloop.tables import Table
from lakeloop.tracking import ModelVersion

CURRENT, ABSENT = "up to date", "not there yet"


@dataclass(frozen=True)
class Node:
    """Raw files, a table or the champion. ``consumed`` holds what it was made from, with the versions (None for raw
    files, and for what it was not made from yet); ``state`` is up to date, not there yet, or why it is neither."""

    name: str
    version: int | None
    state: str
    run: str = ""
    consumed: Mapping[str, int | None] = field(default_factory=dict)


def collect(run: Run) -> dict[str, Node]:
    """Every node by its name, each after what it is made from."""
    found: dict[str, Node] = {}

    def add(node: Node) -> None:
        found[node.name] = node

    for name, source in run.settings.pipeline.sources.items():
        raw = run.settings.raw_files(source.path)
        add(Node(raw, None, CURRENT))
        commit = run.engine.latest(Table("bronze", name))
        known = run.lakehouse.last_progress(Table("bronze", name)) if commit else None
        add(
            Node(
                f"bronze.{name}",
                commit.version if commit else None,
                CURRENT if commit else ABSENT,
                str(known[1].get("run", "")) if known else "",
                {raw: None},
            )
        )
    for stage in ("silver", "gold", "features"):
        for node in _tables(run, stage):
            add(node)
    champion = run.tracking.champion()
    if champion is None:
        return found
    model = _model(run, champion)
    add(model)
    for stage in ("score", "monitor"):
        for node in _tables(run, stage):
            by_model = node.name == str(prediction_table(run.settings))
            add(Node(**{**vars(node), "consumed": {**node.consumed, model.name: model.version}}) if by_model else node)
    return found


def _tables(run: Run, stage: str) -> Iterable[Node]:
    for derivation in run.derivations(stage):
        known = run.lakehouse.last_progress(derivation.output)
        inputs: dict[str, int | None] = {str(table): None for table in derivation.inputs}
        if known is None:
            yield Node(str(derivation.output), None, ABSENT, "", inputs)
            continue
        commit, progress = known
        consumed = progress.get("consumed")
        if isinstance(consumed, dict):
            inputs |= {name: int(version) for name, version in consumed.items()}
        action, why = run.engine.outlook(derivation)
        state = CURRENT if action == "nothing" else why
        yield Node(str(derivation.output), commit.version, state, str(progress.get("run", "")), inputs)


def _model(run: Run, champion: ModelVersion) -> Node:
    """The champion, with the versions that its training has logged."""
    training = run.tracking.run(champion.run_id)
    digests = {item.dataset.name: item.dataset.digest for item in training.inputs.dataset_inputs}
    features = str(feature_table(run.settings))
    digest = digests.get(features, "")
    version = int(digest.removeprefix("version-")) if digest.startswith("version-") else None
    newest = run.lakehouse.last_change(feature_table(run.settings))
    latest = run.engine.latest(feature_table(run.settings))
    # Between the two the table's rows are the same.
    same = newest is None or latest is None or version is None or newest <= version <= latest.version
    state = f"trained on version {version} of {features}, which has {newest}" if not same else CURRENT
    by = str(training.data.tags.get("lakeloop.run", ""))
    return Node(f"model {champion.name}", int(champion.version), state, by, {features: version})


def one(nodes: Mapping[str, Node], name: str) -> Node:
    """The node of that name; LakeloopError with the nearest right one."""
    if name in nodes:
        return nodes[name]
    hint = nearest(name, nodes)
    raise LakeloopError(f"There is no table {name} in this use case{': ' + hint if hint else '.'}")


def feeds(nodes: Mapping[str, Node], name: str) -> list[str]:
    """What is made from ``name``."""
    return [node.name for node in nodes.values() if name in node.consumed]


def plain(nodes: Mapping[str, Node]) -> list[dict[str, object]]:
    """The nodes as plain data, each with what it feeds."""
    return [
        {**vars(node), "consumed": dict(node.consumed), "feeds": feeds(nodes, node.name)} for node in nodes.values()
    ]


def related(nodes: Mapping[str, Node], name: str) -> dict[str, Node]:
    """``name`` with all that it comes from and all that comes from it."""

    def reach(following: Callable[[str], Sequence[str]]) -> set[str]:
        seen, ahead = set(), [name]
        while ahead:
            here = ahead.pop()
            if here not in seen:
                seen.add(here)
                ahead += following(here)
        return seen

    wanted = reach(lambda here: list(nodes[here].consumed)) | reach(lambda here: feeds(nodes, here))
    return {key: node for key, node in nodes.items() if key in wanted}


def show(console: Console, nodes: Mapping[str, Node], table: str | None) -> None:
    """Trees from the raw files down, or of one table: what it is made from, and what it feeds."""
    if table is None:
        shown: set[str] = set()
        for node in nodes.values():
            if not node.consumed:
                console.print(_tree(nodes, node.name, None, lambda name: feeds(nodes, name), shown))
        return
    console.print("[bold]made from[/]")
    console.print(_tree(nodes, table, None, lambda name: list(nodes[name].consumed), set()))
    console.print("[bold]feeds[/]")
    console.print(_tree(nodes, table, None, lambda name: feeds(nodes, name), set()))


def _tree(
    nodes: Mapping[str, Node],
    name: str,
    parent: str | None,
    following: Callable[[str], Sequence[str]],
    shown: set[str],
) -> Tree:
    """A node and what follows; what was shown already is named, but not opened again."""
    again = name in shown and bool(following(name))
    tree = Tree(_label(nodes, name, parent) + (" [dim](see above)[/]" if again else ""))
    if not again:
        shown.add(name)
        for other in following(name):
            tree.children.append(_tree(nodes, other, name, following, shown))
    return tree


def _label(nodes: Mapping[str, Node], name: str, parent: str | None) -> str:
    """The node in a line; the version between it and its parent stands with the one that consumed."""
    node = nodes[name]
    if node.version is None:
        return f"[dim]{escape(name)}[/]" if not node.consumed else f"[dim]{escape(name)}  {ABSENT}[/]"
    text = f"{escape(name)} [dim]version[/] {node.version}"
    if parent is not None:
        used = node.consumed.get(parent, nodes[parent].consumed.get(name))
        if used is not None:
            text += f" [dim]from version {used}[/]" if parent in node.consumed else f" [dim]used at version {used}[/]"
    return text if node.state == CURRENT else f"{text}  [yellow]{escape(node.state)}[/]"
