"""The configuration language for editors (a JSON Schema) and for readers (docs/configuration.md), from its models."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lakeloop.config.environment import Environment
from lakeloop.config.pipeline import Pipeline

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# The schema of each pipeline.yml, in the folder of the use cases, and the first line that leads editors to it.
SCHEMA_FILE = "pipeline.schema.json"
SCHEMA_LINE = f"# yaml-language-server: $schema=../{SCHEMA_FILE}"


def json_schema(model: type[BaseModel] = Pipeline) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of pipeline.yml, or of an environment file."""
    found = model.model_json_schema(by_alias=True)
    for section in (found, *found.get("$defs", {}).values()):
        for item in section.get("properties", {}).values():
            item.pop("title", None)
            if "examples" in item:
                item["examples"] = [_value(example) for example in item["examples"]]
    return {"$schema": DIALECT, "title": f"Lakeloop {model.__name__.lower()}", **found}


def schema_text(model: type[BaseModel] = Pipeline) -> str:
    """The JSON Schema as `lakeloop schema` prints it."""
    return json.dumps(json_schema(model), indent=2) + "\n"


def reference() -> str:
    """docs/configuration.md: every key of both files with its type, default, meaning and an example."""
    lines = [
        "# Configuration",
        "",
        "<!-- Written by `make docs` from the models in lib/lakeloop/config; a test compares the two. -->",
        "",
        "A use case is a folder with a `pipeline.yml`; where it runs is said by `conf/env/<name>.yml`. Expressions are",
        "Spark SQL. A key that is not listed here is refused.",
        "",
        "**In an editor.** VS Code with the extension *YAML* by Red Hat (`redhat.vscode-yaml`), and any other editor",
        "with the YAML language server, completes keys and values, says what they mean and underlines what is wrong,",
        "where the first line of a `pipeline.yml` is",
        "",
        "```yaml",
        SCHEMA_LINE,
        "```",
        "",
        f"`lakeloop init` writes this line, and `conf/{SCHEMA_FILE}` where there is none; after an upgrade of Lakeloop",
        f"`lakeloop schema > conf/{SCHEMA_FILE}` writes it anew.",
        "`lakeloop schema --environment` prints that of an environment file.",
    ]
    for title, model in (("pipeline.yml", Pipeline), ("conf/env/<name>.yml", Environment)):
        lines += ["", f"## {title}"]
        for path, section in _sections(model, ""):
            lines += ["", f"### {path or title}", "", _sentence(section), ""]
            lines += ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
            lines += [_row(name, field) for name, field in section.model_fields.items()]
    return "\n".join(lines) + "\n"


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The model and those inside it, each with its dotted path; ``<name>`` stands for a key of the user's."""
    yield path, model
    for name, field in model.model_fields.items():
        inner, named = _inner(field.annotation)
        if inner is not None:
            place = ".".join(part for part in (path, field.alias or name, "<name>" if named else "") if part)
            yield from _sections(inner, place)


def _inner(kind: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, and whether under names."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, False
    if typing.get_origin(kind) is dict:
        return _inner(_plain(typing.get_args(kind)[1]))[0], True
    return None, False


def _plain(kind: Any) -> Any:
    """A type without its annotations."""
    return typing.get_args(kind)[0] if hasattr(kind, "__metadata__") else kind


def _row(name: str, field: FieldInfo) -> str:
    examples = field.examples or []
    cells = [
        f"`{field.alias or name}`",
        _kind(field.annotation),
        _default(field),
        field.description or "",
        f"`{examples[0]}`" if examples else "",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(kind: Any) -> str:
    """A type in words."""
    kind = _plain(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(part) for part in arguments if part is not type(None))
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"mapping of names to {_kind(arguments[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "section"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(kind, str(kind))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)  # type: ignore[call-arg]  # no factory here wants data
    if value is None or value is PydanticUndefined or value in ("", [], {}) or isinstance(value, BaseModel):
        return ""
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix('...').replace('...', '').strip()}`"


def _value(example: Any) -> Any:
    """An example as data; dates stay texts."""
    value = yaml.safe_load(example) if isinstance(example, str) else example
    return value if isinstance(value, (str, int, float, bool, list, dict)) else example


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split()).replace("``", "`")
