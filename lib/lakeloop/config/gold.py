"""A gold table: `gold` in pipeline.yml."""

from __future__ import annotations

from pydantic import Field, model_validator

from lakeloop.config.values import FunctionName, Names, Section


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

    @model_validator(mode="after")
    def _one_way(self) -> Gold:
        if (self.sql is None) == (self.python is None):
            raise ValueError("either sql or python")
        if bool(self.inputs) != (self.python is not None):
            raise ValueError("inputs with python (a query names its tables itself), such as [silver.flights]")
        return self
