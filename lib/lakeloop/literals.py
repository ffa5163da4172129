"""Values that Spark gave, as SQL literals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timezone
from decimal import Decimal


def literal(value: object) -> str:
    """A value that Spark gave, as an SQL literal; texts are escaped."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, float):
        return f"double('{value!r}')"
    if isinstance(value, datetime):
        # Spark hands out local times without a zone; a literal without one would be read in the session's.
        return f"TIMESTAMP '{value.astimezone(timezone.utc).isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    # A dollar sign might begin a variable, which Spark would fill in.
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{text}'"


def is_in(expression: str, values: Sequence[object]) -> str:
    """An SQL condition: ``expression`` is one of ``values``, null among them or not."""
    literals = [literal(value) for value in values if value is not None]
    parts = [f"{expression} IN ({', '.join(literals)})"] if literals else []
    if len(literals) != len(values):
        parts.append(f"{expression} IS NULL")
    return "(" + " OR ".join(parts) + ")" if parts else "false"
