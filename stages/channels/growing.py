"""Growing regularisation on whole units (Wang et al., "Neural Pruning via Growing
Regularization", ICLR 2021, section 3): penalties that grow to a ceiling and are then held.

The paper's penalty is weight decay under SGD, that is a shrinking of the weight by
learning rate x penalty in every iteration. It is applied as just that, after the optimiser's
step, so that Adam does not rescale it.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stages.channels.importance import Importance, unit_norms
from stages.dependency.graph import Graph, Removed


def growing_share(iteration: int, grow: int) -> float:
    """Share of the ceiling in force at `iteration`, from 0: it grows for `grow`, then holds."""
    return min(1.0, (iteration + 1) / grow)


def relative_ceilings(importance: Importance, ceiling: float) -> Importance:
    """Regime `growing`: the least important unit of all gets `ceiling`, the most important none."""
    if not importance:
        return {}
    low = min(float(values.min()) for values in importance.values())
    high = max(float(values.max()) for values in importance.values())
    span = high - low or 1.0
    return {name: ceiling * (high - values) / span for name, values in importance.items()}


def selected_ceilings(graph: Graph, selected: Removed, ceiling: float) -> Importance:
    """Regime `selected`: units to be removed get `ceiling`, all others none."""
    ceilings = {}
    for group in graph.groups:
        ceilings[group.name] = np.zeros(group.units)
        ceilings[group.name][selected.get(group.name, np.empty(0, np.int64))] = ceiling
    return ceilings


class GrowingPenalty:
    """Shrinks every slice of every unit: weights that make, follow and read it.

    Groups without ceilings are left alone. Call it after each step of the optimiser with the
    iteration and the learning rate.
    """

    def __init__(self, network: nn.Module, graph: Graph, ceilings: Mapping[str, object], grow: int):
        self.grow = grow
        self.parameters = dict(network.named_parameters())
        self.ceilings: dict[tuple[str, int], Tensor] = {}
        for group in graph.groups:
            if group.name not in ceilings:
                continue
            values = torch.as_tensor(ceilings[group.name], dtype=torch.float32)
            for part in group.slices:
                if part.tensor in self.parameters:
                    along = self._along(part.tensor, part.axis)
                    along[torch.from_numpy(part.indices)] = values[:, None].expand(
                        part.indices.shape
                    )

    def _along(self, tensor: str, axis: int) -> Tensor:
        length = self.parameters[tensor].shape[axis]
        return self.ceilings.setdefault((tensor, axis), torch.zeros(length))

    @torch.no_grad()
    def __call__(self, iteration: int, learning_rate: float) -> None:
        share = growing_share(iteration, self.grow) * learning_rate
        for (name, axis), ceilings in self.ceilings.items():
            parameter = self.parameters[name]
            shape = [-1 if other == axis else 1 for other in range(parameter.dim())]
            factor = (1 - share * ceilings).clamp_(min=0).to(parameter.device)
            parameter.mul_(factor.view(shape))


def largest_remaining(
    network: nn.Module, graph: Graph, selected: Removed, first: Importance
) -> float:
    """The largest norm of a selected unit, as a share of what it was at `first`."""
    now = unit_norms(network, graph)
    shares = [
        float((now[name][units] / np.maximum(first[name][units], 1e-12)).max())
        for name, units in selected.items()
        if len(units)
    ]
    return max(shares, default=0.0)
