"""The configuration language: what a pipeline.yml may say, with types, defaults and what each thing means.

Expressions are Spark SQL. A key that is not here is refused.
"""

from __future__ import annotations

from pydantic import Field

from lakeloop.config.features import FeatureGroup
from lakeloop.config.gold import Gold
from lakeloop.config.maintenance import Maintenance
from lakeloop.config.model import Gate, Model
from lakeloop.config.monitoring import Monitoring
from lakeloop.config.sources import HISTORY, START, Source
from lakeloop.config.values import Name, Section


class Pipeline(Section):
    """A use case: everything in conf/<name>/pipeline.yml."""

    pipeline: Name = Field(
        description="The use case's name; it names tables, experiment and model.", examples=["flights"]
    )
    description: str = Field("", description="The question, for people.", examples=["Will this flight arrive late?"])
    sources: dict[Name, Source] = Field(
        min_length=1, description="The raw files, by name.", examples=["{weather: {path: weather/*.csv}}"]
    )
    gold: dict[Name, Gold] = Field(
        default_factory=dict,
        description="Gold tables, by name.",
        examples=["{daily: {sql: daily.sql, key: day}}"],
    )
    features: dict[Name, FeatureGroup] = Field(
        default_factory=dict,
        description="Feature groups, by name.",
        examples=["{sales: {entity: store, from: gold.daily, time: day, lags: [7 days], measures: {sold: sum(sold)}}}"],
    )
    model: Model = Field(description="What is predicted, and how.")
    gate: Gate = Field(Gate(), description="What a model must pass before it becomes champion.")
    monitoring: Monitoring = Field(Monitoring(), description="How scored rows are watched.")
    maintenance: Maintenance = Field(Maintenance(), description="How the tables' files are kept in order.")

    def histories(self) -> dict[str, str]:
        """The sources that keep a history, by the name of its table in silver."""
        return {f"{name}{HISTORY}": name for name, source in self.sources.items() if source.history}

    def key(self, layer: str, name: str) -> list[str]:
        """The columns that identify a row of a table of silver or gold."""
        if layer == "gold":
            return list(self.gold[name].key)
        followed = self.histories().get(name)
        return [*self.sources[followed].key, START] if followed else self.sources[name].identity()
