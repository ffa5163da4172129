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

    def of_numbers(self, numbers: np.ndarray, missing: int) -> np.ndarray:
        """How many of the ``numbers`` (none of them NaN), and of ``missing`` ones, are in each bin."""
        edges = np.asarray(self.edges)
        bins = np.searchsorted(edges, numbers, side="right")
        if len(edges):
            # The last edge is the reference's maximum and belongs to the bin below it.
            bins[numbers == edges[-1]] = len(edges) - 1
        counts = np.bincount(bins, minlength=self.size).astype(np.int64)
        counts[-1] += missing
        return counts

    def of_texts(self, texts: np.ndarray, weights: np.ndarray, missing: int) -> np.ndarray:
        """How many texts, each as often as its weight says, and ``missing`` ones, are in each bin."""
        codes = pd.Index(self.values or (), dtype=object).get_indexer(pd.Index(texts, dtype=object))
        bins = np.where(codes < 0, self.size - 2, codes)
        counts = np.bincount(bins, weights=weights, minlength=self.size).astype(np.int64)
        counts[-1] += missing
        return counts

    def as_dict(self) -> dict[str, Any]:
        return {"edges": self.edges} if self.edges is not None else {"values": self.values}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bins:
        if data.get("edges") is not None:
            return cls(edges=tuple(float(edge) for edge in data["edges"]))
        return cls(values=tuple(data["values"]))


def cut(rows: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> dict[str, Bins]:
    """The bins of each column, from the reference's rows (or a fair sample of them)."""
    found = {name: cut_values(rows[name].to_numpy(dtype=np.float64, na_value=np.nan)) for name in numeric}
    for name in categorical:
        counts = rows[name].value_counts(dropna=True)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        found[name] = Bins(values=tuple(str(value) for value, _ in ordered[:MOST_VALUES]))
    return found


def cut_values(values: np.ndarray) -> Bins:
    """The bins of numbers; NaN and infinities make no edge."""
    finite = values[np.isfinite(values)]
    edges = np.unique(np.quantile(finite, DECILES, method="lower")) if len(finite) else np.array([])
    return _numeric(set(edges.tolist()))


def _numeric(edges: set[float]) -> Bins:
    """Bins with these edges; a constant is an edge twice, so that what is under it and over it shows."""
    ordered = sorted(edges)
    return Bins(edges=tuple(ordered * 2 if len(ordered) == 1 else ordered))
