"""Running a network up to the contractions that are asked for."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stages.contractions.calls import Call, CallsSeen
from stages.dependency.tracing import same_draws, tensors_of

Wanted = Mapping[int, Callable[[Call], None]]  # by the number of the call, from 0


class _Enough(BaseException):
    """Ends a run; no handler of exceptions in a user's code takes it for one of its own."""


class Seen(NamedTuple):
    """Every contraction with a parameter, in order, and parameters that others compute with."""

    calls: list[Call]
    elsewhere: set[str]


def all_calls(network: nn.Module, inputs: Tensor) -> Seen:
    """What one run in evaluation mode uses."""
    calls: list[Call] = []
    watch = CallsSeen(network, calls.append)
    _run(network, inputs, watch)
    return Seen(calls, watch.elsewhere)


def run_until(network: nn.Module, inputs: Tensor, wanted: Wanted) -> None:
    """Run `network` up to the last of the calls that are wanted, and hand each over."""
    number, last = 0, max(wanted)

    def seen(call: Call) -> None:
        nonlocal number
        if number in wanted:
            wanted[number](call)
        if number == last:
            raise _Enough
        number += 1

    with suppress(_Enough):
        _run(network, inputs, CallsSeen(network, seen))


def outputs_of(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """What `network` gives in evaluation mode, without gradients."""
    with torch.no_grad(), same_draws():
        return tensors_of(network.eval()(inputs.clone()))


def _run(network: nn.Module, inputs: Tensor, watch: CallsSeen) -> None:
    fast = torch.backends.mha.get_fastpath_enabled()  # it does a whole layer's work at once
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with watch:
            outputs_of(network, inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
