"""Which tensors of a network count as weights."""

from collections.abc import Collection

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

NORMALISATION = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

WEIGHTS, BIASES, NORMS = "weights", "biases", "normalisation"


def prunable(network: nn.Module, include: Collection[str] = (WEIGHTS,)) -> dict[str, nn.Parameter]:
    """Parameters of the kinds to `include`, by name, in the order of the network.

    `weights` have two axes or more, `biases` are all other parameters outside normalisation
    layers, and `normalisation` are those inside. Parameters that modules share count once.
    """
    inside = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, NORMALISATION)
        for parameter in module.parameters(recurse=False)
    }
    chosen = {}
    for name, parameter in network.named_parameters():
        kind = WEIGHTS if parameter.dim() > 1 else BIASES
        if id(parameter) in inside:
            kind = NORMS
        if kind in include:
            chosen[name] = parameter
    return chosen
