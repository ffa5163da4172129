"""Names that people and SQL can write, made of whatever stands in a file's header."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from lakeloop.config import sql

# Letters that are no other letter with a mark.
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "ł": "l", "Ł": "L", "đ": "d"})
CLEAN = re.compile(r"^[A-Za-z][A-Za-z0-9_]*$")


def snake(text: str, otherwise: str = "column") -> str:
    """``text`` in lower-case letters, digits and underscores, a letter first; ``otherwise`` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3_\2\4", plain)
    made = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    if not made:
        return otherwise
    return made if made[0].isalpha() else f"{otherwise}_{made}"


def silver_names(raw: Sequence[str], reserved: Iterable[str] = ()) -> list[str]:
    """A silver name for each raw column, all different whatever their case: the raw one where it is clean already,
    ``column_<n>`` for the n-th where it says nothing (`_c0`, signs alone)."""
    taken = {name.lower() for name in reserved}
    kept = [bool(CLEAN.match(name)) and name.lower() not in taken for name in raw]
    taken |= {name.lower() for name, keep in zip(raw, kept, strict=True) if keep}
    names = []
    for number, (name, keep) in enumerate(zip(raw, kept, strict=True), start=1):
        if keep:
            names.append(name)
            continue
        wanted = f"column_{number}" if re.fullmatch(r"_c\d+", name) else snake(name, f"column_{number}")
        made = free(wanted, taken)
        taken.add(made)
        names.append(made)
    return names


def free(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or with a number behind it where it is one of the names that are ``taken``, those in lower case."""
    made, copy = wanted, 2
    while made.lower() in taken:
        made, copy = f"{wanted}_{copy}", copy + 1
    return made


def source_name(text: str) -> str:
    """A name for a source, with which a query can say ``silver.<name>``."""
    name = snake(text, "raw")
    try:
        sql.references(f"select * from silver.{name}")
    except ValueError:
        return f"{name}_rows"
    return name


def quoted(*path: str) -> str:
    """A column, or a field inside one, as SQL names it."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in path)
