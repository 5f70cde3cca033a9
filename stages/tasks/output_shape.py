"""Whether what a network gives fits the data."""

import torch
from torch import nn

from stages.errors import UserError
from stages.tasks.task import Fit


def refuse_misfit(network: nn.Module, fit: Fit) -> None:
    """Run `network` on zeros, and refuse it where its output does not fit.

    Raises:
        UserError: if it does not run, or its output has another shape.
    """
    try:
        with torch.no_grad():
            output = tuple(network.eval()(torch.zeros(fit.inputs)).shape)
    except Exception as error:  # whatever a user's own forward pass may raise
        reason = str(error).split("\n")[0]
        raise UserError(
            f"the network does not take inputs of shape {fit.inputs}: {reason}"
        ) from error
    if output != fit.outputs:
        raise UserError(
            f"the network turns {fit.inputs} into {output}, but {fit.need} {fit.outputs}"
        )
