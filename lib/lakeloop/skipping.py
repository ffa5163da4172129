"""Data skipping: of which columns Delta notes each file's least and greatest value, so that a query reads fewer files.

By default those are the first 32 columns, which is a sixth of what it costs to write few rows, and a tenth where they
are many. Most of them prune nothing: what a file has of them is spread like the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyspark.sql import types as T

PROPERTY = "delta.dataSkippingStatsColumns"
_TIMES = (T.DateType, T.TimestampType, T.TimestampNTZType)
# Delta refuses to keep statistics of columns of other types.
_ABLE = (*_TIMES, T.NumericType, T.StringType)


def columns(schema: T.StructType, looked_up: Iterable[str]) -> list[str]:
    """The columns to keep statistics of, as the property names them: those that rows are ``looked_up`` by, and all
    dates and times, which much in a file goes along with."""
    times = [path for path, _, kind in _fields(schema) if isinstance(kind, _TIMES)]
    return able(schema, [*looked_up, *times])


def able(schema: T.StructType, paths: Iterable[str]) -> list[str]:
    """Those of the columns (dotted paths) that are there and that Delta can keep statistics of, as the property names
    them; in the schema's order."""
    wanted = set(paths)
    return [name for path, name, kind in _fields(schema) if path in wanted and isinstance(kind, _ABLE)]


def value(names: Iterable[str]) -> str:
    """The property's value, each column once, in backticks or not: Delta refuses one that is named twice. Empty where
    there is no column, for then there must be no property."""
    first: dict[str, str] = {}
    for name in map(str.strip, names):
        first.setdefault(name.replace("`", "").lower(), name)
    return ",".join(first.values())


def _fields(schema: T.StructType, path: str = "", name: str = "") -> Iterator[tuple[str, str, T.DataType]]:
    """Dotted path, quoted path and type of each column, and of each field of a struct."""
    for field in schema:
        inner = (f"{path}{field.name}", f"{name}`{field.name.replace('`', '``')}`", field.dataType)
        if isinstance(field.dataType, T.StructType):
            yield from _fields(field.dataType, f"{inner[0]}.", f"{inner[1]}.")
        else:
            yield inner
