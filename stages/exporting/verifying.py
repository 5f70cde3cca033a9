"""Comparing what an exported file gives with what the network gives: values, at several shapes."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stages.errors import UserError
from stages.exporting.quiet import cause

LIMIT = 1e-5  # of the largest output
BATCHES = 1, 3

Shape = tuple[int, ...]


def shapes_to_check(
    shape: Shape, dynamic_axes: Sequence[int], runs: Callable[[Shape], bool]
) -> list[Shape]:
    """Three shapes in two batch sizes, so far as axes may have other lengths.

    Axes from the third on are sides. The third shape has odd ones where the network `runs` on it,
    else multiples of the example's, as the second has.
    """
    sides = [axis for axis in dynamic_axes if axis > 1]
    odd = _with(shape, {axis: 2 * shape[axis] + 2 * axis - 1 for axis in sides})
    third = odd if runs(odd) else _with(shape, {axis: 3 * shape[axis] for axis in sides[:1]})
    second = _with(shape, {axis: axis * shape[axis] for axis in sides})
    batches = BATCHES if 0 in dynamic_axes else shape[:1]
    return list(dict.fromkeys((n, *s[1:]) for n in batches for s in (shape, second, third)))


def _with(shape: Shape, lengths: dict[int, int]) -> Shape:
    return tuple(lengths.get(axis, length) for axis, length in enumerate(shape))


def runs_on(network: nn.Module, x: Tensor) -> bool:
    """Whether a network takes an input at all."""
    try:
        with torch.no_grad():
            network(x)
    except Exception:  # whatever a user's own forward pass may raise
        return False
    return True


def verified(network: nn.Module, exported: nn.Module, inputs: Sequence[Tensor]) -> float:
    """The largest difference of outputs over `inputs`, as a share of the largest output of each.

    Raises:
        UserError: if it is more than allowed, an output has another shape, or the file fails.
    """
    error = max(_error(network, exported, x) for x in inputs)
    if not error <= LIMIT:
        raise UserError(f"it is off by {error:.1e} of the largest output; {LIMIT:.0e} is allowed")
    return error


def _error(network: nn.Module, exported: nn.Module, x: Tensor) -> float:
    with torch.no_grad():
        expected = network(x.clone())
        try:
            given = exported(x.clone())
        except Exception as error:  # whatever a runtime may raise
            raise UserError(f"it fails on {tuple(x.shape)}: {cause(error)}") from error
    if given.shape != expected.shape:
        raise UserError(
            f"it turns {tuple(x.shape)} into {tuple(given.shape)}, not {tuple(expected.shape)}"
        )
    if not torch.isfinite(given).all():
        return float("inf")
    scale = expected.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    return float((given - expected).abs().max() / scale)
