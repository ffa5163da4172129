"""Who does what when, and what the measured costs come to."""

import math

from bench.contest import Contestant, Costs, in_turn
from bench.cost import Cost, measured
from bench.result import Goal


def test_contestants_take_turns_and_prepare_before_each() -> None:
    done: list[str] = []

    def contestant(name: str) -> Contestant:
        parts = {part: (lambda part=part: done.append(f"{name} {part}")) for part in ("one", "two")}
        return Contestant(name, lambda: done.append(f"{name} prepares"), parts)

    found = in_turn([contestant("a"), contestant("b")], 2, lambda text: None)

    assert done == ["a prepares", "a one", "a two", "b prepares", "b one", "b two"] * 2
    assert [list(costs) for costs in found["a"].rounds] == [["one", "two"], ["one", "two"]]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    ours = Costs(
        [{"x": Cost(1, 2), "y": Cost(1, 2)}, {"x": Cost(5, 4), "y": Cost(5, 4)}, {"x": Cost(3, 3), "y": Cost(3, 3)}]
    )
    theirs = Costs([{"z": Cost(4, 1)}, {"z": Cost(2, 1)}, {"z": Cost(2, 1)}])

    # 2/4, 10/2, 6/2; 4, 8, 6
    assert ours.ratio(theirs) == Cost(3, 6)
    assert ours.total() == Cost(6, 6)
    assert ours.parts() == {"x": Cost(3, 3), "y": Cost(3, 3)}


def test_cpu_seconds_are_of_work_and_not_of_waiting() -> None:
    def work() -> None:
        sum(number * number for number in range(1_000_000))

    cost = measured(work)

    assert math.isnan(cost.cpu) or cost.cpu > 0
    assert cost.seconds > 0


def test_a_goal_is_for_the_clock() -> None:
    assert Goal("quick", Cost(5.9, 9), 6).reached
    assert not Goal("quick", Cost(6.1, 1), 6).reached
