"""What each element of a network's tensors costs, in the goals that pruning may have.

A layer's parameters, multiply-accumulates and bytes are all its weight's elements times a price
that removing channels does not change: 1; the positions that meet each element; the bytes of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

Goal = Literal["parameters", "macs", "bytes"]

Lengths = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Prices:
    """Of an element of each tensor (of others, nothing), and of what no tensor's length changes.

    `goal` is what they add up to.
    """

    goal: Goal
    elements: Mapping[str, float]
    rest: float = 0.0

    def cost(self, shapes: Lengths) -> int:
        """The cost of a network whose tensors have these shapes."""
        return round(self.rest + sum(self.of(name, shape) for name, shape in shapes.items()))

    def of(self, name: str, shape: tuple[int, ...]) -> float:
        """The cost of one tensor."""
        return self.elements.get(name, 0.0) * prod(shape)

    @property
    def of_tensors(self) -> "Prices":
        """The same without the rest, which may change too: activations multiplied with each other,
        in attention, are no weight's, and get fewer with the channels."""
        return replace(self, rest=0.0)


def prices_of(goal: Goal, shapes: Lengths, known: Mapping[str, Any]) -> Prices:
    """Prices for a goal: of parameters 1 each of `shapes`, of others what is `known` by goal."""
    if goal == "parameters":
        return Prices(goal, dict.fromkeys(shapes, 1.0))
    return Prices(goal, known[goal]["elements"], known[goal]["rest"])
