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

SMALLER = 0.8  # of a layer's columns: with fewer left, those that are out are dropped
TURNS = 64  # of a group, in each of which such a part of what is left of it goes


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
    found, gradients = curvatures(network, graph, samples, loss)
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
    """What each unit costs at its turn, the running maximum of it.

    Of very many units, those of a turn go together.
    """
    left, found = np.arange(units), np.zeros(units)
    while len(left):
        costs = sum((reader.costs(left).numpy() for reader in readers), np.zeros(len(left)))
        turn = costs.argsort(kind="stable")[: max(1, len(left) // TURNS)]
        found[left[turn]] = np.maximum(costs[turn], found.max())
        for reader in readers:
            reader.remove(left[turn])
        left = np.delete(left, turn)
    return found


class Reader:
    """A layer, or a group of one, that reads units: what it costs to do without some of them.

    `weighed` is W' Gamma W and `inverse` G^-1, both (columns, columns); `columns` are each unit's.
    """

    def __init__(self, weighed: Tensor, inverse: Tensor, columns: Tensor):
        self.weighed, self.inverse, self.columns = weighed, inverse, columns
        self.left = torch.ones(len(inverse), dtype=torch.bool)

    def costs(self, units: NDArray[np.int64]) -> Tensor:
        """tr(Gamma W_S (G^-1_SS)^-1 W_S') for the columns S of each unit."""
        columns = self.columns[units]
        inner, own = (
            matrix[columns[:, :, None], columns[:, None, :]]
            for matrix in (self.inverse, self.weighed)
        )
        ratio: Tensor = torch.linalg.solve(inner, own)
        return ratio.diagonal(dim1=1, dim2=2).sum(1)

    def remove(self, units: NDArray[np.int64]) -> None:
        """Take units' columns out; the others are refitted: W becomes W - W_S P."""
        gone = self.columns[units].flatten()
        spread = torch.linalg.solve(self.inverse[gone[:, None], gone], self.inverse[gone])
        self.inverse.addmm_(self.inverse[:, gone], spread, alpha=-1)
        self.weighed.addmm_(self.weighed[:, gone], spread, alpha=-1)
        self.weighed.addmm_(spread.mT, self.weighed[gone], alpha=-1)
        self.left[gone] = False
        if self.left.sum() < SMALLER * len(self.left):
            self._forget()

    def _forget(self) -> None:
        """Drop the columns that are out, so that turns get cheaper."""
        self.inverse = self.inverse[self.left][:, self.left]
        self.weighed = self.weighed[self.left][:, self.left]
        self.columns = (self.left.cumsum(0) - 1)[self.columns]
        self.left = self.left[self.left]


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
        columns = _columns(part, layer, place, weight, curvature.channels is not None)
        if columns is not None:
            ridge = strength * inputs.diagonal().mean().clamp(min=1e-30)
            inverse = torch.linalg.inv(inputs + ridge * torch.eye(len(inputs), dtype=inputs.dtype))
            by_tap = _by_tap(matrix, curvature.channels)
            weighed = (by_tap.mT @ (gradients @ by_tap)).sum(0)
            yield Reader(weighed, inverse, columns)


def _by_tap(matrix: Tensor, channels: Tensor | None) -> Tensor:
    """A layer's matrix (taps, outputs, channels), or as it is (1, outputs, columns)."""
    return matrix.unsqueeze(0) if channels is None else matrix[:, channels.T].movedim(1, 0)


def _columns(
    part: Slice, layer: Layer, place: int, weight: Tensor, together: bool
) -> Tensor | None:
    """The columns of each unit (units, each) in a group of a layer; None if they are uneven.

    Where a channel's columns are taken `together`, they are the channels of each unit.
    """
    geometry, taps = layer.geometry, int(np.prod(weight.shape[2:]))
    indices = part.indices
    if together:
        if geometry is None:
            return torch.arange(len(indices)).unsqueeze(1)
        return torch.from_numpy(indices)
    if geometry is not None and geometry.transposed:
        each = len(weight) // geometry.groups
        held = indices // each == place
        counts = held.sum(axis=1)
        if not counts.all() or np.ptp(counts):
            return None
        indices = (indices[held] % each).reshape(len(indices), -1)
    columns = indices[:, :, None] * taps + np.arange(taps)
    return torch.from_numpy(columns.reshape(len(indices), -1))
