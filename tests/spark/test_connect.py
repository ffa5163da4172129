"""The tables are the same on Spark Connect as in a classic session, and a second run there finds nothing new.

A process has one kind of session, so the run on Spark Connect has a process of its own. `make connect` runs the other
tests of this folder in that way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from conftest import MakeUseCase
from soak.harness import snapshot
from soak.worker import run

from lakeloop.config import load

SHOP = """
sources:
  orders:
    path: orders/*.csv
    key: order_id
    columns: {order_id: int, customer: string, at: timestamp, day: to_date(at), amount: {python: "own:amount"}}
    expect: {amount_is_positive: amount > 0}
gold:
  purchases:
    sql: SELECT order_id, customer, at, day, amount FROM silver.orders WHERE customer RLIKE '^[a-z]{3}$'
    key: order_id
    time: at
    increment_by: day
features:
  customers:
    entity: customer
    from: silver.orders
    time: at
    windows: [1 day]
    measures: {spent: sum(amount), orders: count(*)}
model: {task: binary, spine: gold.purchases, label: amount > 2, split: {by: random}}
"""
# What Spark takes to its workers must not need the use case's folder there.
OWN = """
from pyspark.sql import functions as F


def euros(text):
    return float(text.replace(",", "."))


def amount(rows):
    return F.udf(euros, "double")("amount")
"""
ORDERS = """order_id,customer,at,amount
1,ann,2024-05-01 08:00:00,"1,5"
2,ann,2024-05-01 20:00:00,"2,5"
3,bob,2024-05-02 09:00:00,"0"
4,ann,2024-05-02 10:00:00,"4"
"""
# Two runs of a use case's stages: prints the kind of session and the versions of the tables after each.
TWO_RUNS = """
import json, sys
from pathlib import Path
from lakeloop.config import load
from lakeloop.session import session
from soak.harness import versions
from soak.worker import run

settings = load(Path(sys.argv[1]), "local", ["environment.remote=local[2]", f"environment.root={sys.argv[2]}"])
spark = session(settings)
found = []
for _ in range(2):
    run(spark, settings)
    found.append(versions(settings))
print(json.dumps([type(spark).__module__, *found]))
spark.stop()
"""


@pytest.mark.soak
@pytest.mark.classic("it compares the two kinds of session")
def test_a_run_on_spark_connect_gives_the_same_tables(use_case: MakeUseCase, tmp_path: Path) -> None:
    case = use_case(SHOP, **{"own.py": OWN})
    case.land("orders/1.csv", ORDERS, modified=datetime(2024, 5, 3))
    home, other = case.settings.folder, tmp_path / "connect"
    shutil.copytree(case.settings.resolve("{landing}"), other / "landing")
    here = [str(Path(__file__).parents[2] / name) for name in ("lib", "tests")]
    path = os.pathsep.join([*here, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", TWO_RUNS, str(home), str(other)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    kind, first, second = json.loads(done.stdout)
    assert kind == "pyspark.sql.connect.session"
    assert second == first
    run(case.spark, case.settings)
    on_connect = snapshot(load(home, "local", [f"environment.root={other}"]))
    assert set(on_connect) == {
        *("bronze.orders", "silver.orders", "quarantine.orders"),
        *("gold.purchases", "features.customers", "features.purchases"),
    }
    assert on_connect == snapshot(case.settings)
    assert len(on_connect["silver.orders"]) == 3 and len(on_connect["quarantine.orders"]) == 1
