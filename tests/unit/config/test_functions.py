"""Functions that a pipeline names are found, known by their source, and told of where they cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lakeloop.config import Settings, load
from lakeloop.config.functions import Function
from lakeloop.errors import ConfigurationError

from ..conftest import Folder

COLUMN = ("amount: double", "amount: double, score: {python: 'cleaning:score'}")
GOLD = ("sql: select * from silver.orders", "python: tables:daily\n    inputs: [silver.orders]")
CLEANING = "from helpers.text import SUFFIX\n\n\ndef score(rows):\n    return 'score' + SUFFIX\n"


def written(conf: Folder, *changes: tuple[str, str], **files: str) -> Path:
    """The shop with some changes, and Python files beside it; ``__`` in a name is a folder."""
    folder = conf.changed(*changes)
    for name, text in files.items():
        file = folder.joinpath(*name.split("__")).with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def with_score(conf: Folder, suffix: str = "!", **more: str) -> Settings:
    return load(written(conf, COLUMN, cleaning=CLEANING, helpers__text=f"SUFFIX = {suffix!r}\n", **more))


def test_a_column_has_its_function(conf: Folder) -> None:
    settings = with_score(conf)
    function = settings.pipeline.sources["orders"].function("score")
    assert isinstance(function, Function) and function(None) == "score!"
    assert settings.pipeline.sources["orders"].function("amount") is None
    assert sorted(function.sources) == ["cleaning.py", "helpers/text.py"]
    assert settings.functions == {"sources.orders.columns.score": function}


def test_no_trace_is_left_in_the_folder_or_on_the_path(conf: Folder) -> None:
    folder = with_score(conf).folder
    assert str(folder.resolve()) not in sys.path
    assert {file.name for file in folder.rglob("*")} == {"pipeline.yml", "cleaning.py", "helpers", "text.py"}


def test_a_changed_helper_changes_the_fingerprint_of_what_uses_it(conf: Folder) -> None:
    def prints(settings: Settings) -> tuple[str, str]:
        orders = settings.pipeline.sources["orders"]
        return settings.fingerprint("silver", orders.columns), settings.fingerprint(settings.pipeline.gold["sales"])

    before, same, after = (
        prints(with_score(conf, suffix, other=text)) for suffix, text in zip("!!?", "123", strict=True)
    )
    assert before == same
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert with_score(conf, "?").functions["sources.orders.columns.score"](None) == "score?"


def test_two_use_cases_have_modules_of_one_name(conf: Folder, tmp_path: Path) -> None:
    one = with_score(conf).functions["sources.orders.columns.score"]
    other = Folder(tmp_path / "other")
    other.env("local", "root: x")
    two = load(written(other, COLUMN, cleaning="def score(rows):\n    return 2\n"))
    assert (one(None), two.functions["sources.orders.columns.score"](None)) == ("score!", 2)


def test_a_gold_table_reads_the_inputs_of_its_function(conf: Folder) -> None:
    settings = load(written(conf, GOLD, tables="def daily(tables):\n    return tables\n"))
    assert settings.gold_inputs() == {"sales": ["silver.orders"]}
    assert settings.queries == {}


def test_functions_of_the_python_path_are_found(conf: Folder) -> None:
    found = load(written(conf, (COLUMN[0], COLUMN[1].replace("cleaning:score", "textwrap:dedent"))))
    function = found.functions["sources.orders.columns.score"]
    assert function(" a") == "a" and list(function.sources) == ["textwrap.py"]


@pytest.mark.parametrize(
    ("name", "files", "found", "expected", "hint"),
    [
        ("cleanin:score", {"cleaning": ""}, "no module cleanin", "(there are cleaning.py)", "did you mean 'cleaning'?"),
        (
            "cleaning:scor",
            {"cleaning": CLEANING, "helpers__text": "SUFFIX = ''"},
            "no function scor in cleaning",
            "one of the functions there: score",
            "did you mean 'score'?",
        ),
        ("cleaning:x", {"cleaning": "x = 1"}, "no function x in cleaning", "a function in that module", ""),
        ("cleaning:x", {"cleaning": "import nothere"}, "cleaning, which imports nothere", "installed", "install it"),
        ("cleaning:x", {"cleaning": "def x(:"}, "SyntaxError", "a module that can be imported", ""),
        ("cleaning:x", {"cleaning": "1 / 0"}, "ZeroDivisionError: division by zero", "can be imported", ""),
        ("json:x", {"json": ""}, "json", "another name for json.py", ""),
    ],
)
def test_what_cannot_be_loaded_is_told(
    conf: Folder, name: str, files: dict[str, str], found: str, expected: str, hint: str
) -> None:
    [problem] = conf.problems(written(conf, (COLUMN[0], COLUMN[1].replace("cleaning:score", name)), **files))
    assert problem.where == "sources.orders.columns.score"
    assert found in problem.found and expected in problem.expected and problem.hint == hint


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ((COLUMN[0], "amount: double, score: {python: cleaning}"), "sources.orders.columns.score", "module:function"),
        ((GOLD[0], GOLD[1].split("\n")[0]), "gold.sales", "inputs with python"),
        ((GOLD[0], GOLD[0] + "\n    python: tables:daily"), "gold.sales", "either sql or python"),
        ((GOLD[0], GOLD[1].replace("silver.orders", "silver.order")), "gold.sales.inputs", "silver.orders"),
        (("task: binary", "task: binary\n  algorithms: ['own:']"), "model.algorithms.0", "module:function"),
    ],
)
def test_what_does_not_fit_is_told(conf: Folder, change: tuple[str, str], where: str, expected: str) -> None:
    problems = conf.problems(written(conf, change, tables="def daily(tables):\n    return tables\n"))
    assert [problem.where for problem in problems][:1] == [where]
    assert expected in problems[0].expected


def test_a_function_that_fails_says_so_in_the_words_of_its_place(conf: Folder) -> None:
    settings = load(written(conf, COLUMN, cleaning="def score(rows):\n    return rows['nothere']\n"))
    with pytest.raises(ConfigurationError) as caught:
        settings.functions["sources.orders.columns.score"]({})
    [problem] = caught.value.problems
    assert problem.where == "sources.orders.columns.score"
    assert problem.found == "cleaning:score, which raises KeyError: 'nothere'"
