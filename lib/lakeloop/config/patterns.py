"""Regular expressions whose groups have names: which name is which group."""

from __future__ import annotations

import re

_NAMED = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_]*)>")


def numbered(pattern: str) -> tuple[str, dict[str, int]]:
    """A Java pattern that matches a whole text, its groups without names; and each name's number, in order.

    Java allows no underscore in a group's name, and columns have them. ValueError where no group has a name, or two
    have the same.
    """
    names: dict[str, int] = {}
    plain, place, number, inside = [], 0, 0, False
    while place < len(pattern):
        char = pattern[place]
        if char == "\\":
            quote = pattern.find("\\E", place) if pattern[place : place + 2] == "\\Q" else -1
            end = quote + 2 if quote >= 0 else place + 2
            plain.append(pattern[place:end])
            place = end
            continue
        if char == "[":
            inside = True
        elif char == "]":
            inside = False
        elif char == "(" and not inside:
            named = _NAMED.match(pattern, place + 1)
            if named or pattern[place + 1 : place + 2] != "?":
                number += 1
            if named:
                if named.group(1).lower() in (name.lower() for name in names):
                    raise ValueError(f"a pattern that names each group once, where {named.group(1)} comes twice")
                names[named.group(1)] = number
                plain.append("(")
                place = named.end()
                continue
        plain.append(char)
        place += 1
    if not names:
        raise ValueError("a regular expression with named groups, such as (?<status>\\d+)")
    text = re.sub(r"\\k<(\w+)>", lambda match: f"\\{names.get(match.group(1), 0)}", "".join(plain))
    return f"^(?:{text})$", names
