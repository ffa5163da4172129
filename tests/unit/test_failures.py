"""What Spark failed at is told in words that a user can act on."""

from __future__ import annotations

import pytest
from pyspark.errors import AnalysisException

from lakeloop.errors import ConfigurationError, LakeloopError, MachineError
from lakeloop.failures import explained


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("java.io.IOException: No space left on device", MachineError, "gold.sales: the disk is full"),
        ("Answer from Java side is empty", MachineError, "gold.sales: Spark's Java process has ended"),
        (
            "<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE\n\tdetails = ...",
            MachineError,
            "gold.sales: Spark's server does not answer any more",
        ),
        ("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] x", LakeloopError, "gold.sales: somebody else wrote to the table"),
        ("java.lang.OutOfMemoryError: Java heap space", MachineError, "gold.sales: Spark ran out of memory"),
    ],
)
def test_a_fault_is_told_with_what_to_do(text: str, kind: type[LakeloopError], words: str) -> None:
    found = explained("gold", "gold.sales", AnalysisException(text))
    assert type(found) is kind
    assert words in str(found)


def test_an_expression_that_does_not_fit_is_a_mistake_in_the_configuration() -> None:
    said = "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `amuont` cannot be resolved. SQLSTATE: 42703; line 1"
    error = explained("silver", "silver.orders", AnalysisException(said))
    assert isinstance(error, ConfigurationError)
    [problem] = error.problems
    assert (problem.where, problem.found) == ("silver.orders", "A column with name `amuont` cannot be resolved.")
    assert "lakeloop check" in problem.hint
