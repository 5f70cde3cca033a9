"""What the loss does where a layer's outputs change, to second order, in two Kronecker factors.

Martens and Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature",
ICML 2015; of convolutions, Grosse and Martens, ICML 2016.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.contractions.calls import Call, CallsSeen, GradientsSeen, Layer
from stages.contractions.matrices import (
    as_matrices,
    input_rows,
    output_rows,
    own_rows,
    positions_in,
    some_positions,
)
from stages.dependency.tracing import same_draws

ROWS = 16_384  # of a layer's inputs and gradients, where there are so many

Loss = Callable[[Tensor, Tensor], Tensor]
Samples = Sequence[tuple[Tensor, Tensor]]  # batches of inputs and targets
ByChannel = Mapping[Layer, Tensor | None]


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
    network: nn.Module, samples: Samples, loss: Loss, channels: ByChannel
) -> tuple[dict[Layer, Curvature], dict[str, Tensor]]:
    """The curvature of every layer, and the mean gradient of every parameter.

    `loss` is a mean over a batch. `channels` says for layers that are too large which columns are
    a channel's (channels, taps); None leaves a layer out.
    """
    watched = _Watched(network, samples, channels)
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
    return watched.found, gradients


class _Watched:
    """Adds up what comes by while a network runs, forward and backward."""

    def __init__(self, network: nn.Module, samples: Samples, channels: ByChannel):
        self.network, self.channels = network, channels
        self.found: dict[Layer, Curvature] = {}
        self.count = sum(len(inputs) for inputs, _ in samples)
        self.quota = max(1, ROWS // len(samples))

    def forward(self, call: Call) -> None:
        layer, geometry = call.layer, call.layer.geometry
        columns = self.channels.get(layer)
        if layer in self.channels and columns is None:
            return
        quota = self.quota if columns is None else -(-self.quota // columns.shape[1])
        rows = input_rows(call, some_positions(call.outputs, geometry, quota)).detach().double()
        if columns is not None:
            rows = rows[:, :, columns].mT.flatten(1, 2)
        if layer not in self.found:
            matrices = as_matrices(own_rows(self.network, layer), geometry)
            self.found[layer] = Curvature.empty(matrices, columns)
        self.found[layer].inputs += (rows.mT @ rows).cpu()
        self.found[layer].positions += rows.shape[1]

    def backward(self, layer: Layer, gradient: Tensor) -> None:
        if layer not in self.found:
            return
        places = some_positions(gradient, layer.geometry, self.quota)
        rows = output_rows(gradient, layer.geometry, places).double()
        rows = rows.view(len(places), layer.groups, -1).transpose(0, 1)
        share = positions_in(gradient, layer.geometry) / len(places)
        self.found[layer].gradients += (rows.mT @ rows).cpu() * (share / self.count)
