"""What the loss does where a layer's outputs change, to second order, in two Kronecker factors.

Martens and Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature",
ICML 2015; of convolutions, Grosse and Martens, ICML 2016.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.channels.shared_taps import by_channel
from stages.contractions.calls import Call, CallsSeen, GradientsSeen, Layer
from stages.contractions.matrices import (
    as_matrices,
    input_rows,
    output_rows,
    own_rows,
    positions_in,
    some_positions,
    too_large,
)
from stages.dependency.graph import Graph
from stages.dependency.tracing import same_draws

ROWS = 16_384  # of a layer's inputs and gradients, where there are so many

Loss = Callable[[Tensor, Tensor], Tensor]
Samples = Sequence[tuple[Tensor, Tensor]]  # batches of inputs and targets


@dataclass
class Curvature:
    """Of a layer: mean products of its inputs over positions and samples (groups, columns,
    columns), and of its outputs' gradients (groups, outputs, outputs), summed over positions,
    mean over samples.

    Where a layer is too large, `channels` has its columns by channel (channels, taps), and the
    inputs are those of channels, over all taps.
    """

    inputs: Tensor
    gradients: Tensor
    channels: Tensor | None = None
    positions: int = 0

    @classmethod
    def empty(cls, matrices: Tensor, channels: Tensor | None) -> "Curvature":
        """Nothing yet, for weights (groups, outputs, columns)."""
        groups, outputs, columns = matrices.shape
        inputs = columns if channels is None else len(channels)
        return cls(
            torch.zeros(groups, inputs, inputs, dtype=torch.float64),
            torch.zeros(groups, outputs, outputs, dtype=torch.float64),
            channels,
        )

    @property
    def mean_inputs(self) -> Tensor:
        return self.inputs / max(1, self.positions)


def curvatures(
    network: nn.Module, graph: Graph, samples: Samples, loss: Loss
) -> tuple[dict[Layer, Curvature], dict[str, Tensor]]:
    """The curvature of every layer, and the mean gradient of every parameter.

    `loss` is a mean over a batch. Layers that are too large, and whose inputs are no channels, are
    left out.
    """
    watched = _Watched(network, graph, samples)
    network.eval().zero_grad()
    with torch.enable_grad(), same_draws():
        for inputs, targets in samples:
            with CallsSeen(network, watched.forward):
                output = network(inputs.clone().requires_grad_())
            # A mean over a batch: gradients are those of each sample's own loss.
            total = loss(output, targets) * len(inputs)
            with GradientsSeen(network, watched.backward):
                total.backward()
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad / watched.count
        for name, p in network.named_parameters()
    }
    network.zero_grad()
    return {layer: found for layer, found in watched.seen.items() if found}, gradients


class _Watched:
    """Adds up what comes by while a network runs, forward and backward."""

    def __init__(self, network: nn.Module, graph: Graph, samples: Samples):
        self.network, self.graph = network, graph
        self.seen: dict[Layer, Curvature | None] = {}  # None: left out
        self.count = sum(len(inputs) for inputs, _ in samples)
        self.quota = max(1, ROWS // len(samples))

    def forward(self, call: Call) -> None:
        layer = call.layer
        if layer not in self.seen:
            self.seen[layer] = self._begin(layer)
        found = self.seen[layer]
        if found is None:
            return
        taps = 1 if found.channels is None else found.channels.shape[1]
        places = some_positions(call.outputs, layer.geometry, -(-self.quota // taps))
        rows = input_rows(call, places).detach().double()
        if found.channels is not None:
            rows = rows[:, :, found.channels].mT.flatten(1, 2)
        found.inputs += (rows.mT @ rows).cpu()
        found.positions += rows.shape[1]

    def _begin(self, layer: Layer) -> Curvature | None:
        channels = None
        if too_large(self.network, layer):
            channels = by_channel(self.network, self.graph, layer)
            if channels is None:
                return None
        matrices = as_matrices(own_rows(self.network, layer), layer.geometry)
        return Curvature.empty(matrices, channels)

    def backward(self, layer: Layer, gradient: Tensor) -> None:
        found = self.seen.get(layer)
        if found is None:
            return
        places = some_positions(gradient, layer.geometry, self.quota)
        rows = output_rows(gradient, layer.geometry, places).double()
        rows = rows.view(len(places), layer.groups, -1).transpose(0, 1)
        share = positions_in(gradient, layer.geometry) / len(places)
        found.gradients += (rows.mT @ rows).cpu() * (share / self.count)
