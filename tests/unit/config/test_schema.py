"""Editors and readers are told of the same language that the models accept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from lakeloop.config.environment import Environment
from lakeloop.config.pipeline import Pipeline
from lakeloop.config.schema import SCHEMA_FILE, SCHEMA_LINE, json_schema, reference, schema_text
from lakeloop.config.values import Section

PROJECT = Path(__file__).parents[3]


def sections(model: type[BaseModel] = Section) -> Iterator[type[BaseModel]]:
    for kind in model.__subclasses__():
        yield kind
        yield from sections(kind)


FIELDS = [
    (section, name)
    for section in [*sections(), Environment]
    for name, field in section.model_fields.items()
    if field.examples
]


def flights() -> Any:
    """The example as editors read it: to them a date is a text."""
    data = yaml.safe_load((PROJECT / "conf/flights/pipeline.yml").read_text(encoding="utf-8"))
    return json.loads(json.dumps(data, default=str))


def test_the_page_is_written_from_the_models() -> None:
    page = (PROJECT / "docs/configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "docs/configuration.md is out of date: run `make docs`"


def test_editors_are_led_to_the_schema_as_it_is() -> None:
    written = (PROJECT / "conf" / SCHEMA_FILE).read_text(encoding="utf-8")
    assert written == schema_text(), f"conf/{SCHEMA_FILE} is out of date: run `make docs`"
    for file in PROJECT.glob("conf/*/pipeline.yml"):
        assert file.read_text(encoding="utf-8").splitlines()[0] == SCHEMA_LINE, file
        assert (file.parent / SCHEMA_LINE.rsplit("=", 1)[1]).resolve() == (PROJECT / "conf" / SCHEMA_FILE).resolve()


def test_every_section_that_has_keys_names_them() -> None:
    schema = json_schema()
    assert len(schema["$defs"]) >= len(list(sections())) - 1
    for name, section in schema["$defs"].items():
        assert section["properties"] and section["additionalProperties"] is False, name
    gate, model = schema["$defs"]["Gate"]["properties"], schema["$defs"]["Model"]["properties"]
    assert "r2_score" in gate["minimum"]["propertyNames"]["enum"] and "r2_score" in model["metric"]["enum"]


def test_the_schema_accepts_the_example_and_refuses_a_misspelt_key() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(flights())) == []
    wrong = flights()
    wrong["sources"]["flights"]["pth"] = wrong["sources"]["flights"].pop("path")
    told = " ".join(error.message for error in validator.iter_errors(wrong))
    assert "'pth'" in told and "'path' is a required property" in told


@pytest.mark.parametrize("env", ["local", "dev", "staging", "prod"])
def test_the_environments_schema_accepts_them(env: str) -> None:
    data = yaml.safe_load((PROJECT / f"conf/env/{env}.yml").read_text(encoding="utf-8"))
    schema = json_schema(Environment)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(data)
    assert [error.message for error in errors] == []


def test_every_key_is_described() -> None:
    untold = [
        f"{section.__name__}.{name}"
        for section in [*sections(), Environment]
        for name, field in section.model_fields.items()
        if not field.description and name != "name"
    ]
    assert untold == []


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_an_example_is_one_that_the_key_takes(section: type[BaseModel], name: str) -> None:
    field = section.model_fields[name]
    for example in field.examples or []:
        value = yaml.safe_load(example) if isinstance(example, str) else example
        adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
        adapter.validate_python(value)


def test_the_example_uses_the_keys_as_an_editor_names_them() -> None:
    properties = json_schema()["$defs"]["FeatureGroup"]["properties"]
    assert "from" in properties and "from_" not in properties
    assert set(json_schema()["properties"]) == set(Pipeline.model_fields)
