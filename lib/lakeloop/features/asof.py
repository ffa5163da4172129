"""What the tiles of an entity add up to over the time before a moment, in whole arrays.

Tiles are sorted once by owner and time; the tiles of the window (t − w, t] are those between two places that binary
search finds. A window is summed up in spans of tiles whose widths are powers of two, so its value comes from its own
tiles alone: what lies before it, or is another's, rounds nothing. Imports neither Spark nor the rest of the package:
each Python worker loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np


@dataclass(frozen=True)
class Feature:
    """A column to add: ``function`` over the window of ``length`` seconds that ends ``offset`` seconds before the
    moment, from the measure's partial results."""

    column: str
    function: str
    measure: str
    length: int
    offset: int = 0

    @property
    def reach(self) -> int:
        """How far back it looks, in seconds."""
        return self.offset + self.length


def computed(
    moments: np.ndarray, tiles: np.ndarray, partials: Mapping[str, np.ndarray], features: Sequence[Feature]
) -> list[np.ndarray]:
    """The features of each moment, each as float64: NaN where its window holds no value, 0 for a count.

    ``moments`` and ``tiles`` are int64, owner and time in one number that sorts by owner first and grows by one with a
    second; ``partials`` are float64, in the order of ``tiles``, named ``<measure>__<kind>``.
    """
    tile_order = np.argsort(tiles, kind="stable")
    tiles = tiles[tile_order]
    columns = {name: values[tile_order] for name, values in partials.items()}
    # Sorted needles make each search go on from the one before.
    moment_order = np.argsort(moments, kind="stable")
    moments = moments[moment_order]
    edges = sorted({edge for feature in features for edge in (feature.offset, feature.reach)})
    # The first tile after each edge.
    after = {edge: np.searchsorted(tiles, moments - edge, side="right") for edge in edges}
    # Two functions of a window may need the same sum.
    sums: dict[tuple[str, int, int], np.ndarray] = {}

    def total(feature: Feature, kind: str) -> np.ndarray:
        name = f"{feature.measure}__{kind}"
        if (name, feature.reach, feature.offset) not in sums:
            span = after[feature.reach], after[feature.offset]
            sums[name, feature.reach, feature.offset] = _summed(columns[name], *span)
        return sums[name, feature.reach, feature.offset]

    found = []
    for feature in features:
        values = np.empty(len(moments))
        if feature.function in ("min", "max"):
            least = feature.function == "min"
            extremes = columns[f"{feature.measure}__{feature.function}"]
            span = after[feature.reach], after[feature.offset]
            values[moment_order] = _extreme(extremes, *span, np.fmin if least else np.fmax)
        else:
            values[moment_order] = _of_sums(feature.function, partial(total, feature))
        found.append(values)
    return found


def _of_sums(function: str, total: Callable[[str], np.ndarray]) -> np.ndarray:
    """A function of the sums of partial results; NaN where there is no value."""
    count = total("count")
    if function == "count":
        return count
    with np.errstate(divide="ignore", invalid="ignore"):
        if function == "sum":
            return np.where(count > 0, total("sum"), np.nan)
        if function == "avg":
            return np.where(count > 0, total("sum") / count, np.nan)
        spread = (total("squares") - total("sum") ** 2 / count) / (count - 1)
        return np.where(count > 1, np.sqrt(np.maximum(spread, 0.0)), np.nan)


def _summed(values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The sum of each range from ``starts`` to ``ends`` (exclusive); what is missing adds nothing.

    A range is cut into spans whose widths are the powers of two that its length is made of.
    """
    found = np.zeros(len(starts))
    lengths, at = ends - starts, starts.copy()
    level, width = np.nan_to_num(values, nan=0.0), 1
    while width <= lengths.max(initial=0):
        asked = np.flatnonzero(lengths & width)
        found[asked] += level[at[asked]]
        at[asked] += width
        # Where two owners meet, the sum is nobody's, and may be as great as it likes.
        with np.errstate(over="ignore", invalid="ignore"):
            level = level[:-width] + level[width:]
        width *= 2
    return found


def _extreme(
    values: np.ndarray, starts: np.ndarray, ends: np.ndarray, function: Callable[..., np.ndarray]
) -> np.ndarray:
    """The smallest or greatest of each range; NaN where a range holds no value.

    A range is covered by two spans whose width is a power of two; the extremes of all spans of a width come from
    those of half the width (a sparse table, of which one level is kept at a time).
    """
    found = np.full(len(starts), np.nan)
    lengths = ends - starts
    level, width = values, 1
    while width <= lengths.max(initial=0):
        asked = (lengths >= width) & (lengths < 2 * width)
        found[asked] = function(level[starts[asked]], level[ends[asked] - width])
        level = function(level[:-width], level[width:])
        width *= 2
    return found
