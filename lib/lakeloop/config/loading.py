"""Reads conf/<use case>/pipeline.yml and conf/env/<name>.yml, and reports all that is wrong at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lakeloop.config import references
from lakeloop.config.environment import Environment
from lakeloop.config.functions import Function, load_functions
from lakeloop.config.pipeline import Pipeline
from lakeloop.errors import ConfigurationError, Problem

PIPELINE_FILE = "pipeline.yml"
FIRST = "env/local.yml"
# A key of a dotted path: in quotes, or up to the next dot.
# What a value that pydantic cannot take for its kind should have been.
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_KEY = re.compile(r"""(?:^|(?<=\.))(?:(['"])(.*?)\1(?=\.|$)|([^.]*))""")


@dataclass(frozen=True)
class Settings:
    """All that a run is told: the use case, where it runs, the SQL of its gold tables by name, and its Python functions
    by the dotted path of the place that names them."""

    folder: Path
    pipeline: Pipeline
    environment: Environment
    queries: Mapping[str, str]
    functions: Mapping[str, Function] = field(default_factory=dict)

    def gold_inputs(self) -> dict[str, list[str]]:
        """The tables (``layer.name``) that each gold table reads."""
        return references.gold_reads(self.pipeline, self.queries)

    def resolve(self, template: str, **names: str) -> str:
        """An environment's template with this pipeline's name filled in."""
        return self.environment.resolve(template, pipeline=self.pipeline.pipeline, **names)

    def raw_files(self, path: str) -> str:
        """Where a source's files are: below the landing root, but for a path that is absolute or a URI."""
        return path if path.startswith("/") or "://" in path else f"{self.resolve('{landing}')}/{path}"

    def fingerprint(self, *parts: object) -> str:
        """A short hash of configuration, by which a table knows that what defines it was changed. Where a Python
        function is named in it, the function's source belongs to it."""
        plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
        text = json.dumps(plain, sort_keys=True, default=str)
        used = {item.digest for item in self.functions.values() if f'{item.name}"' in text}
        return sha256("".join([text, *sorted(used)]).encode()).hexdigest()[:16]


def load(folder: str | Path, env: str = "local", sets: Iterable[str] = ()) -> Settings:
    """The settings of the use case in ``folder`` (or of that pipeline.yml) for environment ``env``.

    ``sets`` are ``dotted.key=value`` overrides of pipeline.yml, or of the environment where they begin with
    ``environment.``; values are YAML. Raises ConfigurationError with every problem.
    """
    folder = Path(folder)
    if folder.name == PIPELINE_FILE:
        folder = folder.parent
    file = folder / PIPELINE_FILE
    if not file.exists():
        raise ConfigurationError([Problem(str(file), "", "no such file", "a use case", _other_use_cases(folder))])
    env_file = folder.parent / "env" / f"{env}.yml"
    problems: list[Problem] = []
    overrides = _overrides(sets, problems)
    environment_sets = _of_environment(overrides)
    pipeline_sets = [(key, value) for key, value in overrides if not key.startswith("environment.")]

    environment = _read(env_file, Environment, environment_sets, problems, hint=_other_environments(env_file))
    pipeline = _read(file, Pipeline, pipeline_sets, problems)
    queries: dict[str, str] = {}
    functions: dict[str, Function] = {}
    if pipeline is not None:
        queries = references.read_queries(folder, pipeline, str(file), problems)
        references.check(pipeline, queries, str(file), problems)
        functions = load_functions(folder, pipeline, str(file), problems)
        for name, source in pipeline.sources.items():
            columns = {column: f"sources.{name}.columns.{column}" for column in source.columns}
            source._functions.update({key: functions[where] for key, where in columns.items() if where in functions})
    if problems or pipeline is None or environment is None:
        raise ConfigurationError(problems)
    return Settings(folder, pipeline, environment.model_copy(update={"name": env}), queries, functions)


def load_environment(conf: str | Path, env: str = "local", sets: Iterable[str] = ()) -> Environment:
    """The environment ``env`` alone, for what needs no use case; ``sets`` are ``environment.key=value``.

    Raises ConfigurationError with every problem.
    """
    file = Path(conf) / "env" / f"{env}.yml"
    problems: list[Problem] = []
    overrides = _overrides(sets, problems)
    for key, _ in overrides:
        if not key.startswith("environment."):
            problems.append(Problem("--set", key, "a setting of a use case", "environment.key=value"))
    found = _read(file, Environment, _of_environment(overrides), problems, hint=_other_environments(file))
    if problems or found is None:
        raise ConfigurationError(problems)
    environment: Environment = found.model_copy(update={"name": env})
    return environment


def _overrides(sets: Iterable[str], problems: list[Problem]) -> list[tuple[str, Any]]:
    """The keys and values of ``dotted.key=value``, values as YAML reads them."""
    found: list[tuple[str, Any]] = []
    for item in sets:
        key, equals, value = item.partition("=")
        try:
            if not equals or not key.strip():
                raise ValueError(item)
            found.append((key.strip(), yaml.safe_load(value)))
        except (yaml.YAMLError, ValueError):
            problems.append(Problem("--set", "", repr(item), "dotted.key=value, the value as in YAML"))
    return found


def _of_environment(overrides: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(key[12:], value) for key, value in overrides if key.startswith("environment.")]


def _other_use_cases(folder: Path) -> str:
    """Which use case may be meant: one beside ``folder``, or in ``conf``."""
    there = {file.parent for place in (folder.parent, Path("conf")) for file in place.glob(f"*/{PIPELINE_FILE}")}
    by_name = {found.name: found for found in sorted(there, reverse=True)}
    close = difflib.get_close_matches(folder.name, by_name, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_name[close[0]]}?"
    names = f"; there are {', '.join(sorted(map(str, by_name.values())))}" if by_name else ""
    return f"lakeloop takes the use case's folder, conf/<name>{names}"


def _other_environments(env_file: Path) -> str:
    """Which environment may be meant; where there is none, what the first one says."""
    names = sorted(path.stem for path in env_file.parent.glob("*.yml"))
    if not names:
        return f"a laptop's is two lines, root: lakehouse and master: local[*]; lakeloop init writes {FIRST} too"
    return nearest(env_file.stem, names) or f"there are {', '.join(names)}"


def _read(
    file: Path, model: type[Any], sets: list[tuple[str, Any]], problems: list[Problem], hint: str = ""
) -> Any | None:
    """The file's content as ``model``, or None with the reasons added to ``problems``."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        problems.append(Problem(str(file), "", "no such file", "a YAML file", hint))
        return None
    except UnicodeDecodeError as error:
        problems.append(Problem(str(file), f"byte {error.start}", "text that is not UTF-8", "a YAML file in UTF-8"))
        return None
    try:
        data = yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        found = getattr(error, "problem", None) or str(error)
        line = text.splitlines()[mark.line][: mark.column] if mark and mark.line < len(text.splitlines()) else ""
        hint = _yaml_hint(f"{getattr(error, 'context', None)} {found}", line)
        problems.append(Problem(str(file), where, found, "valid YAML", hint))
        return None
    except ValueError as error:
        problems.append(Problem(str(file), "", str(error), "values that YAML can read (quote a text like a date)"))
        return None
    if not isinstance(data, dict):
        kind = "nothing" if data is None else "a list" if isinstance(data, list) else "a text"
        problems.append(Problem(str(file), "", kind, "a mapping of keys to values"))
        return None
    for key, value in sets:
        data = _with(data, _path(key), value)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems.extend(_innermost([_problem(str(file), item, model, data) for item in error.errors()]))
        return None


def _innermost(problems: list[Problem]) -> list[Problem]:
    """Without those of a value inside of which something is wrong: it is told of each thing that the value might be."""
    return [one for one in problems if not any(other.where.startswith(f"{one.where}.") for other in problems)]


def _yaml_hint(said: str, before: str) -> str:
    """How the mistakes in YAML that are made most often are mended; ``before`` is what stands before the place on its
    line."""
    if r"'\t'" in said:
        return "indent with spaces, not with tabs"
    columns = "keys that belong together begin in the same column"
    if "mapping values are not allowed" in said and re.fullmatch(r"\s*(- )?[\w-]+", before):
        return f"{columns}: this one, or the one above it, does not"
    signs = ("cannot start any token", "mapping values are not allowed", "an alias", "an anchor", "a block scalar")
    if any(sign in said for sign in signs):
        return """put a text that begins with a sign, or that has ': ' in it, in quotes: "`Unit Price` > 0\""""
    if "expected <block end>" in said:
        return f"{columns}; a text that goes on after a quote is quoted whole"
    return ""


def _path(key: str) -> list[str]:
    """The keys of a dotted path. What stands in quotes is one key, dots and all, and so is what stands below `spark`:
    one of Spark's own."""
    if key.startswith("spark."):
        return ["spark", key.removeprefix("spark.").strip("'\"")]
    return [quoted or plain for _, quoted, plain in _KEY.findall(key)]


def _with(data: Any, path: list[str], value: Any) -> Any:
    """A copy of ``data`` in which the value at ``path`` is set."""
    if not path:
        return value
    base = dict(data) if isinstance(data, dict) else {}
    base[path[0]] = _with(base.get(path[0]), path[1:], value)
    return base


def _problem(file: str, item: Any, model: type[BaseModel], data: Any) -> Problem:
    """One of pydantic's errors in our words."""
    location = [str(part) for part in item["loc"]]
    where = ".".join(part for part in location if not _is_branch(part))
    found = item["input"]
    kind = item["type"]
    if kind == "extra_forbidden":
        allowed = _keys_at(model, location[:-1])
        return Problem(file, where, "an unknown key", f"one of {', '.join(allowed)}", nearest(location[-1], allowed))
    if kind == "missing":
        return Problem(file, where, "nothing", "a value; this key has no default")
    if kind == "value_error":
        return Problem(file, where, _brief(found), str(item["ctx"]["error"]))
    if kind == "literal_error":
        expected = item["ctx"]["expected"]
        options = [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]
        return Problem(file, where, _brief(found), f"one of {', '.join(options)}", nearest(str(found), options))
    if kind in ("model_type", "dict_type", "list_type", "string_type"):
        return Problem(file, where, _brief(found), *_shape(kind, found, _schema_at(model, location)))
    message = item["msg"].removeprefix("Input should be ")
    expected = _KINDS.get(kind.partition("_")[0], message[0].lower() + message[1:])
    return Problem(file, where, _brief(found), expected)


def _shape(kind: str, found: object, schema: Mapping[str, Any]) -> tuple[str, str]:
    """What is expected where a value has the wrong shape, and how it is written."""
    if kind == "string_type":
        if isinstance(found, bool):
            return "a text", "YAML reads yes, no, on, off, true and false as truth values; such a word goes in quotes"
        return "a text", "a number that is meant as a text goes in quotes" if isinstance(found, (int, float)) else ""
    if kind == "list_type":
        return "a list", "such as [one, another]"
    if "properties" in schema:
        return "keys and values below it", f"its keys: {', '.join(sorted(schema['properties']))}"
    examples = [yaml.safe_dump(yaml.safe_load(text), default_flow_style=True) for text in schema.get("examples", ())]
    return "names and what each of them means", f"such as {examples[0].strip()}" if examples else ""


def _is_branch(part: str) -> bool:
    """Whether a part of pydantic's location names a branch of a union and not a key."""
    return part.startswith(("literal[", "list[", "function-")) or part in ("int", "str", "float", "bool")


def _brief(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys that are allowed at a place of the configuration."""
    return sorted(_schema_at(model, location).get("properties", {}))


def _schema_at(model: type[BaseModel], location: list[str]) -> Mapping[str, Any]:
    """The JSON schema of a place of the configuration."""
    schema: Any = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    for part in location:
        schema = _deref(schema, definitions)
        properties = schema.get("properties", {})
        if part in properties:
            schema = properties[part]
        elif isinstance(schema.get("additionalProperties"), dict):
            schema = schema["additionalProperties"]
    found: Mapping[str, Any] = _deref(schema, definitions)
    return found


def _deref(schema: Any, definitions: Mapping[str, Any]) -> Any:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    for option in schema.get("anyOf", ()):
        if "$ref" in option:
            return _deref(option, definitions)
    return schema


def nearest(name: str, names: Iterable[str]) -> str:
    """``did you mean 'x'?`` where one of ``names`` is close to ``name``, else nothing."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""


class _UniqueKeys(yaml.SafeLoader):
    """YAML that refuses the same key twice, where PyYAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (dict, list)):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key that is not a plain text (quote it)", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands here a second time", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
