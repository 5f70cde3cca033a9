"""What each element of a network's tensors costs, in the goals that pruning may have.

A layer's parameters, multiply-accumulates and bytes are all its weight's elements times a price
that removing channels does not change: 1; the positions that meet each element; the bytes of one.
Time is looked up for the lengths that a weight's axes have left, as it was measured over them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

from stages.channels.tables import Table, table_from

Goal = Literal["parameters", "macs", "bytes", "time"]

Lengths = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Prices:
    """Of an element of each tensor (of others, nothing), and of what no tensor's length changes.

    `goal` is what they add up to. Time, in ns: `tables` hold it by the lengths of a tensor's first
    two axes, and `lengths` axes of a tensor and the price of each index of them.
    """

    goal: Goal
    elements: Mapping[str, float]
    rest: float = 0.0
    tables: Mapping[str, Sequence[Table]] = field(default_factory=dict)
    lengths: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)

    def cost(self, shapes: Lengths) -> int:
        """The cost of a network whose tensors have these shapes."""
        return round(self.rest + sum(self.of(name, shape) for name, shape in shapes.items()))

    def of(self, name: str, shape: tuple[int, ...]) -> float:
        """The cost of one tensor."""
        cost = self.elements.get(name, 0.0) * prod(shape)
        cost += sum(table.at(*shape[:2]) for table in self.tables.get(name, ()))
        return cost + sum(each * shape[axis] for axis, each in self.lengths.get(name, ()))

    @property
    def of_tensors(self) -> "Prices":
        """The same without the rest, which may change too: activations multiplied with each other,
        in attention, are no weight's, and get fewer with the channels."""
        return replace(self, rest=0.0)


NS_PER_MS = 1e6


def amount(goal: Goal, cost: float) -> str:
    """A cost as people read it."""
    return f"{cost / NS_PER_MS:,.3f} ms" if goal == "time" else f"{cost:,.0f} {goal}"


def prices_of(goal: Goal, shapes: Lengths, known: Mapping[str, Any]) -> Prices:
    """Prices for a goal: of parameters 1 each of `shapes`, of others what is `known` by goal."""
    if goal == "parameters":
        return Prices(goal, dict.fromkeys(shapes, 1.0))
    of_goal = known[goal]
    tables = {
        name: [table_from(one) for one in several]
        for name, several in of_goal.get("tables", {}).items()
    }
    elements, rest = of_goal["elements"], of_goal["rest"]
    return Prices(goal, elements, rest, tables, of_goal.get("lengths", {}))
