"""A source of raw files: `sources` in pipeline.yml."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from lakeloop.config import patterns
from lakeloop.config.values import FunctionName, Name, Names, Section, Values, function_name

# How a silver column that a Python function computes is written among the expressions.
PYTHON = "python:"
BARE_TYPE = re.compile(
    r"^(string|boolean|tinyint|smallint|int|integer|bigint|long|float|double|date|timestamp|"
    r"decimal(\(\s*\d+\s*(,\s*\d+\s*)?\))?)$",
    re.IGNORECASE,
)
# Silver's own columns: a hash of the raw row, and where there is no key, the how-manieth such row of its file it is.
ROW_HASH, ROW_NUMBER = "_row_hash", "_row_number"
# What the name of a history adds to that of its silver table, and its own columns: from when a row was so, until when,
# and when it was last seen so. The first two are the names that Lakeflow's AUTO CDC gives them.
HISTORY = "_history"
START, END, LAST_SEEN = "__START_AT", "__END_AT", "_last_seen_at"


def _column(value: object) -> object:
    """{python: cleaning:score} as one text."""
    if isinstance(value, dict) and list(value) == ["python"]:
        return PYTHON + function_name(str(value["python"]))
    return value


def _rule(value: object) -> object:
    return {"rule": value} if isinstance(value, str) else value


def _storable(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if re.search(r"[ ,;{}()\n\t=]", name):
            raise ValueError(
                f"names without spaces and without any of ,;{{}}()=, which Delta refuses, where there is '{name}'"
            )
    return value


def _pattern(value: str) -> str:
    patterns.numbered(value)
    return value


# What editors offer for a silver column.
_Written = Annotated[
    str,
    Field(
        description="A bare type, or a Spark SQL expression.",
        examples=["string", "int", "bigint", "double", "decimal(12,2)", "boolean", "date", "timestamp"],
    ),
]


class Computed(Section):
    """A silver column that a Python function computes."""

    python: FunctionName = Field(
        description="A function of the rows (a DataFrame with the columns above it) that returns a Column.",
        examples=["cleaning:score"],
    )


class Rule(Section):
    """An expectation on a silver row. A rule that gives null passes, as in an SQL CHECK constraint."""

    rule: str = Field(description="A Spark SQL condition over the silver columns.", examples=["distance > 0"])
    otherwise: Literal["quarantine", "drop", "warn", "fail"] = Field(
        "quarantine", description="What becomes of a row for which the condition is false.", examples=["warn"]
    )


class Source(Section):
    """A kind of raw file: how it is read (bronze) and what a row of it means (silver)."""

    path: str = Field(
        description="Files, folder or pattern: below the environment's landing root, or absolute, or a URI.",
        examples=["flights/*.csv"],
    )
    format: Literal["csv", "json", "parquet", "delta", "text"] = Field(
        "csv",
        description="The files' format. Delta: a table that rows are only added to, by its folder or as schema.table. "
        "Text: lines, taken apart by `pattern`.",
        examples=["json"],
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Spark's own options of that format.",
        examples=["{sep: ';', encoding: latin-1}"],
    )
    names: Names = Field(
        default_factory=list,
        description="CSV without a header: the columns' names, in order. Without names they are _c0, _c1 ….",
        examples=["[age, workclass, income]"],
    )
    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        None,
        description="Text: a regular expression for a whole line; each named group is a column. Other lines go to "
        "quarantine.",
        examples=[r"(?<host>\S+) - - \[(?<at>[^\]]+)\] (?<request>.*)"],
    )
    schema_evolution: Literal["add_new_columns", "rescue", "fail_on_new_columns", "none"] = Field(
        "add_new_columns",
        description="What becomes of columns that only later files have: they are added (null in earlier rows), kept "
        "as JSON in `_rescued_data`, a reason to stop, or left out. A column that files lack is null.",
        examples=["rescue"],
    )
    missing: Values = Field(
        default_factory=list,
        description="Values that stand for a missing one, in every column, beside the empty text.",
        examples=["[NA, '?']"],
    )
    missing_in: dict[str, Values] = Field(
        default_factory=dict,
        description="More of them, by raw column.",
        examples=["{age: [999], weight: [-1, unknown]}"],
    )
    key: Names = Field(
        default_factory=list,
        description="Silver columns that identify a row. None: its raw content does; equal rows of one file are rows "
        "of their own, and what is delivered again adds none.",
        examples=["[flight_date, carrier, flight]"],
    )
    latest_by: Names = Field(
        default_factory=lambda: ["_source_modified_at", "_source_file"],
        description="Which version of a key wins: the greatest of these silver columns.",
        examples=["[updated_at]"],
    )
    history: bool = Field(
        False,
        description="Whether silver.<name>_history keeps all versions of a key: the silver columns with `__START_AT`, "
        "`__END_AT` (null: still so) and `_last_seen_at`. A version holds from the first column of `latest_by` on, a "
        "timestamp, a date or a number; versions that follow each other and differ in nothing but `latest_by` are one.",
        examples=[True],
    )
    columns: Annotated[
        dict[str, Annotated[str, BeforeValidator(_column, json_schema_input_type=_Written | Computed)]],
        AfterValidator(_storable),
    ] = Field(
        default_factory=dict,
        description="Silver columns, in order: a bare type (a safe cast of the raw column of that name) or an "
        "expression, which sees the casts and the expressions above it; or {python: module:function}. Empty: every "
        "raw column as it is.",
        examples=["{year: int, flight_date: 'make_date(year, month, day)'}"],
    )
    expect: dict[Name, Annotated[Rule, BeforeValidator(_rule, json_schema_input_type=str | Rule)]] = Field(
        default_factory=dict,
        description="Named expectations; a bare condition quarantines.",
        examples=["{distance_is_positive: distance > 0}"],
    )

    # The Python functions (see config.functions) by their columns; loading gives them.
    _functions: dict[str, Any] = PrivateAttr(default_factory=dict)

    def function(self, column: str) -> Any | None:
        """The Python function that computes a column; None where an expression does."""
        return self._functions[column] if self.columns[column].startswith(PYTHON) else None

    @model_validator(mode="after")
    def _options_of_format(self) -> Source:
        if self.names and self.format != "csv":
            raise ValueError("'names' only with format: csv")
        twice = {name for name in self.names if [other.lower() for other in self.names].count(name.lower()) > 1}
        if twice:
            raise ValueError(f"each column's name once, where a name comes twice: {min(twice, key=self.names.index)}")
        if self.pattern is not None and self.format != "text":
            raise ValueError("'pattern' only with format: text")
        header = next((value for key, value in self.options.items() if key.lower() == "header"), False)
        if self.names and str(header).lower() == "true":
            raise ValueError("either 'names' or 'options.header: true', not both")
        return self

    def identity(self) -> list[str]:
        """The silver columns that identify a row: the key, or the row's content and its number within its file."""
        return list(self.key) or [ROW_HASH, ROW_NUMBER]

    def order(self) -> list[str]:
        """The silver columns by which, compared in order, one version of a key is newer than another. Only equal rows
        of one file are alike in all of them."""
        return list(dict.fromkeys([*self.latest_by, "_source_modified_at", "_source_file", ROW_HASH]))

    def meaning(self) -> tuple[object, ...]:
        """What says which row of silver the raw rows give, as plain data, for fingerprints."""
        return (self.missing, self.missing_in, self.columns, self.key, self.latest_by, self.expect_plain())

    def expect_plain(self) -> dict[str, Any]:
        """The expectations as plain data, for fingerprints."""
        return {name: rule.model_dump() for name, rule in self.expect.items()}
