"""Each group stands trial for itself; equal blocks are not judged by one of them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages.dependency.build import build_graph
from stages.dependency.differences import BREAKS, MOVES
from stages.dependency.graph import Graph
from tests.dependency.networks_under_test import conv

SHAPE, WIDTH = (2, 2, 6, 6), 8


class Block(nn.Module):
    """A residual block; a step of a kind is taken between its convolutions."""

    def __init__(self, step: Callable[[Tensor], Tensor]):
        super().__init__()
        self.a, self.b, self.step = conv(WIDTH, WIDTH), conv(WIDTH, WIDTH), step

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(self.step(self.a(x)))


class Tower(nn.Module):
    """Equal blocks between two convolutions; `flat` runs their layers without calling them."""

    def __init__(self, steps: Sequence[Callable[[Tensor], Tensor]], flat: bool = False):
        super().__init__()
        self.head, self.tail, self.flat = conv(2, WIDTH), conv(WIDTH, 3), flat
        self.blocks = nn.ModuleList(map(Block, steps))

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        for block in self.blocks:
            x = x + block.b(block.step(block.a(x))) if self.flat else block(x)
        return self.tail(x)


def viewed(x: Tensor) -> Tensor:
    """Hard-codes the number of channels."""
    return x.view(-1, WIDTH, 36).relu().view(-1, WIDTH, 6, 6)


def counted(x: Tensor) -> Tensor:
    """Runs with any number of channels, and gives what depends on it."""
    return x * x.shape[1]


def tower(count: int, guilty: Sequence[int], step: Callable[[Tensor], Tensor], flat: bool) -> Tower:
    return Tower([step if n in guilty else torch.relu for n in range(count)], flat)


def reasons_of(graph: Graph, tensor: str) -> set[str]:
    return {f.reason for f in graph.frozen if (f.tensor, f.axis) == (tensor, 0)}


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("step", "reason"), [(viewed, BREAKS), (counted, MOVES)])
def test_of_five_equal_blocks_those_stay_that_fail(
    step: Callable[[Tensor], Tensor], reason: str, flat: bool
) -> None:
    graph = build_graph(tower(5, (0, 4), step, flat), SHAPE)
    assert [g.name for g in graph.groups] == ["head", "blocks.1.a", "blocks.2.a", "blocks.3.a"]
    for number in (0, 4):
        (own,) = reasons_of(graph, f"blocks.{number}.a.weight")
        assert own.startswith(reason)


def test_each_has_the_reason_of_its_own_trial() -> None:
    """Trials take other shares of each group: so sizes in their reasons differ."""
    graph = build_graph(tower(5, (0, 4), viewed, flat=False), SHAPE)
    first, last = (reasons_of(graph, f"blocks.{n}.a.weight") for n in (0, 4))
    assert first.isdisjoint(last)


@pytest.mark.parametrize("step", [viewed, counted])
@pytest.mark.parametrize("guilty", [range(50), (31,), ()])
def test_fifty_equal_blocks_take_few_runs_of_the_network(
    guilty: Sequence[int], step: Callable[[Tensor], Tensor], operators: list[Any]
) -> None:
    network = tower(50, guilty, step, flat=False)
    graph = build_graph(network, SHAPE)
    expected = ["head", *(f"blocks.{n}.a" for n in range(50) if n not in guilty)]
    assert [group.name for group in graph.groups] == expected
    once = 2 + 50 * 4
    assert len(operators) < 20 * once, len(operators) / once


@pytest.mark.parametrize("guilty", [range(50), (31,)])
def test_fifty_blocks_that_are_no_modules_take_a_run_each(
    guilty: Sequence[int], operators: list[Any]
) -> None:
    graph = build_graph(tower(50, guilty, viewed, flat=True), SHAPE)
    expected = ["head", *(f"blocks.{n}.a" for n in range(50) if n not in guilty)]
    assert [group.name for group in graph.groups] == expected
    once = 2 + 50 * 4
    assert len(operators) < 50 * once, len(operators) / once


class EqualWidths(nn.Module):
    """Two branches of which one may shrink, but not both by different counts."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = conv(2, WIDTH), conv(WIDTH, 3)
        self.left, self.right = conv(WIDTH, 12), conv(WIDTH, 12)
        self.after_left, self.after_right = conv(12, WIDTH), conv(12, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        one, other = self.left(x), self.right(x)
        if max(one.shape[1], other.shape[1]) < 12:
            raise ValueError("one of both must be wide")
        return self.tail(self.after_left(one.relu()) + self.after_right(other.relu()))


def test_of_groups_that_fail_only_together_one_stays() -> None:
    graph = build_graph(EqualWidths(), SHAPE)
    assert [group.name for group in graph.groups] == ["head", "left", "after_left"]
    assert reasons_of(graph, "right.weight") == {f"{BREAKS}: ValueError: one of both must be wide"}


class Dependent(nn.Module):
    """A block that must stay, and one like it that runs only with what is outside of it: a number
    that the network noted before, or that it counted for it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.head, self.tail, self.how = conv(2, WIDTH), conv(WIDTH, 3), how
        self.blocks = nn.ModuleList([Block(viewed), Needy()])

    def forward(self, x: Tensor) -> Tensor:
        guilty, needy = self.blocks
        x, width = guilty(self.head(x)), needy.a.out_channels
        if self.how == "counted":
            return self.tail(needy(x, width))
        needy.noted = width
        x = self.tail(needy(x))
        needy.noted = None
        return x


class Needy(Block):
    def __init__(self) -> None:
        super().__init__(torch.relu)
        self.noted: int | None = None

    def forward(self, x: Tensor, width: int | None = None) -> Tensor:
        y = self.a(x).view(-1, width or self.noted, 36)
        return x + self.b(y.view(-1, width or self.noted, 6, 6))


@pytest.mark.parametrize("how", ["noted", "counted"])
def test_a_block_that_needs_what_is_outside_is_not_taken_for_guilty(how: str) -> None:
    graph = build_graph(Dependent(how), SHAPE)
    assert [group.name for group in graph.groups] == ["head", "blocks.1.a"]
