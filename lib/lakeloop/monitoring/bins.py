"""Bins: frozen with the model, from the reference alone, with a place for what the reference never had.

A numeric column has bins for under, ten between the reference's deciles, over and null; a categorical one has a bin
for each of its frequent values, one for all others and one for null. NaN counts as null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

DECILES = [i / 10 for i in range(11)]
MOST_VALUES = 50


@dataclass(frozen=True)
class Bins:
    """How one column is cut: ascending ``edges`` of a numeric column, or the ``values`` of a categorical one."""

    edges: tuple[float, ...] | None = None
    values: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """How many bins there are, the null bin (the last) included."""
        if self.edges is not None:
            return len(self.edges) + 2
        return len(self.values or ()) + 2

    def counts(self, column: pd.Series) -> np.ndarray:
        """How many of a column's rows are in each bin."""
        if self.edges is None:
            codes = pd.Index(self.values or ()).get_indexer(pd.Index(column))
            bins = np.where(column.isna(), self.size - 1, np.where(codes < 0, self.size - 2, codes))
        else:
            numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
            edges = np.asarray(self.edges)
            bins = np.searchsorted(edges, numbers, side="right")
            if len(edges):
                # The last edge is the reference's maximum and belongs to the bin below it.
                bins[numbers == edges[-1]] = len(edges) - 1
            bins[np.isnan(numbers)] = self.size - 1
        return np.bincount(bins, minlength=self.size).astype(np.int64)

    def as_dict(self) -> dict[str, Any]:
        return {"edges": self.edges} if self.edges is not None else {"values": self.values}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bins:
        if data.get("edges") is not None:
            return cls(edges=tuple(float(edge) for edge in data["edges"]))
        return cls(values=tuple(data["values"]))


def cut(rows: DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> dict[str, Bins]:
    """The bins of each column, from the reference's rows; two actions."""
    found: dict[str, Bins] = {}
    if numeric:
        aggregates = []
        for number, name in enumerate(numeric):
            value = F.col(f"`{name}`").cast("double")
            finite = F.when(~F.isnan(value), value)
            aggregates.append(F.percentile_approx(finite, DECILES, 1000).alias(str(number)))
        row = rows.agg(*aggregates).collect()[0]
        for number, name in enumerate(numeric):
            found[name] = _numeric(set(row[str(number)] or ()))
    if categorical:
        pairs = F.explode(
            F.array(*[F.struct(F.lit(name).alias("name"), F.col(f"`{name}`").alias("value")) for name in categorical])
        )
        counted = (
            rows.select(pairs.alias("pair")).groupBy("pair.name", "pair.value").count().filter("value IS NOT NULL")
        )
        ranked = counted.selectExpr("*", "row_number() OVER (PARTITION BY name ORDER BY count DESC, value) AS rank")
        top = ranked.filter(f"rank <= {MOST_VALUES}").orderBy("name", "rank").collect()
        for name in categorical:
            found[name] = Bins(values=tuple(item["value"] for item in top if item["name"] == name))
    return found


def cut_values(values: np.ndarray) -> Bins:
    """The bins of numbers in this process (the scores of the test set)."""
    finite = values[np.isfinite(values)]
    edges = np.unique(np.quantile(finite, DECILES, method="lower")) if len(finite) else np.array([])
    return _numeric(set(edges.tolist()))


def _numeric(edges: set[float]) -> Bins:
    """Bins with these edges; a constant is an edge twice, so that what is under it and over it shows."""
    ordered = sorted(edges)
    return Bins(edges=tuple(ordered * 2 if len(ordered) == 1 else ordered))
