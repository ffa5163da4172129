"""A gold table: `gold` in pipeline.yml."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, model_validator

from lakeloop.config.values import FunctionName, Names, Section


class NearInput(Section):
    """An input whose rows serve slices near their own day alone. Of it just the rows near the slices that are made are
    read, and one that changes touches no other slice."""

    column: str = Field(
        description="The input's date or timestamp that tells a row's day; a row without one serves the slice null.",
        examples=["observed_at"],
    )
    days_before: NonNegativeInt = Field(
        0, description="From how many days before that day on a row serves slices.", examples=[1]
    )
    days_after: NonNegativeInt = Field(0, description="Until how many days after that day it does.", examples=[1])


class Gold(Section):
    """A gold table: one SQL query, or a Python function, over silver and other gold tables."""

    sql: str | None = Field(
        None, description="A .sql file beside pipeline.yml, or the query itself.", examples=["departures.sql"]
    )
    python: FunctionName | None = Field(
        None,
        description="In place of `sql`: a function of the inputs (a mapping from their names to DataFrames) that "
        "returns a DataFrame.",
        examples=["tables:daily"],
    )
    inputs: Names = Field(
        default_factory=list,
        description="With `python`: the tables that the function is given.",
        examples=["[silver.flights, gold.departures]"],
    )
    key: Names = Field(description="Columns that identify a row.", examples=["[flight_date, flight]"])
    time: str | None = Field(
        None, description="Timestamp of the row, for features and windows.", examples=["scheduled_departure"]
    )
    increment_by: str | None = Field(
        None,
        description="Column by whose values the table is rebuilt in slices, when its inputs change.",
        examples=["flight_date"],
    )
    affected_by: dict[str, str] = Field(
        default_factory=dict,
        description="For an input without that column: an expression for the slices (a value or an array) that a "
        "changed row touches, or 'all' (the default) or 'nothing'.",
        examples=["{silver.weather: to_date(observed_at)}"],
    )

    near: dict[str, NearInput] = Field(
        default_factory=dict,
        description="In place of `affected_by`, where slices are days: for an input whose rows serve days near their "
        "own alone. It is read for these, and not whole.",
        examples=["{silver.weather: {column: observed_at, days_after: 1}}"],
    )

    @model_validator(mode="after")
    def _sliced(self) -> Gold:
        if self.near and self.increment_by is None:
            raise ValueError("increment_by, the name of a date, beside near")
        twice = sorted(set(self.near) & set(self.affected_by))
        if twice:
            raise ValueError(f"{twice[0]} either in near or in affected_by")
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Gold:
        if (self.sql is None) == (self.python is None):
            raise ValueError("either sql or python")
        if bool(self.inputs) != (self.python is not None):
            raise ValueError("inputs with python (a query names its tables itself), such as [silver.flights]")
        return self
