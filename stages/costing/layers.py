"""The contractions of a network, with what decides how long each takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from stages.contractions.calls import Call, CallsSeen, Geometry
from stages.dependency.tracing import same_draws, unfused

Lengths = tuple[int, int]  # of a weight's first two axes


@dataclass(frozen=True)
class Contraction:
    """A convolution or a linear layer without its numbers.

    `lengths` are those of its weight's first two axes: (outputs, inputs / groups), transposed
    (inputs, outputs / groups). `places` is the batch and what follows the channels of its input.
    """

    lengths: Lengths
    places: tuple[int, ...]
    geometry: Geometry | None = None

    @property
    def alone(self) -> bool:
        """Whether every group has one channel: whole groups go with channels."""
        return self.geometry is not None and self.geometry.groups > 1 and self.lengths[1] == 1

    def groups_at(self, lengths: Lengths) -> int:
        """How many groups there are where the weight has other lengths."""
        if self.geometry is None:
            return 1
        each = self.lengths[0] / self.geometry.groups
        return max(1, round(lengths[0] / each)) if self.alone else self.geometry.groups

    def weight_shape(self, lengths: Lengths) -> tuple[int, ...]:
        """The shape of a weight of these lengths, or of the next that groups divide."""
        groups = self.groups_at(lengths)
        first = -(-lengths[0] // groups) * groups
        return (first, lengths[1], *(self.geometry.kernel if self.geometry else ()))

    def input_shape(self, lengths: Lengths) -> tuple[int, ...]:
        """The shape of its input where the weight has these lengths."""
        first, second = self.weight_shape(lengths)[:2]
        if self.geometry is None:
            return (*self.places, second)
        channels = first if self.geometry.transposed else second * self.groups_at(lengths)
        return (self.places[0], channels, *self.places[1:])

    def macs(self, lengths: Lengths) -> int:
        """Multiply-accumulates, of a convolution up to the borders: what is near enough here."""
        positions = prod(self.places)
        if self.geometry is not None and not self.geometry.transposed:
            positions //= prod(self.geometry.stride)
        return positions * prod(self.weight_shape(lengths))


@dataclass(frozen=True)
class Use:
    """That a contraction uses a weight; of attention, so much of its first axis."""

    weight: str
    contraction: Contraction
    share: float = 1.0


def uses_of(network: nn.Module, shape: tuple[int, ...]) -> list[Use]:
    """Every use of a weight by a contraction, as an input of `shape` runs through the network."""
    seen, shapes = list[Use](), {n: tuple(p.shape) for n, p in network.named_parameters()}

    def note(call: Call) -> None:
        seen.append(_use(call, shapes))

    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), unfused(), same_draws(), CallsSeen(network.eval(), note):
        network(inputs)
    return seen


def _use(call: Call, shapes: Mapping[str, tuple[int, ...]]) -> Use:
    layer, whole = call.layer, shapes[call.layer.weight]
    first = layer.rows if layer.geometry is None else whole[0]
    contraction = Contraction(
        (first, whole[1]), _places(call.inputs, layer.geometry), layer.geometry
    )
    return Use(layer.weight, contraction, first / whole[0])


def _places(inputs: Tensor, geometry: Geometry | None) -> tuple[int, ...]:
    return tuple(inputs.shape[:1]) if geometry is None else (inputs.shape[0], *inputs.shape[2:])
