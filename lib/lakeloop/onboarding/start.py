"""Looks at raw files with Spark and decides what a pipeline.yml that runs would say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop import bronze, silver
from lakeloop.config import Environment, Pipeline, Settings
from lakeloop.config.sources import Source
from lakeloop.errors import DataError
from lakeloop.features.table import DATE
from lakeloop.onboarding import columns as raw_columns
from lakeloop.onboarding import identity, outcome
from lakeloop.onboarding.columns import Column
from lakeloop.onboarding.draft import Draft
from lakeloop.onboarding.files import Files
from lakeloop.onboarding.identity import Identity
from lakeloop.onboarding.names import quoted, source_name
from lakeloop.tables import Lakehouse

CORRUPT_LEAF = raw_columns.Leaf(bronze.CORRUPT, quoted(bronze.CORRUPT), bronze.CORRUPT, T.StringType())
RESERVED = (*bronze.METADATA, silver.ROW_HASH, DATE)


def provisional(folder: Path, files: Files, environment: Environment) -> Settings:
    """Settings with which the files can be read before anything is known of their columns."""
    name, source = folder.name, source_name(files.stem)
    spec = {"path": files.path, "format": files.format, "options": files.options, "key": "_row_hash"}
    model = {"task": "binary", "spine": f"silver.{source}", "label": "true", "split": {"by": "random"}}
    pipeline = Pipeline.model_validate({"pipeline": name, "sources": {source: spec}, "model": model})
    return Settings(folder, pipeline, environment, {})


def draft(spark: SparkSession, settings: Settings, files: Files, label: str | None, now: datetime) -> Draft:
    """A configuration for the files that ``settings``, see `provisional`, point to.

    Types are found in a sample; the key is tested over all rows. DataError where the label can teach nothing.
    """
    [(source, spec)] = settings.pipeline.sources.items()
    try:
        raw = bronze.read(Lakehouse(spark, settings), source, now)
    except AnalysisException as error:
        said = " ".join(str(error).split("SQLSTATE")[0].split())
        raise DataError(f"{files.path}: Spark cannot read these files: {said}") from error
    notes = []
    leaves, left = raw_columns.leaves(raw.schema, RESERVED)
    leaves = [replace(leaf, nanos=leaf.raw in files.nanos) for leaf in leaves]
    if left:
        notes.append(f"left out, for they are no single values: {', '.join(left)}")
    if not leaves:
        raise DataError(f"{files.path}: no column was found that a table can be made of.")
    looked = raw_columns.sample(raw, len(leaves)).cache()
    try:
        # Lines that do not parse are counted as the values of one column more.
        *counts, broken = raw_columns.seen(looked, [*leaves, CORRUPT_LEAF])
    finally:
        looked.unpersist()
    if not counts[0].rows:
        raise DataError(f"{files.path}: the files hold no row.")
    if broken.present:
        notes.append(f"{broken.present:,} of {broken.rows:,} lines do not parse: they go to quarantine")
    columns, missing = raw_columns.understood(leaves, counts)
    if files.words:
        columns = [*columns, series(columns, files)]
    rows = typed(raw, spec, columns, missing)
    return _decided(rows, settings.pipeline.pipeline, source, files, columns, missing, label, notes)


def typed(raw: DataFrame, source: Source, columns: Sequence[Column], missing: Sequence[str]) -> DataFrame:
    """The silver columns over all raw rows."""
    spec = source.model_copy(
        update={"columns": {column.name: column.text for column in columns}, "missing": list(missing)}
    )
    return silver.typed(raw, spec).select(*[F.col(quoted(column.name)) for column in columns])


def _decided(
    rows: DataFrame,
    name: str,
    source: str,
    files: Files,
    columns: Sequence[Column],
    missing: Sequence[str],
    label: str | None,
    notes: list[str],
) -> Draft:
    predicted = outcome.named(columns, label) if label else None
    if predicted is not None:
        outcome.refuse(predicted)
    time = identity.time_column(columns, predicted.name if predicted else None)
    wanted = predicted.name if predicted else None
    tried = identity.candidates(columns, None, time.name if time else None, wanted)
    by_name = columns[-1].name if files.words else None
    found = identity.identify(rows, [names for names in tried if by_name not in names])
    if by_name and time and not found.key:
        found = identity.identify(rows, [*tried, (by_name, time.name)])
    if by_name and by_name not in found.key:
        columns = columns[:-1]
    if predicted is None:
        predicted = outcome.guessed([column for column in columns if column.name not in found.key])
    if predicted.name in found.key:
        found = _without(rows, columns, predicted, time, found)
    entity = tuple(name for name in found.key if not time or name != time.name)
    step = identity.step(rows, time.name, entity) if time and (not entity or time.name in found.key) else None
    if time and step:
        found = Identity((*entity, time.name), found.rows)
    split = identity.span(rows, time.name) if time else None
    values = label_values(rows, predicted)
    mended = outcome.mended(predicted, values)
    if mended is not predicted:
        columns = [mended if column is predicted else column for column in columns]
        predicted, values = mended, outcome.merged(values)
    hidden = excluded(columns, {*found.key, predicted.name})
    made = outcome.outcome(predicted, values)
    seen = {column.name for column in columns if not column.is_time} - {name for name, _ in hidden}
    if not seen - {*found.key, predicted.name}:
        if split and step and made.task == "regression":
            made = outcome.ahead(made)
        else:
            notes.append(f"no column is left from which {predicted.name} could be learnt: a model needs one")
    return Draft(
        name, source, files, columns, missing, found, time if split else None, split, made, label is None, hidden,
        notes, step, entity if step and split else (), identity.repeated(columns, {*found.key, predicted.name}),
    )  # fmt: skip


def _without(
    rows: DataFrame, columns: Sequence[Column], label: Column, time: Column | None, found: Identity
) -> Identity:
    """The key, where the label was found to be one: another, for a number may be different in each row by chance."""
    if identity.looks_like_id(label) or label.type == "string":
        raise DataError(
            f"--label {label.leaf.raw}: the column belongs to the key ({', '.join(found.key)}), which is different in "
            f"each of {found.rows:,} rows, so it cannot be predicted."
        )
    return identity.identify(rows, identity.candidates(columns, label.name, time.name if time else None))


def series(columns: Sequence[Column], files: Files) -> Column:
    """The words by which the files' names differ, as a column of the rows."""
    taken = {column.name.lower() for column in columns}
    name = next(name for name in ("series", "file_series", "_file_series") if name not in taken)
    leaf = raw_columns.Leaf(bronze.FILE, quoted(bronze.FILE), name, T.StringType())
    rows = columns[0].seen.rows
    shown = ", ".join(files.words[:3]) + (", …" if len(files.words) > 3 else "")
    text = f"regexp_extract({bronze.FILE}, {raw_columns.sql_text(files.series)}, 1)"
    seen = raw_columns.Seen(rows, rows, distinct=len(files.words))
    return Column(leaf, "string", text, seen, notes=(f"from the files' names: {shown}",))


def label_values(rows: DataFrame, label: Column) -> dict[str, int]:
    """How many rows have each of the label's commonest values, as texts; none where they are a quantity."""
    if label.distinct > outcome.MOST_CLASSES:
        return {}
    value = F.col(quoted(label.name)).cast("string").alias("value")
    counted = rows.select(value).filter("value is not null").groupBy("value").count()
    found = counted.orderBy(F.desc("count"), "value").limit(outcome.MOST_CLASSES).collect()
    return {row["value"]: row["count"] for row in found}


def excluded(columns: Sequence[Column], apart: set[str]) -> list[tuple[str, str]]:
    """Columns that a model can learn nothing general from, with the reason: texts that are nearly all different, other
    ids, and columns of one value."""
    found = []
    for column in columns:
        if column.name in apart or column.is_time:
            continue
        if column.known and column.distinct >= 0.9 * column.known and column.known >= 20:
            if column.type == "string":
                found.append((column.name, "texts that are nearly all different"))
            elif column.is_whole and identity.looks_like_id(column):
                found.append((column.name, "different in nearly each row"))
        elif column.distinct < 2:
            found.append((column.name, "one value alone" if column.known else "no value at all"))
    return found
