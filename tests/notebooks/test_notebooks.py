"""The notebooks are clean files, find their project themselves, and show a lakehouse without changing it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib_inline.backend_inline import configure_inline_support

from lakeloop.config import load

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
INLINE = "module://matplotlib_inline.backend_inline"
NAMES = ("explore", "monitor", "train_and_compare")

# What a training and a monitored month leave behind decides how many plots there are: none is optional.
PLOTS = {
    "explore": ["days", "label-by-day", "label-by-group", "missing"],
    "train_and_compare": ["trials-plot", "test-plot", "importance", "calibration"],
    "monitor": ["drift-map", "drift-lines", "quality-plot"],
}


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_folder_holds_these_notebooks_and_no_other() -> None:
    assert sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_and_each_cell_has_an_id_of_its_own(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_what_a_run_leaves_in_it(name: str) -> None:
    cells = code_cells(read(name))
    assert cells
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_names_no_column_of_the_use_case(name: str) -> None:
    """Columns come from the configuration, so that the notebook serves every use case."""
    pipeline = load(ROOT / "conf" / "flights").pipeline
    columns = {column for source in pipeline.sources.values() for column in source.columns}
    columns |= {
        f"{layer}.{table}" for layer in ("silver", "gold") for table in (*pipeline.sources, *pipeline.gold)
    }
    texts = {
        node.value
        for cell in code_cells(read(name))
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert texts & columns == set()


@pytest.mark.parametrize("folder", [ROOT, NOTEBOOKS], ids=["project", "notebooks"])
@pytest.mark.parametrize("name", NAMES)
def test_without_settings_a_notebook_reads_what_make_run_at_the_projects_root_made(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LAKELOOP_CONF", "LAKELOOP_ENV", "LAKELOOP_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(folder)
    settings = settings_of(name)
    assert settings.pipeline.pipeline == "flights"
    assert settings.environment.name == "local"
    assert settings.resolve("{root}") == str(ROOT / "lakehouse")


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_says_which_use_case_where_and_at_what_root(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKELOOP_CONF", str(ROOT / "conf" / "flights"))
    monkeypatch.setenv("LAKELOOP_ENV", "dev")
    monkeypatch.setenv("LAKELOOP_ROOT", str(tmp_path))
    settings = settings_of(name)
    assert settings.environment.name == "dev"
    assert settings.environment.root == str(tmp_path)


def settings_of(name: str) -> object:
    """Runs the first code cell as far as the settings; what follows starts Spark."""
    lines = []
    for statement in ast.parse(code_cells(read(name))[0].source).body:
        lines.append(statement)
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "settings":
            break
    else:
        raise AssertionError(f"the first code cell of {name} assigns no settings")
    names: dict[str, object] = {}
    exec(compile(ast.Module(lines, []), f"{name}.ipynb", "exec"), names)  # the project's own notebook
    return names["settings"]


@dataclass(frozen=True)
class Ran:
    """What a cell left behind."""

    id: str
    printed: str
    plots: int


@pytest.fixture(scope="module")
def shell(small_lakehouse: Path) -> Iterator[InteractiveShell]:
    """IPython as a notebook has it, in the tests' process, whose Spark is there and warm; plots go to the page."""
    with pytest.MonkeyPatch.context() as here:
        here.chdir(NOTEBOOKS)
        here.setenv("LAKELOOP_CONF", str(small_lakehouse / "conf" / "flights"))
        here.setenv("LAKELOOP_ENV", "local")
        here.setenv("LAKELOOP_ROOT", str(small_lakehouse))
        # The shell takes the name of the process's main module, and others look at that.
        here.setitem(sys.modules, "__main__", sys.modules["__main__"])
        made = InteractiveShell.instance()
        backend = plt.get_backend()
        plt.switch_backend(INLINE)
        configure_inline_support(made, INLINE)
        yield made
        plt.close("all")
        plt.switch_backend(backend)
        InteractiveShell.clear_instance()


def executed(name: str, shell: InteractiveShell) -> list[Ran]:
    """The cells of the notebook after a run, in which it found no name of an earlier one; what one raises is raised."""
    shell.reset()
    found = []
    for cell in code_cells(read(name)):
        with capture_output() as captured:
            result = shell.run_cell(cell.source)
        result.raise_error()
        plots = sum("image/png" in output.data for output in captured.outputs)
        found.append(Ran(cell.id, captured.stdout, plots))
    return found


def data_files(root: Path) -> dict[str, int]:
    """The files of the tables below ``root`` with their sizes."""
    return {
        str(file.relative_to(root)): file.stat().st_size
        for file in (root / "flights").rglob("*")
        if file.is_file() and not file.name.endswith(".crc")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_on_the_lakehouse_it_is_told_and_changes_none_of_its_tables(
    name: str, small_lakehouse: Path, shell: InteractiveShell
) -> None:
    before = data_files(small_lakehouse)
    assert before
    cells = executed(name, shell)
    assert str(small_lakehouse) in "".join(cell.printed for cell in cells)
    assert [cell.id for cell in cells if cell.plots and cell.id in PLOTS[name]] == PLOTS[name]
    assert data_files(small_lakehouse) == before
