"""Expectations: which rules a row breaks, and so whether it is kept, quarantined, dropped or counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakeloop.config.sources import Rule
from lakeloop.literals import literal

FAILED = "_failed_rules"


@dataclass(frozen=True)
class Expectations:
    """Named rules; ``automatic`` ones (a cast that failed, a key that is missing) always quarantine.

    Both are SQL conditions over the rows that they judge. Null passes, as in an SQL CHECK constraint.
    """

    rules: Mapping[str, Rule]
    automatic: Mapping[str, str]

    def judged(self, rows: DataFrame) -> DataFrame:
        """``rows`` with the column `_failed_rules` array<string>: the names of all rules that a row breaks."""
        broken = [f"CASE WHEN {text} THEN {literal(name)} END" for name, text in self._broken().items()]
        failed = f"array_compact(array({', '.join(broken)}))" if broken else "cast(array() AS array<string>)"
        return rows.withColumn(FAILED, F.expr(failed))

    def _broken(self) -> dict[str, str]:
        """SQL for whether a row breaks each rule. A rule may end with a comment."""
        rules = {name: f"({rule.rule}\n)" for name, rule in self.rules.items()}
        return {name: f"NOT coalesce({text}, true)" for name, text in {**self.automatic, **rules}.items()}

    def broken(self, *otherwise: str) -> Column:
        """Of rows that need not be judged: whether one breaks a rule with one of these consequences. The first that it
        breaks is enough, so this is quicker than the names of all."""
        broken = self._broken()
        return F.expr(" OR ".join(broken[name] for name in self.names(*otherwise)) or "false")

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
        return F.expr(f"arrays_overlap({FAILED}, array({', '.join(map(literal, names))}))")


def counts(judged: DataFrame) -> dict[str, int]:
    """How many rows break each rule, by name; one action, one row a rule."""
    rows = judged.select(F.explode(FAILED).alias("rule")).groupBy("rule").count().collect()
    return {row["rule"]: row["count"] for row in sorted(rows, key=lambda row: row["rule"])}
