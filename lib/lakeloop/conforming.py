"""Raw rows of files that differ, brought to the columns that bronze has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config.sources import Source
from lakeloop.rawcolumns import CORRUPT, FILE, INGESTED, MODIFIED, RAW_NAME, RESCUED, quoted, raw_name
from lakeloop.rawfiles import Group

# Types whose values have no room for a fraction, or for so long a one.
EXACT = (T.IntegralType, T.DecimalType, T.DateType)


@dataclass(frozen=True)
class Conformed:
    """Raw rows with the columns of bronze: ``added`` are new to it, ``missing`` are not in all of the files."""

    rows: DataFrame
    added: Sequence[str]
    missing: Sequence[str]

    def note(self, exists: bool) -> str:
        """What a user should know of the columns."""
        added = f"new columns: {', '.join(self.added)}" if exists and self.added else ""
        missing = f"columns that files lack: {', '.join(self.missing)}" if self.missing else ""
        return "; ".join(part for part in (added, missing) if part)


def conformed(groups: Sequence[Group], known: Sequence[T.StructField], source: Source, now: datetime) -> Conformed:
    """The groups' rows together, with the raw columns of bronze (``known``) and, as the source's `schema_evolution`
    says, those that are new; then `_corrupt_record`, `_source_file`, `_source_modified_at`, `_ingested_at`.

    A value that does not fit its column's type, or would lose a part of itself, is null, and the row's JSON is in
    `_corrupt_record`.
    """
    adding = source.schema_evolution == "add_new_columns" or not known
    fields = {field.name: field for field in known}
    added: dict[str, T.StructField] = {}
    for group in groups:
        for column in group.columns:
            if column.field.name not in fields:
                added.setdefault(column.field.name, column.field)
            elif adding:
                fields[column.field.name] = column.field
    target = [*fields.values(), *(added.values() if adding else ())]
    missing = {field.name for group in groups for field in target} - set.intersection(
        *[{column.field.name for column in group.columns} for group in groups]
    )
    rescuing = source.schema_evolution == "rescue"
    frames = [_conformed(group, target, added, rescuing, now) for group in groups]
    return Conformed(reduce(DataFrame.unionByName, frames), list(added), sorted(missing))


def _conformed(
    group: Group, target: Sequence[T.StructField], added: Mapping[str, T.StructField], rescuing: bool, now: datetime
) -> DataFrame:
    given = {column.field.name: column.given for column in group.columns}
    types = {field.name: field.dataType for field in group.rows.schema}
    values: list[Column] = []
    unfit: list[Column] = []
    for field in target:
        if field.name in given:
            value = raw = F.col(quoted(given[field.name]))
            if types[given[field.name]] != field.dataType:
                value = _cast(raw, types[given[field.name]], field.dataType)
                unfit.append(raw.isNotNull() & value.isNull())
        else:
            value = F.lit(None).cast(field.dataType)
        values.append(value.alias(field.name, metadata={RAW_NAME: raw_name(field)}))
    broken = F.lit(None).cast("string")
    if unfit:
        whole = F.expr(f"to_json(struct({', '.join(map(quoted, given.values()))}))")
        broken = F.when(reduce(Column.__or__, unfit), whole)
    rescued = [F.col(quoted(column)).alias(name) for name, column in given.items() if name in added]
    return group.rows.select(
        *values,
        F.coalesce(F.col(CORRUPT), broken).alias(CORRUPT),
        FILE,
        MODIFIED,
        F.lit(now).cast("timestamp").alias(INGESTED),
        *([_rescued(rescued)] if rescuing else []),
    )


def _rescued(columns: Sequence[Column]) -> Column:
    """The columns that are not null as JSON, null where all are."""
    if not columns:
        return F.lit(None).cast("string").alias(RESCUED)
    json = F.to_json(F.struct(*columns))
    return F.when(json != "{}", json).alias(RESCUED)


def _cast(value: Column, given: T.DataType, wanted: T.DataType) -> Column:
    """A safe cast; between nested values and others there is none. A number or a time that would lose a part of itself,
    as 2.5 does where numbers are whole, does not fit."""
    nested = (T.StructType, T.ArrayType, T.MapType)
    if isinstance(wanted, nested) or (isinstance(given, nested) and not isinstance(wanted, T.StringType)):
        return F.lit(None).cast(wanted)
    made = value.try_cast(wanted)
    if isinstance(given, (T.NumericType, T.TimestampType)) and isinstance(wanted, EXACT):
        return F.when(made.try_cast(given) == value, made)
    return made
