"""What the parts of a pipeline say of each other: does each table that is named exist, in an order that can be run?"""

from __future__ import annotations

import difflib
from pathlib import Path

import sqlglot
from sqlglot.errors import SqlglotError

from lakeloop.config import sql
from lakeloop.config.models import BARE_TYPE, Pipeline
from lakeloop.errors import Problem


def read_queries(folder: Path, pipeline: Pipeline, file: str, problems: list[Problem]) -> dict[str, str]:
    """The SQL text of each gold table, from its file or the configuration itself."""
    queries = {}
    for name, gold in pipeline.gold.items():
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


def gold_order(queries: dict[str, str]) -> list[str]:
    """The gold tables, each after those that it reads; ValueError names a circle."""
    order: list[str] = []
    visiting: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in visiting:
            raise ValueError(" → ".join([*visiting[visiting.index(name) :], name]))
        visiting.append(name)
        for table in gold_inputs(queries[name]):
            layer, other = table.split(".")
            if layer == "gold" and other in queries:
                visit(other)
        visiting.pop()
        order.append(name)

    for name in queries:
        visit(name)
    return order


def check(pipeline: Pipeline, queries: dict[str, str], file: str, problems: list[Problem]) -> None:
    """Adds a problem for each reference that leads nowhere and each piece of SQL that does not parse."""
    tables = [f"silver.{name}" for name in pipeline.sources] + [f"gold.{name}" for name in pipeline.gold]
    readable = tables + [f"bronze.{name}" for name in pipeline.sources]

    def known(table: str, where: str, allowed: list[str]) -> None:
        if table not in allowed:
            close = difflib.get_close_matches(table, allowed, n=1)
            hint = f"did you mean '{close[0]}'?" if close else ""
            problems.append(Problem(file, where, table, f"one of {', '.join(allowed)}", hint))

    def parses(text: str, where: str) -> None:
        try:
            sqlglot.parse_one(text, read="spark")
        except SqlglotError as error:
            detail = str(error).splitlines()[0]
            problems.append(Problem(file, where, text, f"a Spark SQL expression ({detail})"))

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
        for table in pipeline.gold[name].affected_by:
            known(table, f"gold.{name}.affected_by", inputs)
    if not problems:
        try:
            gold_order(queries)
        except ValueError as error:
            problems.append(Problem(file, "gold", f"tables that read each other: {error}", "no circle"))
    for name, source in pipeline.sources.items():
        for column, expression in source.columns.items():
            if not BARE_TYPE.match(expression):
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
    known(pipeline.model.spine, "model.spine", tables)
    parses(pipeline.model.label.expression, "model.label.expression")
    needs_time = pipeline.features or pipeline.model.split.by == "time"
    if pipeline.model.spine in tables and needs_time and spine_time(pipeline) is None:
        problems.append(
            Problem(file, f"{pipeline.model.spine}.time", "nothing", "the timestamp column of the rows to predict")
        )


def spine_time(pipeline: Pipeline) -> str | None:
    """The spine's time column, where it has one."""
    layer, _, name = pipeline.model.spine.partition(".")
    return pipeline.gold[name].time if layer == "gold" and name in pipeline.gold else None


def spine_key(pipeline: Pipeline) -> list[str]:
    """The columns that identify a row of the spine."""
    layer, _, name = pipeline.model.spine.partition(".")
    return list(pipeline.gold[name].key if layer == "gold" else pipeline.sources[name].identity())
