"""The columns of bronze: what Lakeloop adds, and which of them a column of some files is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import types as T

CORRUPT = "_corrupt_record"
FILE, MODIFIED, INGESTED, RESCUED = "_source_file", "_source_modified_at", "_ingested_at", "_rescued_data"
METADATA = (CORRUPT, FILE, MODIFIED, INGESTED)

# Delta's columns cannot have these characters; the name in the files is kept in the column's metadata.
RAW_NAME = "lakeloop.raw_name"
_UNSAFE = re.compile(r"[ ,;{}()\n\t=]+")


@dataclass(frozen=True)
class RawColumn:
    """A column of some files and the column of bronze that it is: ``given`` is what its rows call it."""

    given: str
    field: T.StructField


def assign(given: Sequence[T.StructField], known: Sequence[T.StructField]) -> list[T.StructField]:
    """For each column of some files its column of bronze: the known one of the same name, or else of the same name but
    for case, or a new one; no two get the same. A new one's name has what Delta allows, and a number where it is taken.
    """
    free = list(known)
    found: list[T.StructField | None] = [None] * len(given)
    for exact in (True, False):
        for place, field in enumerate(given):
            if found[place] is None:
                name = field.name if exact else field.name.lower()
                there = (other for other in free if (raw_name(other) if exact else raw_name(other).lower()) == name)
                match = next(there, None)
                if match is not None:
                    free.remove(match)
                    found[place] = match
    taken = {field.name.lower() for field in known} | {*METADATA, RESCUED}
    result = []
    for field, match in zip(given, found, strict=True):
        if match is None:
            match = T.StructField(_unlike(field.name, taken), field.dataType, metadata={RAW_NAME: field.name})
            taken.add(match.name.lower())
        result.append(match)
    return result


def _unlike(name: str, taken: set[str]) -> str:
    plain = _UNSAFE.sub("_", name)
    number, unlike = 1, plain
    while unlike.lower() in taken:
        number += 1
        unlike = f"{plain}_{number}"
    return unlike


def raw_fields(schema: T.StructType) -> list[T.StructField]:
    """The columns of bronze that are the files' own."""
    return [field for field in schema if field.name not in (*METADATA, RESCUED)]


def raw_name(field: T.StructField) -> str:
    """What the files call a column of bronze."""
    return str((field.metadata or {}).get(RAW_NAME, field.name))


def merged(known: T.DataType | None, found: T.DataType) -> T.DataType:
    """The known type, with the fields that nested values have got since."""
    if isinstance(known, T.StructType) and isinstance(found, T.StructType):
        names = known.fieldNames()
        fields = [
            T.StructField(field.name, merged(field.dataType, found[field.name].dataType))
            if field.name in found.fieldNames()
            else field
            for field in known
        ]
        return T.StructType([*fields, *[field for field in found if field.name not in names]])
    if isinstance(known, T.ArrayType) and isinstance(found, T.ArrayType):
        return T.ArrayType(merged(known.elementType, found.elementType))
    return found if known is None else known


def quoted(name: str) -> str:
    """A column's name in backticks."""
    return "`" + name.replace("`", "``") + "`"
