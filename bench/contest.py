"""Contestants that do the same work in turn, so that whatever the machine does meanwhile befalls all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import median

from bench.cost import Cost, measured

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Contestant:
    """``parts`` are done in order, and measured each; ``prepare`` goes before them in each round and is not."""

    name: str
    prepare: Callable[[], object]
    parts: Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Costs:
    """What a contestant's parts cost, round by round."""

    rounds: Sequence[Mapping[str, Cost]]

    def parts(self) -> dict[str, Cost]:
        """The median of each part."""
        return {part: _median([costs[part] for costs in self.rounds]) for part in self.rounds[0]}

    def totals(self) -> list[Cost]:
        """All parts together, of each round."""
        return [reduce(Cost.__add__, costs.values()) for costs in self.rounds]

    def total(self) -> Cost:
        """The median of the totals."""
        return _median(self.totals())

    def ratio(self, other: Costs) -> Cost:
        """How many times what the other costs: the median of the rounds' ratios."""
        pairs = zip(self.totals(), other.totals(), strict=True)
        return _median([Cost(one.seconds / two.seconds, one.cpu / two.cpu) for one, two in pairs])


def in_turn(contestants: Sequence[Contestant], rounds: int, tell: Tell) -> dict[str, Costs]:
    """The costs of each contestant by its name: every round goes through all of them."""
    found: dict[str, list[dict[str, Cost]]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        for contestant in contestants:
            contestant.prepare()
            costs = {}
            for part, work in contestant.parts.items():
                tell(f"round {number + 1} of {rounds}: {contestant.name}, {part}")
                costs[part] = measured(work)
            found[contestant.name].append(costs)
    return {name: Costs(costs) for name, costs in found.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.seconds for cost in costs), median(cost.cpu for cost in costs))
