"""Kinds of ATen operators."""

from functools import cache
from typing import Any

import torch

aten = torch.ops.aten

# Those that give the axes of a tensor another order or number, in place.
MOVES_IN_PLACE = frozenset({
    aten.squeeze_.default, aten.squeeze_.dim, aten.squeeze_.dims, aten.unsqueeze_.default,
    aten.transpose_.default, aten.t_.default, aten.swapaxes_.default, aten.swapdims_.default,
})  # fmt: skip
# Copies are made, or not, as strides happen to be; no numbers change by them.
COPIES = frozenset({"clone", "contiguous", "_to_copy", "_unsafe_view", "lift_fresh"})


@cache
def computes(operator: Any) -> bool:
    """Whether an operator makes numbers, and does not only show or copy those that there are."""
    return not operator.is_view and operator.overloadpacket.__name__ not in COPIES
