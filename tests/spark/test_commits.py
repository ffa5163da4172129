"""What a table's log says of its commits is the same, whether Delta tells it or the folder is read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from conftest import MakeUseCase

from lakeloop.commits import Commit, in_folder
from lakeloop.tables import Table

OUT = Table("gold", "out")


def test_the_folder_tells_what_delta_tells(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("gold.out", [(1, 10), (2, 20)], "id int, x int")
    new = case.spark.createDataFrame([(2, 21), (3, 30)], "id int, x int")
    case.lakehouse.merge(OUT, new, ["id"], {"run": "merged"})
    case.lakehouse.replace_where(OUT, new.filter("id = 3"), "id = 3", {"run": "replaced"}, after=1)
    case.lakehouse.note_progress(OUT, {"run": "noted"})
    case.sql("OPTIMIZE {gold.out}")
    case.sql("DELETE FROM {gold.out} WHERE id = 1")
    found = in_folder(Path(case.lakehouse.location(OUT)))
    described = case.lakehouse._described(OUT, None)

    def plain(commit: Commit) -> dict[str, object]:
        return {**asdict(commit), "at": None}

    assert [commit.version for commit in found] == [5, 4, 3, 2, 1, 0]
    assert [commit.progress for commit in found[2:5]] == [{"run": run} for run in ("noted", "replaced", "merged")]
    assert list(map(plain, found)) == list(map(plain, described))
    apart = [abs(one.at - other.at) for one, other in zip(found, described, strict=True)]
    assert max(apart) < timedelta(seconds=30)
    assert case.lakehouse.latest(OUT) == found[0]
    assert in_folder(Path(case.lakehouse.location(OUT)), limit=2) == found[:2]
