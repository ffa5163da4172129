"""Whether a label's values are such as its task makes classes of."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config.loading import nearest
from lakeloop.config.model import Model

MOST_ROWS, MOST_CLASSES, SHOWN = 20_000, 100, 5


@dataclass(frozen=True)
class Unfit:
    """What does not fit, in the words of a configuration's problem; ``where`` is the dotted path."""

    where: str
    found: str
    expected: str
    hint: str = ""


def unfit(spine: DataFrame, model: Model) -> Unfit | None:
    """What the values in some rows of the spine have against the task; None where there is nothing.

    A condition is always fit, and so is a number that is predicted as one. One action, if any.
    """
    text = model.label.expression
    labels = spine.select(F.expr(text).alias("label"))
    number = isinstance(labels.schema["label"].dataType, T.NumericType)
    if model.kind == "regression" or not (number or model.positive or model.task == "multiclass"):
        return None
    some = labels.limit(MOST_ROWS).select(F.trim(F.col("label").cast("string")).alias("value"))
    counts = some.groupBy("value").count().orderBy(F.desc("count"), "value").limit(MOST_CLASSES + 2).collect()
    values = [row["value"] for row in counts if row["value"] is not None]
    if not values:
        return None
    shown = ", ".join(values[:SHOWN]) + (", …" if len(values) > SHOWN else "")
    several = f"{len(values)} values" if len(values) <= MOST_CLASSES else f"more than {MOST_CLASSES} values"
    found = f"{text}, with {several}: {shown}"
    regression = "task: regression predicts a number" if number and len(values) > 2 else ""
    where = "model.label.expression"
    if model.task == "multiclass":
        most = f"at most {MOST_CLASSES} classes"
        return Unfit(where, found, most, regression) if len(values) > MOST_CLASSES else None
    if model.positive is None:
        expected = f"0 and 1, a condition such as {text} > {values[0]}, or model.positive to say which value is meant"
        return Unfit(where, found, expected, regression) if {float(value) for value in values} - {0.0, 1.0} else None
    # Where these are all rows, there is no such value.
    if model.positive not in values and sum(row["count"] for row in counts) < MOST_ROWS:
        near = nearest(model.positive, values)
        return Unfit("model.positive", model.positive, f"a value of the label: {shown}", near)
    return None
