"""Sizes of files as users write them: ``128 MB``, ``1 GB``."""

from __future__ import annotations

import re

BYTES = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}

_SIZE = re.compile(r"^\s*(\d+)\s*(KB|MB|GB)\s*$", re.IGNORECASE)


def in_bytes(text: str) -> int:
    """The size of ``text`` in bytes; ValueError says what is allowed."""
    match = _SIZE.match(text)
    if not match or int(match.group(1)) == 0:
        raise ValueError("a number above zero and a unit (KB, MB or GB), such as '128 MB'")
    return int(match.group(1)) * BYTES[match.group(2).upper()]


def shown(count: int) -> str:
    """Bytes for people: 1536 → ``2 KB``, 52428800 → ``50.0 MB``."""
    if count < BYTES["MB"]:
        return f"{-(-count // BYTES['KB']):,} KB"
    unit = "GB" if count >= BYTES["GB"] else "MB"
    return f"{count / BYTES[unit]:,.1f} {unit}"
