"""Expectations: which rules a row breaks, and so whether it is kept, quarantined, dropped or counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakeloop.config.sources import Rule

FAILED = "_failed_rules"


@dataclass(frozen=True)
class Expectations:
    """Named rules; ``automatic`` ones (a cast that failed, a key that is missing) always quarantine.

    Rules are SQL conditions over the rows that they judge. Null passes, as in an SQL CHECK constraint.
    """

    rules: Mapping[str, Rule]
    automatic: Mapping[str, Column]

    def judged(self, rows: DataFrame) -> DataFrame:
        """``rows`` with the column `_failed_rules` array<string>: the names of all rules that a row breaks."""
        broken = [F.when(~F.coalesce(ok, F.lit(True)), F.lit(name)) for name, ok in self._conditions().items()]
        failed = F.array_compact(F.array(*broken)) if broken else F.array().cast("array<string>")
        return rows.withColumn(FAILED, failed)

    def _conditions(self) -> dict[str, Column]:
        return {**self.automatic, **{name: F.expr(rule.rule) for name, rule in self.rules.items()}}

    def broken(self, *otherwise: str) -> Column:
        """Of rows that need not be judged: whether one breaks a rule with one of these consequences. The first that it
        breaks is enough, so this is quicker than the names of all."""
        conditions = self._conditions()
        found = [~F.coalesce(conditions[name], F.lit(True)) for name in self.names(*otherwise)]
        return reduce(or_, found, F.lit(False))

    def names(self, *otherwise: str) -> list[str]:
        """The names of the rules with one of these consequences, in order."""
        automatic = list(self.automatic) if "quarantine" in otherwise else []
        return automatic + [name for name, rule in self.rules.items() if rule.otherwise in otherwise]

    def kept(self) -> Column:
        """Of judged rows: whether the row stays."""
        return ~self._breaks("quarantine", "drop")

    def quarantined(self) -> Column:
        """Of judged rows: whether the row goes to quarantine."""
        return self._breaks("quarantine")

    def dropped(self) -> Column:
        """Of judged rows: whether a rule drops the row and none quarantines it."""
        return self._breaks("drop") & ~self._breaks("quarantine")

    def _breaks(self, *otherwise: str) -> Column:
        names = self.names(*otherwise)
        if not names:
            return F.lit(False)
        return F.arrays_overlap(F.col(FAILED), F.array(*[F.lit(name) for name in names]))


def counts(judged: DataFrame) -> dict[str, int]:
    """How many rows break each rule, by name; one action, one row a rule."""
    rows = judged.select(F.explode(FAILED).alias("rule")).groupBy("rule").count().collect()
    return {row["rule"]: row["count"] for row in sorted(rows, key=lambda row: row["rule"])}
