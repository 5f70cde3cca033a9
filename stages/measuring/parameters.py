"""How many parameters a network has."""

from torch import nn


def count_parameters(network: nn.Module) -> int:
    """Number of parameters; those shared by several modules count once."""
    return sum(parameter.numel() for parameter in network.parameters())
