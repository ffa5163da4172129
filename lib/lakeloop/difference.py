"""What differs between the rows of some slices as they were computed and as the table has them.

Much of what is computed anew is there already: a new reading of the weather touches the flights of three days, and
changes nothing of two. To write only what differs spares this table a rewrite, and those that are made from it their
work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.kept import kept

# How often a row was computed, and how often the table has it.
_COMPUTED, _THERE = "_lakeloop_computed", "_lakeloop_there"


@dataclass(frozen=True)
class Difference:
    """``slices`` are those that differ, sorted, null first; with ``only_more`` the table lacks rows there, and has none
    that was not computed."""

    slices: Sequence[object]
    only_more: bool
    _counted: DataFrame

    def missing(self) -> DataFrame:
        """The computed rows that the table lacks."""
        return self._repeated(f"{_COMPUTED} - {_THERE}")

    def computed(self) -> DataFrame:
        """All computed rows, of every slice."""
        return self._repeated(_COMPUTED)

    def _repeated(self, count: str) -> DataFrame:
        copies = f"explode(array_repeat(0, cast({count} AS int))) AS _lakeloop_copy"
        return self._counted.selectExpr("*", copies).drop(_COMPUTED, _THERE, "_lakeloop_copy")


def difference(computed: DataFrame, there: DataFrame, slice_: str) -> Difference | None:
    """What differs between the rows ``computed`` and those ``there``; ``slice_`` is SQL for a row's slice. A column
    that one of both does not have is null in its rows. None where rows cannot be compared or kept.

    One action. The rows are computed once, and kept until they are written: what is written is what was compared.
    """
    if not _comparable(computed, there):
        return None
    both = computed.selectExpr("*", f"1 AS {_COMPUTED}", f"0 AS {_THERE}").unionByName(
        there.selectExpr("*", f"0 AS {_COMPUTED}", f"1 AS {_THERE}"), allowMissingColumns=True
    )
    columns = [f"`{column}`" for column in both.columns if column not in (_COMPUTED, _THERE)]
    counted = both.groupBy(*columns).agg(*[F.sum(count).alias(count) for count in (_COMPUTED, _THERE)])
    held = kept(counted)
    if held is None:
        return None
    differing = held.filter(f"{_COMPUTED} <> {_THERE}").groupBy(F.expr(slice_).alias("slice"))
    found = differing.agg(F.max(F.expr(f"{_THERE} > {_COMPUTED}")).alias("gone")).collect()
    slices = sorted((row["slice"] for row in found), key=lambda value: (value is not None, value))
    return Difference(slices, not any(row["gone"] for row in found), held)


def _comparable(computed: DataFrame, there: DataFrame) -> bool:
    """Whether Spark can tell, and rows that are equal are the same: texts of a collation may be equal and differ."""
    types = {field.name.lower(): field.dataType.simpleString() for field in there.schema}
    given = {field.name.lower(): field.dataType.simpleString() for field in computed.schema}
    same = all(types.get(name, type_) == type_ for name, type_ in given.items())
    return same and all(_has_equality(field.dataType) for frame in (computed, there) for field in frame.schema)


def _has_equality(type_: T.DataType) -> bool:
    if isinstance(type_, T.StructType):
        return all(_has_equality(field.dataType) for field in type_)
    if isinstance(type_, T.ArrayType):
        return _has_equality(type_.elementType)
    if isinstance(type_, T.StringType):
        return type_ == T.StringType()
    return isinstance(type_, (T.NumericType, T.DatetimeType, T.BooleanType, T.BinaryType))
