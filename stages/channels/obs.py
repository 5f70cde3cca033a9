"""Importance by what repair cannot mend: the optimal brain surgeon, over channels.

Hassibi and Stork, "Second order derivatives for network pruning: optimal brain surgeon", NIPS 1992;
Kronecker-factored as in Wang et al., "EigenDamage", ICML 2019.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.channels.curvature import Curvature, Loss, Samples, curvatures
from stages.channels.importance import Importance, taylor_values
from stages.contractions.calls import Layer
from stages.contractions.matrices import as_matrices, own_rows
from stages.dependency.graph import READS, Graph, Group, Slice


def obs_importance(
    network: nn.Module, graph: Graph, samples: Samples, loss: Loss, strength: float
) -> tuple[Importance, list[str]]:
    """How much the loss rises without each unit once all other inputs are refitted.

    Within a group units go one by one, the cheapest first, and the others take over its part
    before the next one is judged; a unit's importance is the largest cost up to its own. Without
    that, units that stand in for each other would all look cheap. Costs of groups compare as they
    are. `strength` is that of the ridge, as for repair.

    Groups that no such layer reads are ranked by the sum of (weight x gradient)^2, scaled so that
    over the others it is what their costs are; their names come second.
    """
    found, gradients = curvatures(network, samples, loss)
    importance: Importance = {}
    for group in graph.groups:
        readers = [*_readers(network, group, found, strength)]
        if readers:
            importance[group.name] = _one_by_one(readers, group.units)
    others = [group.name for group in graph.groups if group.name not in importance]
    if others:
        values = taylor_values(network, graph, gradients)
        ranked = sum(float(values[name].sum()) for name in importance)
        total = sum(float(cost.sum()) for cost in importance.values())
        scale = total / ranked if ranked and total else 1.0
        importance |= {name: scale * values[name] for name in others}
    return importance, others


def _one_by_one(readers: "list[Reader]", units: int) -> NDArray[np.float64]:
    """What each unit costs at its turn, the running maximum of it."""
    left, highest = np.arange(units), 0.0
    found = np.zeros(units)
    while len(left):
        costs = sum((reader.costs(left).numpy() for reader in readers), np.zeros(len(left)))
        cheapest = int(costs.argmin())
        highest = max(highest, float(costs[cheapest]))
        found[left[cheapest]] = highest
        for reader in readers:
            reader.remove(left[cheapest])
        left = np.delete(left, cheapest)
    return found


class Reader:
    """A layer, or a group of one, that reads units: what it costs to do without some of them."""

    def __init__(self, weight: Tensor, inverse: Tensor, gradients: Tensor, columns: Tensor):
        self.weight, self.inverse = weight.clone(), inverse.clone()
        self.gradients, self.columns = gradients, columns

    def costs(self, units: NDArray[np.int64]) -> Tensor:
        """tr(Gamma W_S (G^-1_SS)^-1 W_S') for the columns S of each unit."""
        columns = self.columns[units]
        inner = self.inverse[columns[:, :, None], columns[:, None, :]]
        weighed = self.gradients @ self.weight
        own, other = (w[:, columns].movedim(0, 1) for w in (self.weight, weighed))
        ratio: Tensor = torch.linalg.solve(inner, own.mT @ other)
        return ratio.diagonal(dim1=1, dim2=2).sum(1)

    def remove(self, unit: int) -> None:
        """Take the unit's columns out; the others are refitted."""
        gone = self.columns[unit]
        spread = torch.linalg.solve(self.inverse[gone[:, None], gone], self.inverse[gone])
        self.weight -= self.weight[:, gone] @ spread
        self.inverse -= self.inverse[:, gone] @ spread


def _readers(
    network: nn.Module, group: Group, found: Mapping[Layer, Curvature], strength: float
) -> Iterator[Reader]:
    for part in group.slices:
        for layer in found:
            if part.role == READS and layer.weight == part.tensor:
                yield from _readers_of(network, part, layer, found[layer], strength)


def _readers_of(
    network: nn.Module, part: Slice, layer: Layer, curvature: Curvature, strength: float
) -> Iterator[Reader]:
    weight = own_rows(network, layer).double().cpu()
    matrices = as_matrices(weight, layer.geometry)
    for place, (matrix, inputs, gradients) in enumerate(
        zip(matrices, curvature.mean_inputs, curvature.gradients, strict=True)
    ):
        columns = _columns(part, layer, place, matrix.shape[1], weight)
        if columns is not None:
            ridge = strength * inputs.diagonal().mean().clamp(min=1e-30)
            inverse = torch.linalg.inv(inputs + ridge * torch.eye(len(inputs), dtype=inputs.dtype))
            yield Reader(matrix, inverse, gradients, columns)


def _columns(part: Slice, layer: Layer, place: int, count: int, weight: Tensor) -> Tensor | None:
    """The columns of each unit (units, each) in a group of a layer; None if they are uneven."""
    geometry, taps = layer.geometry, int(np.prod(weight.shape[2:]))
    indices = part.indices
    if geometry is not None and geometry.transposed:
        each = len(weight) // geometry.groups
        held = indices // each == place
        counts = held.sum(axis=1)
        if not counts.all() or np.ptp(counts):
            return None
        indices = (indices[held] % each).reshape(len(indices), -1)
    columns = indices[:, :, None] * taps + np.arange(taps)
    return torch.from_numpy(columns.reshape(len(indices), -1))
