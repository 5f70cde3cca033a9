"""Repair in closed form: after removal, each layer is solved so that it gives what it gave.

Layers go in order of execution, each on inputs that are repaired already: least squares by layer
(He et al., "Channel pruning for accelerating very deep neural networks", ICCV 2017, section 3.1),
with a penalty on the distance from the cut weights. Nothing is trained.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from stages.channels.matched import Matched, matched_layers
from stages.contractions.calls import Call, Layer
from stages.contractions.matrices import (
    as_matrices,
    from_matrices,
    input_rows,
    output_rows,
    some_positions,
)
from stages.contractions.running import outputs_of, run_until
from stages.contractions.sums import Sums, ridge, with_ones
from stages.dependency.graph import Graph, Removed

ROWS, ROWS_PER_COLUMN = 16_384, 4  # rows that a fit is made of, where there are so many
MEMORY = 2**29  # bytes of what the teacher gives, kept at once
EXACT = 1e-12  # of the sum of squares: what rounding in single precision leaves


@dataclass(frozen=True)
class Repair:
    """What was repaired, what was left as it was cut and why, and how far outputs are off.

    Errors are mean squared distances of the network's outputs from the teacher's.
    """

    layers: tuple[str, ...]
    left: dict[str, str]
    error_before: float
    error_after: float


def repair_channels(
    network: nn.Module,
    teacher: nn.Module,
    graph: Graph,
    removed: Removed,
    inputs: Sequence[Tensor],
    strength: float,
) -> Repair:
    """Solve the layers of `network`, in place; it is `teacher` without the units `removed`.

    `graph` is the teacher's, `inputs` are batches of samples, `strength` is the ridge's share of
    the mean square of a layer's inputs. A layer whose fit is no better than the cut weights keeps
    them; where the whole is no nearer to the teacher on these samples, all do.
    """
    layers, left = matched_layers(network, teacher, graph, removed, inputs[0])
    before, cut = _distance(network, teacher, inputs), copy.deepcopy(network.state_dict())
    repaired: list[str] = []
    for block in _blocks(layers, network, inputs):
        targets = _targets(teacher, network, block, inputs)
        for layer in block:
            if _repair_layer(network, layer, targets.pop(layer.layer), inputs, strength):
                repaired.append(layer.layer.weight)
    after = _distance(network, teacher, inputs)
    if not after <= before:
        network.load_state_dict(cut)
        left |= dict.fromkeys(repaired, "with all layers repaired outputs would be further off")
        repaired, after = [], before
    return Repair(tuple(repaired), left, before, after)


def _distance(network: nn.Module, teacher: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Mean squared distance of two networks' outputs."""
    squares = count = 0
    for batch in inputs:
        for one, other in zip(outputs_of(network, batch), outputs_of(teacher, batch), strict=True):
            squares += float((one.double() - other.double()).square().sum())
            count += one.numel()
    return squares / count


def _rows_wanted(columns: int, samplings: int) -> int:
    """Rows of each call with each batch."""
    return -(-max(ROWS, ROWS_PER_COLUMN * columns) // samplings)


def _blocks(
    layers: Sequence[Matched], network: nn.Module, inputs: Sequence[Tensor]
) -> Iterator[list[Matched]]:
    """Layers in turn, as many at once as have room for what the teacher gives."""
    block: list[Matched] = []
    taken = 0
    for layer in layers:
        rows = len(inputs) * len(layer.calls) * _wanted(layer, network, inputs)
        needed = 4 * rows * len(layer.outputs)
        if block and taken + needed > MEMORY:
            yield block
            block, taken = [], 0
        block.append(layer)
        taken += needed
    if block:
        yield block


def _wanted(layer: Matched, network: nn.Module, inputs: Sequence[Tensor]) -> int:
    weight = network.get_parameter(layer.layer.weight)
    columns = as_matrices(weight, layer.layer.geometry).shape[2]
    return _rows_wanted(columns, len(inputs) * len(layer.calls))


def _targets(
    teacher: nn.Module, network: nn.Module, block: Sequence[Matched], inputs: Sequence[Tensor]
) -> dict[Layer, list[Tensor]]:
    """Rows of what the teacher gives where the smaller network has outputs, batch by batch."""
    targets: dict[Layer, list[Tensor]] = {layer.layer: [] for layer in block}

    def keep(layer: Matched, call: Call) -> None:
        geometry = call.layer.geometry
        places = some_positions(call.outputs, geometry, _wanted(layer, network, inputs))
        targets[layer.layer].append(output_rows(call.outputs, geometry, places)[:, layer.outputs])

    wanted = {number: partial(keep, layer) for layer in block for number in layer.calls}
    for batch in inputs:
        run_until(teacher, batch, wanted)
    return targets


def _repair_layer(
    network: nn.Module,
    layer: Matched,
    targets: list[Tensor],
    inputs: Sequence[Tensor],
    strength: float,
) -> bool:
    """Solve one layer and write its weights, if they fit better than those it has."""
    fit = _Fit(network, layer)
    rows = iter(targets)
    wanted = _wanted(layer, network, inputs)

    def add(call: Call) -> None:
        places = some_positions(call.outputs, call.layer.geometry, wanted)
        fit.add(call, places, next(rows))

    for batch in inputs:
        run_until(network, batch, dict.fromkeys(layer.calls, add))
    return fit.solve(strength)


class _Fit:
    """The weights of one layer, and what they are fitted to."""

    def __init__(self, network: nn.Module, layer: Matched):
        self.layer, own = layer.layer, network.get_parameter(layer.layer.weight)
        self.weight = own[self.layer.start : self.layer.start + self.layer.rows]
        matrices = as_matrices(self.weight.detach(), self.layer.geometry).mT
        self.bias = None
        if layer.bias is not None:
            name, start = layer.bias
            self.bias = network.get_parameter(name)[start : start + len(layer.outputs)]
            row = self.bias.detach().view(len(matrices), 1, -1)
            matrices = torch.cat([matrices, row], 1)
        self.cut = matrices.double()
        self.sums = Sums.empty(*self.cut.shape)

    def add(self, call: Call, places: Tensor, targets: Tensor) -> None:
        rows = input_rows(call, places)
        if self.bias is not None:
            rows = with_ones(rows)
        elif call.bias is not None:
            targets = targets - call.bias
        groups, _, outputs = self.cut.shape
        self.sums.add(rows, targets.view(len(targets), groups, outputs).transpose(0, 1))

    def solve(self, strength: float) -> bool:
        cut = self.sums.error(self.cut)
        if cut <= EXACT * self.sums.squares:
            return False
        fitted = ridge(self.sums, self.cut, strength, self.bias is not None)
        fitted = fitted.to(self.weight.dtype)
        if not self.sums.error(fitted) < cut:
            return False
        columns = fitted if self.bias is None else fitted[:, :-1]
        with torch.no_grad():
            self.weight.copy_(from_matrices(columns.mT, self.layer.geometry, self.weight.shape))
            if self.bias is not None:
                self.bias.copy_(fitted[:, -1].flatten())
        return True
