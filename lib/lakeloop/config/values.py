"""What values of the configuration may be: names, lengths of time, sizes, lists; and the base of its sections."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from lakeloop.config import intervals, sizes

_FUNCTION = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("a name of lower-case letters, digits and underscores that starts with a letter")
    return value


def function_name(value: str) -> str:
    """The same text; ValueError where it names no function."""
    if not _FUNCTION.match(value):
        raise ValueError("a function as module:function, such as cleaning:score")
    return value


def _interval(value: str) -> str:
    intervals.seconds(value)
    return value


def _size(value: str) -> str:
    sizes.in_bytes(value)
    return value


def listed(value: object) -> object:
    """A list where a single text stands for one."""
    return [value] if isinstance(value, str) else value


def _text(value: object) -> object:
    """YAML reads 2013-10-01 as a date and 0.2 as a number."""
    return str(value) if isinstance(value, (date, int, float)) else value


def _values(value: object) -> object:
    """A value or a list of them as texts, as files spell them."""
    items = value if isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, (bool, type(None))):
            raise ValueError(
                "texts and numbers; put a word that YAML reads as something else (no, yes, null) in quotes"
            )
    return [_text(item) for item in items]


Held = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | float)]
Name = Annotated[str, AfterValidator(_name)]
Interval = Annotated[str, AfterValidator(_interval)]
Size = Annotated[str, AfterValidator(_size)]
Values = Annotated[list[str], BeforeValidator(_values, json_schema_input_type=str | float | list[str | float])]
Names = Annotated[list[str], BeforeValidator(listed, json_schema_input_type=str | list[str])]
FunctionName = Annotated[str, AfterValidator(function_name)]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
