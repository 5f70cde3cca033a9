"""Numbers as a tensor times a power of two, so that deep positive networks do not overflow."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

LARGE = 2.0**200  # beyond it, or below its inverse, values are divided by a power of two
BIAS = {
    "linear": 2, "conv1d": 2, "conv2d": 2, "conv3d": 2, "conv_transpose1d": 2,
    "conv_transpose2d": 2, "conv_transpose3d": 2, "batch_norm": 4, "instance_norm": 4,
}  # fmt: skip
SUMS = {"add", "sub", "rsub", "radd"}  # in these a number is a value of its own
JOINS = {*SUMS, "cat", "concat", "concatenate", "stack", "hstack", "vstack", "where", "maximum",
         "minimum", "addmm", "baddbmm"}  # fmt: skip

Call = tuple[Any, dict[str, Any]]


def shift_of(values: Tensor) -> int:
    """The exponent of the largest of `values` if it is out of range, else 0."""
    peak = float(values.detach().amax()) if values.numel() else 0.0
    if not math.isfinite(peak) or peak <= 0 or 1 / LARGE < peak < LARGE:
        return 0
    return math.frexp(peak)[1]


def align(
    function: str, args: Any, kwargs: dict[str, Any], exponents: Mapping[int, int]
) -> tuple[Any, dict[str, Any], int]:
    """Arguments of one exponent, the largest; `exponents` are those of activations, by id.

    Where values are joined, all other tensors, and numbers that are added, are values too.
    """
    name, in_place = function.strip("_"), function.endswith("_") and not function.endswith("__")
    joins = name in JOINS
    largest = max([*exponents.values(), *([0] if joins else [])])
    if not any([largest, *exponents.values()]):
        return args, kwargs, 0

    def scaled(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            return leaf
        if id(leaf) not in exponents and not joins:
            return leaf
        shift = exponents.get(id(leaf), 0) - largest
        if not shift:
            return leaf
        if in_place and leaf is args[0]:  # code may hold on to it, and not to what is returned
            return leaf.mul_(2.0**shift)
        return leaf * 2.0**shift

    args, kwargs = tree_map(scaled, args), tree_map(scaled, kwargs)
    if name in SUMS and len(args) > 1 and isinstance(args[1], int | float):
        args = (args[0], args[1] * 2.0**-largest, *args[2:])
    return args, kwargs, largest


def scale_bias(name: str, args: Any, kwargs: dict[str, Any], exponent: int) -> Call:
    """Arguments with the bias of a layer in the unit of the layer's input."""
    place = BIAS.get(name)
    if not exponent or place is None:
        return args, kwargs
    if len(args) > place and args[place] is not None:
        bias = args[place] * 2.0**-exponent
        return (*args[:place], bias, *args[place + 1 :]), kwargs
    if kwargs.get("bias") is not None:
        return args, {**kwargs, "bias": kwargs["bias"] * 2.0**-exponent}
    return args, kwargs
