"""Importance of units: how much of the network each one is."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.dependency.graph import Graph, Group

Importance = dict[str, NDArray[np.float64]]  # a value per unit, by group name
Kind = Literal["norm2", "mean", "taylor"]


def unit_importance(
    network: nn.Module,
    graph: Graph,
    kind: Kind,
    gradients: Mapping[str, Tensor] | None = None,
) -> Importance:
    """Importance of every unit over all its slices of parameters, relative to its group's mean.

    `norm2` is the Euclidean norm and `mean` the average magnitude (both MPAI EVC-UFV, channel
    ranking); `taylor` is the sum of (weight x gradient)^2 (Molchanov et al., CVPR 2019, eq. 8)
    and needs `gradients` by parameter name. Dividing by the group's mean makes groups comparable,
    and sums the same as averages, as units of a group are of one size.
    """
    if kind == "taylor" and gradients is None:
        raise ValueError("taylor importance needs gradients")
    values: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        weight = parameter.detach().cpu().double()
        if kind == "mean":
            values[name] = weight.abs()
        elif kind == "taylor" and gradients is not None:
            values[name] = (weight * gradients[name].cpu().double()) ** 2
        else:
            values[name] = weight**2
    return {group.name: _relative(_unit_values(group, values, kind)) for group in graph.groups}


def taylor_values(network: nn.Module, graph: Graph, gradients: Mapping[str, Tensor]) -> Importance:
    """The sum of (weight x gradient)^2 of every unit, as it is."""
    values = {
        name: (p.detach().cpu().double() * gradients[name].cpu().double()) ** 2
        for name, p in network.named_parameters()
    }
    return {group.name: _unit_values(group, values, "taylor") for group in graph.groups}


def unit_norms(network: nn.Module, graph: Graph) -> Importance:
    """Euclidean norm of every unit over all its slices of parameters."""
    squares = {name: p.detach().cpu().double() ** 2 for name, p in network.named_parameters()}
    return {group.name: _unit_values(group, squares, "norm2") for group in graph.groups}


def _unit_values(group: Group, values: Mapping[str, Tensor], kind: Kind) -> NDArray[np.float64]:
    total = np.zeros(group.units)
    for part in group.slices:
        if part.tensor not in values:
            continue  # a buffer, such as running statistics
        tensor = values[part.tensor]
        others = [axis for axis in range(tensor.dim()) if axis != part.axis]
        along = (tensor.sum(dim=others) if others else tensor).numpy()
        total += along[part.indices].sum(axis=1)
    return np.sqrt(total) if kind == "norm2" else total


def _relative(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = values.mean()
    return values / mean if mean > 0 else values
