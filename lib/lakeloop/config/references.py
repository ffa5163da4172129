"""What the parts of a pipeline say of each other: does each table that is named exist, in an order that can be run?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import sqlglot
from sqlglot.errors import SqlglotError

from lakeloop.config import intervals, options, sql
from lakeloop.config.model import METRICS, Split
from lakeloop.config.pipeline import Pipeline
from lakeloop.config.sources import BARE_TYPE, END, HISTORY, LAST_SEEN, PYTHON, START
from lakeloop.errors import Problem

# What a history asks of the first column of `latest_by`.
START_EXPECTED = "first a timestamp, a date or a number: from then on a version holds, for history: true"
START_HINT = "such as latest_by: [updated_at], or none: then a file's modification time is taken"


def read_queries(folder: Path, pipeline: Pipeline, file: str, problems: list[Problem]) -> dict[str, str]:
    """The SQL text of each gold table, from its file or the configuration itself."""
    queries = {}
    for name, gold in pipeline.gold.items():
        if gold.sql is None:
            continue
        if not gold.sql.strip().endswith(".sql"):
            queries[name] = gold.sql
            continue
        path = folder / gold.sql.strip()
        if path.is_file():
            queries[name] = path.read_text(encoding="utf-8")
        else:
            there = sorted(other.name for other in folder.glob("*.sql"))
            expected = f"a file in {folder}" + (f" (there are {', '.join(there)})" if there else "")
            problems.append(Problem(file, f"gold.{name}.sql", gold.sql, expected))
    return queries


def gold_inputs(query: str) -> list[str]:
    """The tables (``layer.name``) that a gold query reads, each once."""
    return list(dict.fromkeys(reference.table for reference in sql.references(query)))


def gold_reads(pipeline: Pipeline, queries: Mapping[str, str]) -> dict[str, list[str]]:
    """The tables that each gold table reads: those that its query names, or the inputs of its function."""
    return {
        name: gold_inputs(queries[name]) if name in queries else list(gold.inputs)
        for name, gold in pipeline.gold.items()
    }


def gold_order(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """The gold tables, each after those that it reads (``reads``, by name); ValueError names a circle."""
    order: list[str] = []
    visiting: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in visiting:
            raise ValueError(" → ".join([*visiting[visiting.index(name) :], name]))
        visiting.append(name)
        for table in reads[name]:
            layer, _, other = table.partition(".")
            if layer == "gold" and other in reads:
                visit(other)
        visiting.pop()
        order.append(name)

    for name in reads:
        visit(name)
    return order


def check(pipeline: Pipeline, queries: dict[str, str], file: str, problems: list[Problem]) -> None:
    """Adds a problem for each reference that leads nowhere and each piece of SQL that does not parse."""
    tables = [f"silver.{name}" for name in pipeline.sources] + [f"gold.{name}" for name in pipeline.gold]
    histories = [f"silver.{name}" for name in pipeline.histories()]
    readable = tables + histories + [f"bronze.{name}" for name in pipeline.sources]

    def known(table: str, where: str, allowed: list[str]) -> None:
        if table not in allowed:
            close = difflib.get_close_matches(table, allowed, n=1)
            hint = f"did you mean '{close[0]}'?" if close else ""
            without = table.removeprefix("silver.").removesuffix(HISTORY)
            if table == f"silver.{without}{HISTORY}" and without in pipeline.sources:
                hint = f"sources.{without} keeps one with history: true"
                if table in histories:
                    hint = "a gold table can read a history, and be named here"
            problems.append(Problem(file, where, table, f"one of {', '.join(allowed)}", hint))

    def touching(name: str, inputs: list[str]) -> None:
        for key in ("affected_by", "near"):
            for table in getattr(pipeline.gold[name], key):
                known(table, f"gold.{name}.{key}", inputs)

    def parses(text: str, where: str) -> None:
        try:
            sqlglot.parse_one(text, read="spark")
        except SqlglotError as error:
            word = sql.first_word_unread(error)
            hint = f"""a column called {word} goes in backticks, and those in quotes: "`{word}`\"""" if word else ""
            problems.append(Problem(file, where, text, f"a Spark SQL expression ({sql.unread(error)})", hint))

    for name, query in queries.items():
        try:
            inputs = gold_inputs(query)
        except ValueError as error:
            problems.append(Problem(file, f"gold.{name}.sql", str(error), "one Spark SQL query"))
            continue
        if not inputs:
            problems.append(Problem(file, f"gold.{name}.sql", "no table", "a query over silver or gold tables"))
        for table in inputs:
            known(table, f"gold.{name}.sql", readable)
        touching(name, inputs)
    for name, gold in pipeline.gold.items():
        if gold.python:
            for table in gold.inputs:
                known(table, f"gold.{name}.inputs", readable)
            touching(name, gold.inputs)
    if not problems:
        try:
            gold_order(gold_reads(pipeline, queries))
        except ValueError as error:
            problems.append(Problem(file, "gold", f"tables that read each other: {error}", "no circle"))
    for name, source in pipeline.sources.items():
        for column, expression in source.columns.items():
            if not BARE_TYPE.match(expression) and not expression.startswith(PYTHON):
                parses(expression, f"sources.{name}.columns.{column}")
        for rule_name, rule in source.expect.items():
            parses(rule.rule, f"sources.{name}.expect.{rule_name}.rule")
        if source.columns:
            allowed = [*source.columns]
            for column in source.key:
                if column not in allowed:
                    known(column, f"sources.{name}.key", allowed)
    for name, group in pipeline.features.items():
        known(group.from_, f"features.{name}.from", tables)
        parses(group.time, f"features.{name}.time")
        if group.where:
            parses(group.where, f"features.{name}.where")
    # Bronze has no statistics to order by.
    ordered = [
        *tables,
        *histories,
        f"features.{pipeline.model.spine.partition('.')[2]}",
        *map("features.{}".format, pipeline.features),
    ]
    for section in ("z_order", "statistics"):
        for table in getattr(pipeline.maintenance, section):
            known(table, f"maintenance.{section}", ordered)
    known(pipeline.model.spine, "model.spine", tables)
    parses(pipeline.model.label.expression, "model.label.expression")
    problems.extend(_options(pipeline, file))
    problems.extend(_histories(pipeline, file))
    problems.extend(_task(pipeline, file))
    problems.extend(_metrics(pipeline, file))
    problems.extend(_held(pipeline, file))
    if pipeline.model.spine in tables and spine_time(pipeline) is None:
        problems.extend(_timeless(pipeline, file))


def _options(pipeline: Pipeline, file: str) -> Iterator[Problem]:
    """Options of files that Spark does not know, where it can be told what is meant."""
    for name, source in pipeline.sources.items():
        for option in source.options:
            if hint := options.hint(option):
                where = f"sources.{name}.options.{option}"
                yield Problem(file, where, "an option that Spark does not have", "one of its options", hint)


def _histories(pipeline: Pipeline, file: str) -> Iterator[Problem]:
    """Histories that cannot be kept: of rows without a key, without a time, or where their names are taken."""
    for table, name in pipeline.histories().items():
        source, where = pipeline.sources[name], f"sources.{name}"
        if not source.key:
            expected = "the columns that identify a row, such as customer_id"
            yield Problem(file, f"{where}.key", "nothing", expected, "with history: true, versions of a key are kept")
        if table in pipeline.sources:
            expected = f"another name: silver.{table} is the history of {name}"
            yield Problem(file, f"sources.{table}", table, expected, f"or no history: true in {where}")
        own = {column.lower(): column for column in (START, END, LAST_SEEN)}
        for column in source.columns:
            if column.lower() in own:
                expected = "another name: this column is the history's own"
                yield Problem(file, f"{where}.columns.{column}", column, expected)
        start = source.order()[0]
        kind = "string" if start == "_source_file" else source.columns.get(start, "")
        if kind.lower() in ("string", "boolean"):
            yield Problem(file, f"{where}.latest_by", f"{start}, which is a {kind.lower()}", START_EXPECTED, START_HINT)


def _timeless(pipeline: Pipeline, file: str) -> Iterator[Problem]:
    """What needs a time of the rows to predict, where they have none."""
    spine, split = pipeline.model.spine, pipeline.model.split
    if not pipeline.features and split.by != "time":
        return
    expected = "the timestamp column of the rows to predict"
    why = "features look at what was known at that time"
    if not pipeline.features:
        why = "for a split by time; rows without a time are split by random, as in split: {by: random}"
    if spine.startswith("gold."):
        yield Problem(file, f"{spine}.time", "nothing", expected, why)
    else:
        query = f"sql: select * from {spine}"
        hint = f"{why}; a gold table has a time: one with {query}, key: … and time: … can be the spine"
        yield Problem(file, "model.spine", f"{spine}, a silver table, which has no time", expected, hint)


def _metrics(pipeline: Pipeline, file: str) -> Iterator[Problem]:
    """Metrics that the task does not have."""
    model = pipeline.model
    allowed = METRICS[model.task]
    asked = {"model.metric": model.metric, **{f"gate.minimum.{name}": name for name in pipeline.gate.minimum}}
    for where, name in asked.items():
        if name not in allowed:
            expected = f"a metric of task {model.task}: {', '.join(allowed)}"
            yield Problem(file, where, name, expected, _meant(name, allowed))


def _meant(name: str, allowed: Sequence[str]) -> str:
    """Which metric may be meant: one that the name is short for (rmse, auc, f1), else the nearest of them. That of
    another task is none of them."""
    others = [task for task, metrics in METRICS.items() if name in metrics and task != "forecast"]
    if others:
        return f"it is a metric of task {' and '.join(others)}"
    short = name.lower().replace("_", "")
    close = [metric for metric in allowed if _stands_for(short, metric.split("_"))]
    close = close or difflib.get_close_matches(name.lower(), allowed, n=1)
    return f"did you mean '{close[0]}'?" if close else ""


def _stands_for(short: str, words: Sequence[str]) -> bool:
    """Whether ``short`` is made of the beginnings of the words; "score" and a curve's first word may be left out."""
    if not words:
        return not short
    begins = (short[len(part) :] for end in range(1, len(words[0]) + 1) if short.startswith(part := words[0][:end]))
    left_out = words[0] in ("score", "roc") and _stands_for(short, words[1:])
    return left_out or any(_stands_for(rest, words[1:]) for rest in begins)


def _held(pipeline: Pipeline, file: str) -> Iterator[Problem]:
    """Parts that cannot be cut off as the split says."""
    split, default = pipeline.model.split, Split()
    shares = []
    for key in ("validation", "test"):
        text = getattr(split, key)
        if split.by == "time":
            if not _is_cut(text):
                hint = "a share goes with by: random or by: group" if _is_share(text) else ""
                yield Problem(file, f"model.split.{key}", text, "a length such as 30 days, or a date", hint)
        elif text != getattr(default, key) and (split.by != "column" or key == "validation"):
            if _is_share(text):
                shares.append(float(text))
            else:
                hint = "a length of time or a date goes with by: time" if _is_cut(text) else ""
                yield Problem(file, f"model.split.{key}", text, "a share between 0 and 1, such as 0.2", hint)
    if sum(shares) >= 1:
        found = f"validation: {split.validation}, test: {split.test}"
        yield Problem(file, "model.split", found, "shares that leave rows to learn from, such as 0.2 each")


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False


def _is_cut(text: str) -> bool:
    """Whether it is a length of time or a date."""
    try:
        if re.match(r"^\d{4}-\d{2}-\d{2}", text):
            datetime.fromisoformat(text)
        else:
            intervals.seconds(text)
    except ValueError:
        return False
    return True


def _task(pipeline: Pipeline, file: str) -> Iterator[Problem]:
    """What does not fit together in the model's section: the task, its horizon and entity, the split."""
    model = pipeline.model
    if model.task == "forecast":
        if model.horizon is None:
            expected = "how far ahead the outcome lies, such as 7 days"
            yield Problem(file, "model.horizon", "nothing", expected, "task forecast needs it")
        for key in ("horizon", "season"):
            text = getattr(model, key)
            if text is not None and intervals.seconds(text) == 0:
                yield Problem(file, f"model.{key}", text, "a length of time above zero")
        if model.split.by != "time":
            expected = "time: who forecasts has learnt from the past alone"
            yield Problem(file, "model.split.by", model.split.by, expected)
        layer, _, name = model.spine.partition(".")
        key_columns = spine_key(pipeline) if name in (pipeline.gold if layer == "gold" else pipeline.sources) else None
        for column in model.entity:
            if key_columns is not None and column not in key_columns:
                expected = f"columns of the key of {model.spine}: {', '.join(key_columns)}"
                yield Problem(file, "model.entity", column, expected)
    else:
        for key in ("horizon", "season", "entity"):
            if getattr(model, key):
                expected = f"no such key: task {model.task} looks at no later row"
                yield Problem(file, f"model.{key}", str(getattr(model, key)), expected, "task: forecast has it")
    for by in ("group", "column"):
        given = getattr(model.split, by)
        if model.split.by == by and not given:
            yield Problem(file, f"model.split.{by}", "nothing", f"a column of {model.spine} to split by")
        if given and model.split.by != by:
            yield Problem(file, f"model.split.{by}", str(given), f"by: {by} beside it, or no such key")


def spine_time(pipeline: Pipeline) -> str | None:
    """The spine's time column, where it has one."""
    layer, _, name = pipeline.model.spine.partition(".")
    return pipeline.gold[name].time if layer == "gold" and name in pipeline.gold else None


def spine_key(pipeline: Pipeline) -> list[str]:
    """The columns that identify a row of the spine."""
    layer, _, name = pipeline.model.spine.partition(".")
    return pipeline.key(layer, name)
