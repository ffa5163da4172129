"""Python functions that a pipeline.yml names, ``module:function``: found, loaded, and known by their source."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from lakeloop.config.pipeline import Pipeline
from lakeloop.config.sources import PYTHON
from lakeloop.errors import ConfigurationError, LakeloopError, Problem

# Modules of use cases' folders that are loaded now: another use case may have others of the same names.
_LOADED: set[str] = set()


@dataclass(frozen=True)
class Function:
    """A loaded function. ``sources`` has the text of its module and of those in the use case's folder that it
    imports, by file name; ``imports`` the top-level names of all other modules that these import."""

    name: str
    file: str
    where: str
    call: Callable[..., Any]
    sources: Mapping[str, str]
    imports: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A hash of the sources, by which a table or a model knows that the function was changed."""
        return sha256("\0".join(f"{file}\0{text}" for file, text in sorted(self.sources.items())).encode()).hexdigest()

    def __call__(self, *given: Any) -> Any:
        """What the function returns; ConfigurationError says that it failed, and why."""
        try:
            return self.call(*given)
        except LakeloopError:
            raise
        except Exception as error:
            said = str(error).strip().splitlines() or [""]
            found = f"{self.name}, which raises {type(error).__name__}: {said[0][:300]}"
            raise self.wrong(found, "a function that returns", "--debug shows where") from error

    def wrong(self, found: str, expected: str, hint: str = "") -> ConfigurationError:
        """The error that tells what is wrong with the function."""
        return ConfigurationError([Problem(self.file, self.where, found, expected, hint)])


def named(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Each function that the pipeline names, with the dotted path of the place."""
    for name, source in pipeline.sources.items():
        for column, text in source.columns.items():
            if text.startswith(PYTHON):
                yield f"sources.{name}.columns.{column}", text.removeprefix(PYTHON)
    for name, gold in pipeline.gold.items():
        if gold.python:
            yield f"gold.{name}.python", gold.python
    for algorithm in pipeline.model.algorithm_names():
        if ":" in algorithm:
            yield f"model.algorithms.{algorithm}", algorithm


def load_functions(folder: Path, pipeline: Pipeline, file: str, problems: list[Problem]) -> dict[str, Function]:
    """The functions that the pipeline names, by the dotted path of the place; adds a problem for each that cannot be
    loaded. Modules in the use case's folder are read anew, and travel to workers and into models by value."""
    places = dict(named(pipeline))
    if not places:
        return {}
    folder = folder.resolve()
    found: dict[str, Function] = {}
    for name in _LOADED:
        sys.modules.pop(name, None)
    _LOADED.clear()
    with _findable(folder):
        for where, name in places.items():
            try:
                found[where] = _load(folder, name, file, where)
            except _Wrong as wrong:
                problems.append(Problem(file, where, *wrong.args))
    for name, module in list(sys.modules.items()):
        if _is_inside(folder, module):
            _LOADED.add(name)
            _by_value(module)
    return found


class _Wrong(Exception):
    """What was found, what was expected, a hint."""


def _load(folder: Path, name: str, file: str, where: str) -> Function:
    module_name, _, attribute = name.partition(":")
    own = _file(folder, module_name)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            there = sorted(path.stem for path in folder.glob("*.py"))
            expected = f"an installed module, or a Python file in {folder}"
            raise _Wrong(
                f"no module {module_name}",
                expected + (f" (there are {', '.join(f'{stem}.py' for stem in there)})" if there else ""),
                _nearest(module_name, there),
            ) from error
        raise _Wrong(
            f"{module_name}, which imports {error.name}", "modules that are installed", "install it"
        ) from error
    except Exception as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        found = f"{module_name}, which cannot be imported: {line}{type(error).__name__}: {error}"
        raise _Wrong(found, "a module that can be imported", "") from error
    if own is not None and not _is_inside(folder, module):
        expected = f"another name for {own.name}: {module_name} is taken by {getattr(module, '__file__', 'Python')}"
        raise _Wrong(module_name, expected, "")
    call = getattr(module, attribute, None)
    if not callable(call):
        there = sorted(
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module_name
        )
        expected = f"one of the functions there: {', '.join(there)}" if there else "a function in that module"
        raise _Wrong(f"no function {attribute} in {module_name}", expected, _nearest(attribute, there))
    sources, imports = _sources(folder, module_name, module)
    return Function(name, file, where, call, sources, imports)


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else ""


@contextmanager
def _findable(folder: Path) -> Iterator[None]:
    """Modules of the folder can be imported meanwhile. No compiled file is left there: one that is as old as a changed
    source would be taken for it."""
    kept = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = kept


def _is_inside(folder: Path, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and Path(str(file)).is_relative_to(folder)


def _by_value(module: ModuleType) -> None:
    """What is pickled from here on carries the module's functions and classes, for workers and served models have no
    such folder. Spark has a copy of cloudpickle of its own."""
    import cloudpickle
    from pyspark import cloudpickle as spark_cloudpickle

    cloudpickle.register_pickle_by_value(module)
    spark_cloudpickle.register_pickle_by_value(module)


def _file(folder: Path, module: str) -> Path | None:
    """The module's file in the folder, if it is there."""
    place = folder.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _sources(folder: Path, name: str, module: ModuleType) -> tuple[dict[str, str], tuple[str, ...]]:
    """See Function: the texts that make the module what it is, and the names of what it takes from elsewhere."""
    if _file(folder, name) is None:
        file = Path(str(module.__file__))
        text = file.read_text(encoding="utf-8") if file.suffix == ".py" else ""
        imported = {other.split(".")[0] for other in _imported(text, name, file.name == "__init__.py")}
        return {file.name: text}, tuple(sorted({name.split(".")[0], *imported}))
    sources: dict[str, str] = {}
    elsewhere: set[str] = set()
    left = [name]
    while left:
        name = left.pop()
        path = _file(folder, name)
        if path is None:
            elsewhere.add(name.split(".")[0])
        elif str(path.relative_to(folder)) not in sources:
            text = sources[str(path.relative_to(folder))] = path.read_text(encoding="utf-8")
            left += _imported(text, name, path.name == "__init__.py")
    local = {Path(file).parts[0].removesuffix(".py") for file in sources}
    return sources, tuple(sorted(elsewhere - local))


def _imported(text: str, module: str, is_package: bool) -> list[str]:
    """The full names of the modules that a module's text imports, and of what it takes from them."""
    found = []
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            found += [base, *[f"{base}.{alias.name}" for alias in node.names]]
    parents = [".".join(name.split(".")[:depth]) for name in found for depth in range(1, name.count(".") + 2)]
    return [name for name in dict.fromkeys(parents) if name]
