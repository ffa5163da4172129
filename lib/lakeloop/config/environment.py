"""Where a pipeline runs: roots, table names, MLflow, Spark settings. One file an environment: conf/env/<name>.yml."""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

TEMPLATES = (
    "landing",
    "tables",
    "checkpoints",
    "tracking_uri",
    "registry_uri",
    "artifacts",
    "experiment",
    "model",
)


class Environment(BaseModel):
    """Templates may use {root}, {catalog}, {schema}, {landing} and {pipeline}; ``tables`` also {layer} and {table}."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    root: str = Field(
        "lakehouse", validate_default=True, description="Folder below which local tables, models and logs are kept."
    )
    catalog: str = Field("", description="Unity Catalog catalog, where tables are named and not paths.")
    schema_: str = Field("", alias="schema", description="Unity Catalog schema.")
    landing: str = Field("{root}/landing", description="Folder below which the raw files arrive.")
    tables: str = Field(
        "{root}/{pipeline}/{layer}/{table}",
        description="A table's folder, or its name (catalog.schema.table) where the template has no slash.",
    )
    checkpoints: str = Field("{root}/{pipeline}/_checkpoints", description="Where the file sources keep progress.")
    tracking_uri: str = Field("sqlite:///{root}/mlflow.db", description="MLflow tracking server or database.")
    registry_uri: str = Field("", description="MLflow model registry, where it is not the tracking server's.")
    artifacts: str = Field("{root}/mlruns", description="MLflow artifacts, where the tracking store is a database.")
    experiment: str = Field("{pipeline}", description="MLflow experiment.")
    model: str = Field("{pipeline}", description="Registered model's name.")
    master: str = Field("", description="Spark master for a session of one's own; empty: the session that is there.")
    remote: str = Field(
        "",
        description="Spark Connect, in the place of `master`: `local[*]` starts a server for the run, "
        "`sc://host:15002` uses one that is there.",
        examples=["local[2]"],
    )
    on_changed_definition: Literal["rebuild", "ask"] = Field(
        "rebuild",
        description="What a run does with a table that was made by another configuration: it makes it anew, or it "
        "refuses until it is asked to (--rebuild-changed).",
        examples=["ask"],
    )
    spark: dict[str, str] = Field(default_factory=dict, description="Spark settings, as in spark-defaults.conf.")

    @field_validator("spark", mode="before", json_schema_input_type=dict[str, str | int | float | bool])
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Spark takes text; YAML gives numbers and booleans."""
        if not isinstance(value, dict):
            return value
        return {key: str(item).lower() if isinstance(item, bool) else str(item) for key, item in value.items()}

    @field_validator("root")
    @classmethod
    def _whole(cls, root: str) -> str:
        """A relative folder is below the working folder of who loads it: Spark's workers have others."""
        return root if "://" in root else str(Path(root).absolute())

    @field_validator("remote")
    @classmethod
    def _address(cls, remote: str) -> str:
        if remote and not remote.startswith(("sc://", "local")):
            raise ValueError("the address of a Spark Connect server (sc://host:15002), or local[*]")
        return remote

    @field_validator(*TEMPLATES)
    @classmethod
    def _placeholders(cls, template: str, info: ValidationInfo) -> str:
        """A placeholder that nothing fills in is found when the file is read, not in the middle of a run."""
        known = {"root", "catalog", "schema", "pipeline"}
        known |= {"layer", "table"} if info.field_name == "tables" else set()
        known |= {"landing"} if info.field_name != "landing" else set()
        for _, name, _, _ in Formatter().parse(template):
            if name is not None and name not in known:
                raise ValueError(f"a text whose placeholders are among {', '.join(sorted(known))}")
        return template

    def resolve(self, template: str, **names: str) -> str:
        """``template`` with its placeholders filled in."""
        known = {"root": self.root, "catalog": self.catalog, "schema": self.schema_, **names}
        known["landing"] = self.landing.format(**known)
        return template.format(**known)

    @property
    def local_master(self) -> str:
        """The master of the Spark that is to be started on this machine; empty where another is used."""
        return "" if self.remote.startswith("sc://") else self.remote or self.master

    @property
    def tables_are_paths(self) -> bool:
        """Whether tables are folders (plain Delta) and not names in a catalog."""
        return "/" in self.tables
