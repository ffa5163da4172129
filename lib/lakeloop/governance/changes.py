"""What was changed in a configuration since, as dotted paths with the old and the new value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 60
_NOTHING = object()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line a value that differs: ``sources.orders.columns.total: "double" → "int"``. Sorted by path."""
    return [
        f"{path}: {_shown(old)} → {_shown(new)}"
        for path, old, new in sorted(_differing(before, after, ""), key=lambda item: item[0])
    ]


def _differing(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            inside = f"{path}.{key}" if path else str(key)
            yield from _differing(before.get(key, _NOTHING), after.get(key, _NOTHING), inside)
    elif before is _NOTHING or after is _NOTHING or before != after:
        yield path, before, after


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    text = " ".join(json.dumps(value, default=str, ensure_ascii=False).replace("\\n", " ").split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
