"""Whether what a network gives fits the data."""

import torch
from torch import nn

from stages.errors import UserError


def refuse_misfit(
    network: nn.Module, shape: tuple[int, ...], expected: tuple[int, ...], need: str
) -> None:
    """Run `network` on zeros of `shape`; `need` says what makes `expected` of its output.

    Raises:
        UserError: if it does not run, or its output has another shape.
    """
    try:
        with torch.no_grad():
            output = tuple(network.eval()(torch.zeros(shape)).shape)
    except Exception as error:  # whatever a user's own forward pass may raise
        reason = str(error).split("\n")[0]
        raise UserError(f"the network does not take inputs of shape {shape}: {reason}") from error
    if output != expected:
        raise UserError(f"the network turns {shape} into {output}, but {need} {expected}")
