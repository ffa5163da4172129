"""Where a use case has its tables, progress and models: folders or Unity Catalog names, never shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeloop.config import Environment, load
from lakeloop.config.sql import LAYERS
from lakeloop.errors import ConfigurationError

from ..conftest import SHOP, Folder

UNITY = """
catalog: main
schema: ml
landing: /Volumes/{catalog}/{schema}/landing
tables: "{catalog}.{schema}.{pipeline}_{layer}_{table}"
checkpoints: "{landing}/_checkpoints/{pipeline}"
model: "{catalog}.{schema}.{pipeline}"
experiment: /Shared/{pipeline}
"""


def test_local_tables_are_folders_below_the_root() -> None:
    environment = Environment(root="/data")
    assert environment.tables_are_paths
    names = {"pipeline": "shop", "layer": "silver", "table": "orders"}
    assert environment.resolve(environment.tables, **names) == "/data/shop/silver/orders"
    assert environment.resolve("{landing}", pipeline="shop") == "/data/landing"
    assert environment.resolve(environment.tracking_uri) == "sqlite:////data/mlflow.db"


def test_a_relative_root_is_below_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given, left = Environment(root="lake"), Environment()
    # A worker of Spark Connect, which writes bronze, has another working folder.
    monkeypatch.chdir("/")
    assert given.resolve("{root}") == str(tmp_path / "lake")
    assert left.resolve("{root}") == str(tmp_path / "lakehouse")


def test_spark_connect_takes_the_place_of_the_master() -> None:
    assert Environment(master="local[4]").local_master == "local[4]"
    assert Environment(master="local[4]", remote="local[2]").local_master == "local[2]"
    assert Environment(master="local[4]", remote="sc://spark:15002").local_master == ""


def test_a_server_without_its_scheme_is_refused(conf: Folder) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(conf.pipeline(), sets=("environment.remote=spark:15002",))
    assert "remote" in str(caught.value) and "(sc://host:15002), or local[*]" in str(caught.value)


def test_a_root_in_object_storage_is_left_as_it_is() -> None:
    environment = Environment(root="s3://bucket/lake")
    assert environment.resolve("{landing}") == "s3://bucket/lake/landing"


def test_tables_of_unity_catalog_are_names(conf: Folder) -> None:
    conf.env("dev", UNITY)
    settings = load(conf.pipeline(), "dev")
    environment = settings.environment
    assert not environment.tables_are_paths
    assert settings.resolve(environment.tables, layer="gold", table="sales") == "main.ml.shop_gold_sales"
    assert settings.resolve(environment.model) == "main.ml.shop"
    assert settings.resolve(environment.experiment) == "/Shared/shop"
    assert settings.resolve(environment.checkpoints) == "/Volumes/main/ml/landing/_checkpoints/shop"


def _places(conf: Folder, pipeline: str, env: str) -> set[str]:
    text = SHOP.replace("pipeline: shop", f"pipeline: {pipeline}")
    settings = load(conf.pipeline(text, name=pipeline), env)
    environment = settings.environment
    tables = ("orders", "sales", "gold_orders", "silver_orders")
    own = [environment.checkpoints, environment.model, environment.experiment]
    return {settings.resolve(template) for template in own} | {
        settings.resolve(environment.tables, layer=layer, table=table) for layer in LAYERS for table in tables
    }


@pytest.mark.parametrize("env", ["local", "dev"])
def test_two_use_cases_never_meet(conf: Folder, env: str) -> None:
    conf.env("dev", UNITY)
    assert not _places(conf, "shop", env) & _places(conf, "fleet", env)


def test_a_template_with_an_unknown_name_is_refused_when_it_is_loaded(conf: Folder) -> None:
    conf.env("local", 'tables: "{root}/{pipline}/{layer}/{table}"')
    [problem] = conf.problems(conf.pipeline())
    assert problem.file.endswith("local.yml")
    assert problem.where == "tables"


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_the_environments_of_the_project_keep_use_cases_apart(name: str) -> None:
    conf = Path(__file__).parents[3] / "conf"
    environment = load(conf / "flights", name).environment
    for template in (environment.tables, environment.checkpoints, environment.model, environment.experiment):
        assert "{pipeline}" in template
