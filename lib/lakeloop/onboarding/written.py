"""How values are written as text: numbers, dates and times, and what Spark is asked to tell them by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakeloop.onboarding.dialect import NUMBER

# Numbers as people write them, and what makes Spark read them.
WRITTEN = {
    "thousands": (r"^[$€£]?\s?[+-]?\d{1,3}(,\d{3})*(\.\d+)?\s?[%$€£]?$|^[$€£]?\s?[+-]?\d+(\.\d+)?\s?[%$€£]?$",
                  "try_cast(regexp_replace({0}, '[$€£%, ]', '') as double)"),
    "decimal comma": (r"^[+-]?\d{1,3}(\.\d{3})*(,\d+)?$|^[+-]?\d+(,\d+)?$",
                      "try_cast(replace(replace({0}, '.', ''), ',', '.') as double)"),
    "comma": (r"^[$€£]?\s?[+-]?\d{1,3}(\.\d{3})*(,\d+)?\s?[%$€£]?$|^[$€£]?\s?[+-]?\d+(,\d+)?\s?[%$€£]?$",
              "try_cast(replace(regexp_replace({0}, '[$€£%. ]', ''), ',', '.') as double)"),
}  # fmt: skip

# Dates that are not ISO: what they look like, and the patterns that could be meant.
DATES: dict[str, tuple[str, ...]] = {
    r"^\d{1,2}/\d{1,2}/\d{4}$": ("d/M/yyyy", "M/d/yyyy"),
    r"^\d{1,2}/\d{1,2}/\d{2}$": ("d/M/yy", "M/d/yy"),
    r"^\d{1,2}\.\d{1,2}\.\d{4}$": ("d.M.yyyy",),
    r"^\d{1,2}\.\d{1,2}\.\d{2}$": ("d.M.yy",),
    r"^\d{1,2}-\d{1,2}-\d{4}$": ("d-M-yyyy", "M-d-yyyy"),
    r"^\d{4}/\d{1,2}/\d{1,2}$": ("yyyy/M/d",),
    r"^\d{1,2}-[A-Za-z]{3}-\d{4}$": ("d-MMM-yyyy",),
    r"^\d{1,2}-[A-Za-z]{3}-\d{2}$": ("d-MMM-yy",),
    r"^\d{1,2} [A-Za-z]{3} \d{4}$": ("d MMM yyyy",),
    r"^[A-Za-z]{3} \d{1,2}, \d{4}$": ("MMM d, yyyy",),
    r"^[A-Za-z]{3} \d{1,2} \d{4}$": ("MMM d yyyy",),
    r"^[A-Za-z]{4,9} \d{1,2}, \d{4}$": ("MMMM d, yyyy",),
    r"^\d{1,2} [A-Za-z]{4,9} \d{4}$": ("d MMMM yyyy",),
    r"^(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$": ("yyyyMMdd",),
}
CLOCKS = {
    r"^\d{1,2}:\d{2}$": "H:mm",
    r"^\d{1,2}:\d{2}:\d{2}$": "H:mm:ss",
    r"^\d{1,2}:\d{2}:\d{2}\.\d{3}$": "H:mm:ss.SSS",
    r"^\d{1,2}:\d{2} [AaPp][Mm]$": "h:mm a",
    r"^\d{1,2}:\d{2}:\d{2} [AaPp][Mm]$": "h:mm:ss a",
}
_ISO_DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"
_ISO_TIME = r"^\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$"


def date_patterns(values: Sequence[str]) -> list[str]:
    """The patterns, other than ISO, that most of the values may be written in."""
    counts: dict[str, int] = {}
    for value in values:
        date, clock = value, ""
        for look, pattern in CLOCKS.items():
            match = re.search(rf"[ T]({look[1:-1]})$", value)
            if match:
                date, clock = value[: match.start()], value[match.start()] + pattern
        for look, patterns in DATES.items():
            if re.match(look, date):
                for pattern in patterns:
                    made = pattern + clock.replace("T", "'T'")
                    counts[made] = counts.get(made, 0) + 1
    return [pattern for pattern, count in counts.items() if count > 0.5 * len(values)]


def tests(patterns: Sequence[str]) -> dict[str, Column]:
    """What is asked of each value, the column `text`, by name; a date pattern's test has the pattern's name."""
    text = F.col("text")
    number, whole = text.rlike(NUMBER.pattern), text.rlike(r"^[+-]?\d+$")
    found = {
        "number": number,
        "int": whole & text.try_cast("int").isNotNull(),
        "bigint": whole & text.try_cast("bigint").isNotNull(),
        "code": text.rlike(r"^0\d+$"),
        "boolean": F.lower(text).isin("true", "false", "t", "f"),
        "date": text.rlike(_ISO_DATE) & text.try_cast("date").isNotNull(),
        "timestamp": text.rlike(_ISO_TIME) & text.try_cast("timestamp").isNotNull(),
        "spaces": text.contains(" "),
        **{name: text.rlike(look) for name, (look, _) in WRITTEN.items()},
    }
    for pattern in patterns:
        found[pattern] = F.try_to_timestamp(text, F.lit(pattern)).isNotNull()
    return found


def any_of(asked: Mapping[str, Column]) -> Column:
    """Whether a value satisfies a test that speaks of a type; null is no."""
    kinds = [F.coalesce(test, F.lit(False)) for name, test in asked.items() if name not in ("spaces", "code")]
    return reduce(lambda one, other: one | other, kinds)
