"""The package works on Spark Connect: what Connect does not have stands in a few named modules alone."""

from __future__ import annotations

import ast

import pytest

from .test_layers import MODULES

# Of classic Spark alone: its context and RDDs, and the way into its JVM.
CLASSIC = {"sparkContext", "rdd", "_sc", "_jvm", "_jsc", "_jdf", "_jsparkSession"}
NAMES = {"SparkContext", "SQLContext", "RDD"}
# Delta's own Python API calls the JVM too.
LIBRARIES = {"py4j", "delta"}

# Where a session is made, where a search is sent to workers, which on Connect it is not, and where a plan is asked
# whether rows have to be looked at, which on Connect they are.
MAY = {"session", "connect", "modelling.spark_trials", "uniqueness"}


def _classic(tree: ast.Module) -> set[str]:
    """What a module uses that is of classic Spark alone."""
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & CLASSIC
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] in LIBRARIES}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names} & NAMES
            found |= {str(node.module)} if str(node.module).split(".")[0] in LIBRARIES else set()
    return found


def test_few_modules_use_what_spark_connect_does_not_have() -> None:
    assert {name for name, tree in MODULES.items() if _classic(tree)} == MAY


@pytest.mark.parametrize(
    "line",
    [
        "frame.rdd.map(f)",
        "spark.sparkContext.broadcast(1)",
        "x = frame._jdf.queryExecution()",
        "from pyspark import SparkContext",
        "def f():\n    from delta.tables import DeltaTable",
    ],
)
def test_a_use_would_be_seen(line: str) -> None:
    assert _classic(ast.parse(line))
