"""Lengths of time as users write them: ``6 hours``, ``28 days``."""

from __future__ import annotations

import re

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
SHORT = {604_800: "w", 86_400: "d", 3600: "h", 60: "m", 1: "s"}

_INTERVAL = re.compile(r"^\s*(\d+)\s+(second|minute|hour|day|week)s?\s*$", re.IGNORECASE)


def seconds(text: str) -> int:
    """The length of ``text`` in seconds; ValueError says what is allowed."""
    match = _INTERVAL.match(text)
    if not match:
        raise ValueError("a number and a unit (seconds, minutes, hours, days or weeks), such as '6 hours'")
    return int(match.group(1)) * SECONDS[match.group(2).lower()]


def short(length: int) -> str:
    """A length in seconds as a name's suffix: 7200 → ``2h``, 604800 → ``7d``."""
    unit = next(unit for unit in (86_400, 3600, 60, 1) if length % unit == 0)
    return f"{length // unit}{SHORT[unit]}"


def words(length: int) -> str:
    """A length in seconds as users write it: 7200 → ``2 hours``."""
    name, unit = next((name, unit) for name, unit in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
                      if length % unit == 0)  # fmt: skip
    count = length // unit
    return f"{count} {name}{'' if count == 1 else 's'}"
