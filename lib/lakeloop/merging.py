"""MERGE: its statement, and how it keeps away from files that can hold none of the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from lakeloop.literals import literal

# A boolean column of rows to merge, where they have it: the row goes.
GONE = "_lakeloop_delete"

# What MERGE calls the table and the rows that come.
TABLE, ROWS = "t", "s"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# How a column's value becomes a whole number, and that a literal of the column's very type: Delta judges by statistics
# where it has nothing to cast.
_NUMBERS: dict[type[T.DataType], tuple[str, Callable[[int], str]]] = {
    T.DateType: ("unix_date", lambda days: literal(date.fromordinal(_EPOCH.toordinal() + days))),
    T.TimestampType: ("unix_micros", lambda micros: literal(_EPOCH + timedelta(microseconds=micros))),
    T.ByteType: ("", "{}Y".format),
    T.ShortType: ("", "{}S".format),
    T.IntegerType: ("", "{}".format),
    T.LongType: ("", "{}L".format),
}


def within(source: DataFrame, key: Sequence[str]) -> list[str]:
    """SQL conditions that hold for the row of the TABLE that has the key of one of these: its dates, times and whole
    numbers lie between the least and the greatest of the source. One action, none where there is no such column.

    MERGE itself reads the keys of the whole table, however few the rows are that come.
    """
    types = {field.name: type(field.dataType) for field in source.schema if type(field.dataType) in _NUMBERS}
    # A hash says nothing of where its row is.
    columns = [column for column in key if column in types and not column.startswith("_")]
    if not columns:
        return []
    asked = []
    for number, column in enumerate(columns):
        function = _NUMBERS[types[column]][0]
        asked += [f"{function}({aggregate}(`{column}`)) AS {aggregate}_{number}" for aggregate in ("min", "max")]
        asked.append(f"count_if(`{column}` IS NULL) AS nulls_{number}")
    found = source.selectExpr(*asked).collect()[0]
    conditions = []
    for number, column in enumerate(columns):
        name, told = f"{TABLE}.`{column}`", _NUMBERS[types[column]][1]
        parts = [f"{name} IS NULL"] if found[f"nulls_{number}"] else []
        if found[f"min_{number}"] is not None:
            try:
                least, greatest = (told(found[f"{aggregate}_{number}"]) for aggregate in ("min", "max"))
            except (ValueError, OverflowError):
                # Spark's dates go further than Python's.
                continue
            parts.append(f"{name} BETWEEN {least} AND {greatest}")
        if parts:
            conditions.append(f"({' OR '.join(parts)})")
    return conditions


def statement(
    target: str,
    view: str,
    columns: Sequence[str],
    key: Sequence[str],
    newest: Sequence[str],
    told_by: Sequence[str],
    conditions: Sequence[str],
) -> str:
    """The MERGE of a view's ``columns``, and GONE, into ``target``, as Lakehouse.merge says; ``conditions`` hold for
    each row that matches."""
    match = " AND ".join([*[f"{TABLE}.`{column}` <=> {ROWS}.`{column}`" for column in key], *conditions])
    update = " WHEN MATCHED"
    for names, compared in ((newest, "struct({}) > struct({})"), (told_by, "NOT struct({}) <=> struct({})")):
        if names:
            new, old = (", ".join(f"{side}.`{column}`" for column in names) for side in (ROWS, TABLE))
            update += f" AND {compared.format(new, old)}"
    quoted = [f"`{column}`" for column in columns]
    sets = ", ".join(f"{column} = {ROWS}.{column}" for column in quoted)
    inserts = ", ".join(f"{ROWS}.{column}" for column in quoted)
    return (
        f"MERGE WITH SCHEMA EVOLUTION INTO {target} {TABLE} USING {view} {ROWS} ON {match}"
        f" WHEN MATCHED AND {ROWS}.{GONE} THEN DELETE{update} THEN UPDATE SET {sets}"
        f" WHEN NOT MATCHED AND NOT {ROWS}.{GONE} THEN INSERT ({', '.join(quoted)}) VALUES ({inserts})"
    )
