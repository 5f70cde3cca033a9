"""Sizes that code reads: those that count channels say how, and note what is asked of them."""

import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from stages.dependency.nodes import Labelling, Numbers
from stages.networks.reshape import sizes_of

Count = Callable[[Numbers], Any]  # how many of some nodes are left: a number, or an array of them
Formula = Callable[[Count], Any]

MOST_TERMS = 100  # of a formula: what code sums up in a long loop is a number like any other


@dataclass(frozen=True)
class Comparison:
    """What code asked of two numbers of which one counts channels, where, and the answer."""

    function: Callable[[Any, Any], Any]
    left: Formula
    right: Formula
    answer: bool
    place: tuple[Any, ...]

    def answered(self, count: Count) -> Any:
        """The answer, or an array of them, where other numbers of channels are left."""
        return self.function(self.left(count), self.right(count))


class Width(int):
    """A number that follows from numbers of channels; so does what is computed from it."""

    of: Formula
    asked: list[Comparison]
    terms: int  # of the formula

    def __bool__(self) -> bool:
        return bool(_compare(operator.ne, self, 0))

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)  # a copy, or what is pickled, is a plain number


def counting(nodes: Numbers, value: int, asked: list[Comparison]) -> Width:
    """A number that is as many times the number of these nodes as it is now.

    Comparisons with it, and with what is computed from it, are noted in `asked`.
    """
    whole = max(1, len(nodes))
    return _made(value, lambda count: count(nodes) * value // whole, asked, 1)


def _made(value: int, of: Formula, asked: list[Comparison], terms: int) -> Width:
    made = Width(value)
    made.of, made.asked, made.terms = of, asked, terms
    return made


def _formula(number: Any) -> Formula:
    return number.of if isinstance(number, Width) else lambda _: number


def _compare(function: Callable[[Any, Any], Any], one: Width, other: Any) -> Any:
    if not isinstance(other, int | float):
        return NotImplemented
    answer = function(int(one), int(other) if isinstance(other, Width) else other)
    caller = sys._getframe(2)
    place = caller.f_code, caller.f_lineno, function
    one.asked.append(Comparison(function, one.of, _formula(other), answer, place))
    return answer


def _compared(function: Callable[[Any, Any], Any]) -> Callable[[Width, Any], Any]:
    return lambda one, other: _compare(function, one, other)


def _computed(function: Callable[[Any, Any], Any], reflected: bool) -> Callable[[Width, Any], Any]:
    def result(one: Width, other: Any) -> Any:
        if type(other) not in (int, Width):
            return NotImplemented
        left, right = (other, one) if reflected else (one, other)
        value, terms = function(int(left), int(right)), one.terms + getattr(other, "terms", 1)
        if terms > MOST_TERMS:
            return value
        first, second = _formula(left), _formula(right)
        return _made(value, lambda count: function(first(count), second(count)), one.asked, terms)

    return result


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Width, f"__{_name}__", _compared(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "floordiv", "mod"):
    setattr(Width, f"__{_name}__", _computed(getattr(operator, _name), reflected=False))
    setattr(Width, f"__r{_name}__", _computed(getattr(operator, _name), reflected=True))


@contextmanager
def sizes_marked(
    network: nn.Module, labelling: Labelling, asked: list[Comparison]
) -> Iterator[None]:
    """Inside, the sizes that layers hold are such numbers."""
    before = []
    for module in (module for module in network.modules() if module._parameters):
        for size, attribute, axis in sizes_of(module):
            tensor, own = getattr(module, attribute, None), vars(module)
            name = labelling.names.get(id(tensor)) if isinstance(tensor, Tensor) else None
            if name is not None and type(own.get(size)) is int:
                before.append((own, size, own[size]))
                nodes = labelling.along(name, axis).numpy()
                own[size] = counting(nodes, own[size], asked)
    try:
        yield
    finally:
        for own, size, value in before:
            own[size] = value
