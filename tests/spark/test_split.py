"""Which rows train, validate and test: by a hash of the group, or as a column says."""

from __future__ import annotations

from collections import Counter

from conftest import MakeUseCase

from lakeloop.modelling import dataset

PEOPLE = """
sources:
  visits: {{path: visits/*, key: id, columns: {{id: int, person: string, part: string, y: boolean}}}}
model:
  task: binary
  spine: silver.visits
  label: y
  split: {split}
"""
COLUMNS = "id int, person string, part string, y boolean"


def test_a_group_is_never_torn_apart(use_case: MakeUseCase) -> None:
    split = "{by: group, group: person, validation: 0.2, test: 0.3}"
    case = use_case(PEOPLE.format(split=split))
    visits = [(number, f"p{number % 150}" if number < 600 else None, None, True) for number in range(1000)]
    rows = case.spark.createDataFrame(visits, COLUMNS)

    found = dataset.split(dataset.labelled(rows, case.settings.pipeline), case.settings.pipeline)[0].collect()

    parts = {row["person"]: row["_part"] for row in found if row["person"]}
    assert all(row["_part"] == parts[row["person"]] for row in found if row["person"])
    for shares in (Counter(parts.values()), Counter(row["_part"] for row in found if not row["person"])):
        total = sum(shares.values())
        assert abs(shares["test"] / total - 0.3) < 0.1 and abs(shares["validation"] / total - 0.2) < 0.1
    assert dataset.model_columns(rows, case.settings.pipeline).all == ["part"]


def test_a_column_says_the_part(use_case: MakeUseCase) -> None:
    says = ["train", " Test", "validation", "later", None]
    rows = [(number, "p", text, True) for number, text in enumerate(says)]
    rows += [(number, "p", "train", True) for number in range(10, 210)]

    def parts(split: str) -> dict[int, str]:
        case = use_case(PEOPLE.format(split=split))
        frame = dataset.labelled(case.spark.createDataFrame(rows, COLUMNS), case.settings.pipeline)
        assert dataset.model_columns(frame.drop("_label"), case.settings.pipeline).all == ["person"]
        return {row["id"]: row["_part"] for row in dataset.split(frame, case.settings.pipeline)[0].collect()}

    found = parts("{by: column, column: part}")
    assert {number: part for number, part in found.items() if number < 10} == {0: "train", 1: "test", 2: "validation"}
    assert {part for number, part in found.items() if number >= 10} == {"train"}

    shared = Counter(
        part for number, part in parts("{by: column, column: part, validation: 0.3}").items() if number > 9
    )
    assert shared["train"] + shared["validation"] == 200 and 40 <= shared["validation"] <= 80
