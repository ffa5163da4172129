"""The package is built in layers: a module imports from rooms below its own; each outside has one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIB = Path(__file__).parents[2] / "lib"

# From the bottom; rooms of one line may not import each other unless they are one room.
ROOMS = [
    {"errors", "version", "stages", "terminal"},
    {"config"},
    {"jars", "connect", "session"},
    {"commits", "kept", "literals", "uniqueness"},
    {"merging"},
    {"tables"},
    {"tracking"},
    {"change_feed", "difference", "skipping", "slices"},
    {"derivation"},
    {"touches"},
    {"making"},
    {"derive"},
    {"quality"},
    {"places"},
    {"rawcolumns"},
    {"rawfiles"},
    {"conforming"},
    {"sifting"},
    {"rejected"},
    {"bronze"},
    {"silver"},
    {"history"},
    {"gold"},
    {"features"},
    {"modelling"},
    {"scoring"},
    {"monitoring"},
    {"failures", "report"},
    {"pipeline"},
    {"governance"},
    {"status", "landing", "checking", "onboarding"},
    {"maintenance"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}

# Who may import what from outside; each is a module or a folder of the package.
DOORS = {
    "mlflow": {"tracking", "modelling.train", "modelling.logged", "scoring", "monitoring.tables"},
    "hyperopt": {"modelling.tuning", "modelling.estimators", "modelling.spark_trials"},
}

# What a fresh import must not bring along: these take seconds.
HEAVY = ("pyspark", "mlflow", "pandas", "sklearn", "hyperopt")


def _modules(root: Path = LIB) -> dict[str, ast.Module]:
    """The modules by their name in the package: ``config.loading``; the package itself has the empty name."""
    found = {}
    for file in sorted((root / "lakeloop").rglob("*.py")):
        parts = file.relative_to(root / "lakeloop").with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(file.read_text(encoding="utf-8"), str(file))
    return found


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below ``if TYPE_CHECKING``, which no interpreter runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from _at_run_time(other)
            continue
        yield child
        yield from _at_run_time(child)


def _imports(tree: ast.Module) -> Iterator[str]:
    """The full names that a module imports, at the top or inside a function."""
    for node in _at_run_time(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _ours(tree: ast.Module) -> Iterator[str]:
    """The names inside the package that a module imports."""
    for name in _imports(tree):
        if name == "lakeloop" or name.startswith("lakeloop."):
            inside = name.removeprefix("lakeloop").removeprefix(".")
            # `import lakeloop` and `from lakeloop import __version__` take the package's version alone.
            yield "version" if inside in ("", "__version__") else inside


MODULES = _modules()


def _upward(module: str, tree: ast.Module) -> list[str]:
    """The imports of a module that do not lead downwards."""
    room = module.partition(".")[0]
    wrong = []
    for name in _ours(tree):
        other = name.partition(".")[0]
        same = other == room or (room, other) in (("session", "jars"), ("session", "connect"))
        if not same and LEVEL[other] >= LEVEL[room]:
            wrong.append(f"{module} imports {name}")
    return wrong


def test_every_module_has_its_room() -> None:
    assert {name.partition(".")[0] for name in MODULES} - {""} == set(LEVEL)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_a_module_imports_from_below(module: str) -> None:
    assert _upward(module, MODULES[module]) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("tables", "from lakeloop.derive import Engine"),
        ("config.loading", "def f():\n    from lakeloop import tables"),
        ("status", "import lakeloop.landing"),
        ("bronze", "from lakeloop.silver import x"),
    ],
)
def test_an_import_upwards_would_be_seen(module: str, line: str) -> None:
    assert len(_upward(module, ast.parse(line))) == 1


def test_the_package_itself_imports_its_version_alone() -> None:
    assert list(_imports(MODULES[""])) == ["lakeloop.version.__version__"]


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_at_its_doors_alone(library: str) -> None:
    users = {name for name, tree in MODULES.items() if any(found.split(".")[0] == library for found in _imports(tree))}
    assert users == DOORS[library]


def _calls(tree: ast.Module) -> Iterator[tuple[str, list[object]]]:
    """The methods that a module calls, with their literal arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, [item.value for item in node.args if isinstance(item, ast.Constant)]


def test_tables_alone_reads_and_writes_delta() -> None:
    users = {
        name
        for name, tree in MODULES.items()
        if any(method == "format" and "delta" in given for method, given in _calls(tree))
        or any(found.split(".")[0] == "delta" for found in _imports(tree))
    }
    assert users == {"tables"}


def test_rows_are_brought_to_one_process_in_one_place() -> None:
    users = {
        name
        for name, tree in MODULES.items()
        if any(isinstance(node, ast.Attribute) and node.attr == "toPandas" for node in ast.walk(tree))
    }
    assert users == {"modelling.dataset"}


def test_the_model_imports_neither_spark_nor_the_rest_of_the_package() -> None:
    libraries = {name.split(".")[0] for name in _imports(MODULES["modelling.predictor"])}
    assert libraries <= {"__future__", "typing", "numpy", "pandas"}
    libraries = {name.split(".")[0] for name in _imports(MODULES["modelling.logged"])}
    assert libraries <= {"__future__", "typing", "pandas", "mlflow", "lakeloop"}


@pytest.mark.parametrize(
    ("module", "heavy"), [("lakeloop", HEAVY), ("lakeloop.cli", HEAVY), ("lakeloop.modelling.tuning", ("mlflow",))]
)
def test_an_import_loads_nothing_heavy(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
