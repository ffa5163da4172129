"""How scored rows are watched: `monitoring` in pipeline.yml."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from lakeloop.config.values import Names, Section


class Thresholds(Section):
    """From which value a drift metric counts as drift."""

    population_stability_index: float | None = Field(
        0.2, alias="psi", description="Population stability index, from which a column drifts.", examples=[0.1]
    )
    js_distance: float | None = Field(None, description="Jensen-Shannon distance.", examples=[0.2])
    ks_statistic: float | None = Field(None, description="Kolmogorov-Smirnov statistic, of numbers.", examples=[0.2])
    tv_distance: float | None = Field(None, description="Total variation distance.", examples=[0.2])

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Monitoring(Section):
    """Profiles of the scored rows over time, compared with the training set."""

    window: Literal["1 day", "1 week", "1 month"] = Field(
        "1 day", description="Granularity of the profiles.", examples=["1 month"]
    )
    slices: Names = Field(
        default_factory=list, description="Columns for whose values profiles are made apart.", examples=["[origin]"]
    )
    drift: Thresholds = Field(Thresholds(), description="From which value a column counts as drifted.")
    minimum_rows: int = Field(100, ge=1, description="With fewer rows a window's drift is unknown.", examples=[500])
