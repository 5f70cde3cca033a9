"""Fitting layers, one after another, to what the same layers of another network give.

Least squares by layer, on inputs that are fitted already (He et al., "Channel pruning for
accelerating very deep neural networks", ICCV 2017, section 3.1). Nothing is trained.
"""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

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
from stages.contractions.used import Used

ROWS, ROWS_PER_COLUMN = 16_384, 4  # rows that a fit is made of, where there are so many
COLUMNS = 5_000  # above so many, a layer is too large to be solved for
SCALED = 1e-6  # ridge of factors
MEMORY = 2**29  # bytes of what the teacher gives, kept at once
EXACT = 1e-12  # of the sum of squares: what rounding in single precision leaves
FURTHER = "with all layers refitted, outputs would be further from what they were"

Solve = Callable[[Used, Sums, Tensor], Tensor]  # of the weights now (groups, columns, outputs)


@dataclass(frozen=True)
class Repair:
    """What was refitted, what was left as it was and why, and how far outputs are off.

    Of the layers, those `scaled` were only scaled and shifted, output by output. Errors are mean
    squared distances of the network's outputs from the teacher's.
    """

    layers: tuple[str, ...]
    scaled: tuple[str, ...]
    left: dict[str, str]
    error_before: float
    error_after: float


class Teacher:
    """What a network gives on batches of inputs.

    With `keeps`, what its layers give is kept for the next network that is fitted to it.
    """

    def __init__(self, network: nn.Module, inputs: Sequence[Tensor], keeps: bool = False):
        self.network, self.inputs, self.keeps = network, inputs, keeps
        self.outputs = [outputs_of(network, batch) for batch in inputs]
        self._kept: dict[Layer, list[Tensor]] = {}

    def distance(self, network: nn.Module) -> float:
        """Mean squared distance of another network's outputs."""
        squares = count = 0.0
        for batch, given in zip(self.inputs, self.outputs, strict=True):
            for one, other in zip(outputs_of(network, batch), given, strict=True):
                squares += float((one.double() - other.double()).square().sum())
                count += one.numel()
        return squares / count

    def rows(self, block: Sequence["_Fit"]) -> dict[Layer, list[Tensor]]:
        """Rows of what it gives, by layer, in the order of batches and calls."""
        found: dict[Layer, list[Tensor]] = {fit.layer: [] for fit in block}

        def keep(fit: _Fit, call: Call) -> None:
            rows = output_rows(call.outputs, call.layer.geometry, fit.positions(call))
            found[fit.layer].append(rows[:, fit.outputs])

        new = [fit for fit in block if fit.layer not in self._kept]
        wanted = {number: partial(keep, fit) for fit in new for number in fit.used.calls}
        for batch in self.inputs if wanted else ():
            run_until(self.network, batch, wanted)
        found |= {fit.layer: self._kept[fit.layer] for fit in block if fit not in new}
        if self.keeps:
            self._kept |= found
        return found


def refit(
    network: nn.Module,
    teacher: Teacher,
    layers: Sequence[Used],
    outputs: Mapping[Layer, Tensor],
    solve: Solve,
    too_large: Collection[Layer] = (),
) -> Repair:
    """Fit `layers` of `network`, in place, on the teacher's inputs.

    `outputs` says which of the teacher's channels a layer has. Layers that are `too_large` to be
    solved for are scaled and shifted, output by output. A layer keeps its weights where
    those that are solved for fit no better; all do where the network's outputs on these inputs
    would be further from the teacher's.
    """
    before, kept = teacher.distance(network), copy.deepcopy(network.state_dict())
    fits = [
        (_Scale if layer.layer in too_large else _Fit)(
            network, layer, outputs[layer.layer], teacher.inputs
        )
        for layer in layers
    ]
    done = []
    for block in _blocks(fits):
        targets = teacher.rows(block)
        done += [fit for fit in block if fit.run(targets.pop(fit.layer), solve)]
    after, names = teacher.distance(network), [fit.layer.weight for fit in done]
    if after <= before:
        scaled = tuple(fit.layer.weight for fit in done if isinstance(fit, _Scale))
        return Repair(tuple(names), scaled, {}, before, after)
    network.load_state_dict(kept)
    return Repair((), (), dict.fromkeys(names, FURTHER), before, before)


def _blocks(fits: Sequence["_Fit"]) -> Iterator[list["_Fit"]]:
    """Layers in turn, as many at once as have room for what the teacher gives."""
    block: list[_Fit] = []
    for fit in fits:
        if block and sum(one.target_bytes for one in [*block, fit]) > MEMORY:
            yield block
            block = []
        block.append(fit)
    if block:
        yield block


class _Fit:
    """A layer's weights, and what they are fitted to."""

    def __init__(self, network: nn.Module, used: Used, outputs: Tensor, inputs: Sequence[Tensor]):
        self.network, self.used, self.layer, self.outputs = network, used, used.layer, outputs
        self.inputs, own = inputs, network.get_parameter(used.layer.weight)
        self.weight = own.detach()[self.layer.start : self.layer.start + self.layer.rows]
        self.bias = None
        if used.bias is not None:
            name, start = used.bias
            self.bias = network.get_parameter(name).detach()[start : start + len(outputs)]
        columns = as_matrices(self.weight, self.layer.geometry).shape[2]
        self.rows = -(-max(ROWS, ROWS_PER_COLUMN * columns) // (len(inputs) * len(used.calls)))

    @property
    def target_bytes(self) -> int:
        return 4 * self.rows * len(self.inputs) * len(self.used.calls) * len(self.outputs)

    def positions(self, call: Call) -> Tensor:
        """Which rows of a call are used: the same of either network."""
        return some_positions(call.outputs, call.layer.geometry, self.rows)

    def run(self, targets: Sequence[Tensor], solve: Solve) -> bool:
        """Fit the layer, and write its weights if that brings it nearer."""
        now = self._matrices()
        sums, rows = Sums.empty(*now.shape), iter(targets)
        wanted = dict.fromkeys(self.used.calls, lambda call: self._add(sums, call, next(rows)))
        for batch in self.inputs:
            run_until(self.network, batch, wanted)
        error = sums.error(now)
        if error <= EXACT * sums.squares:
            return False
        fitted = self._solved(solve, sums, now).to(self.weight.dtype)
        nearer = sums.error(fitted) < error
        if nearer:
            self._write(fitted)
        return nearer

    def _matrices(self) -> Tensor:
        """The weights now, in double precision, a bias as their last row."""
        now = as_matrices(self.weight, self.layer.geometry).mT
        if self.bias is not None:
            now = torch.cat([now, self.bias.view(len(now), 1, -1)], 1)
        return now.double().cpu()

    def _solved(self, solve: Solve, sums: Sums, now: Tensor) -> Tensor:
        return solve(self.used, sums, now)

    def _add(self, sums: Sums, call: Call, targets: Tensor) -> None:
        rows = input_rows(call, self.positions(call))
        if self.bias is not None:
            rows = with_ones(rows)
        elif call.bias is not None:
            targets = targets - call.bias
        sums.add(rows, targets.view(len(targets), self.layer.groups, -1).transpose(0, 1))

    def _write(self, fitted: Tensor) -> None:
        if self.bias is not None:
            self.bias.copy_(fitted[:, -1].flatten())
            fitted = fitted[:, :-1]
        self.weight.copy_(from_matrices(fitted.mT, self.layer.geometry, self.weight.shape))


class _Scale(_Fit):
    """A factor for each of a layer's outputs, and a shift if it has a bias: each fitted alone."""

    def _matrices(self) -> Tensor:
        ones = torch.ones(len(self.outputs), 1, 1, dtype=torch.float64)
        if self.bias is None:
            return ones
        return torch.cat([ones, self.bias.double().cpu().view(-1, 1, 1)], 1)

    def _solved(self, solve: Solve, sums: Sums, now: Tensor) -> Tensor:
        return ridge(sums, now, SCALED, self.bias is not None)

    def _add(self, sums: Sums, call: Call, targets: Tensor) -> None:
        given = call.outputs if call.bias is None else self._without(call.outputs, call.bias)
        rows = output_rows(given, call.layer.geometry, self.positions(call)).T.unsqueeze(2)
        if self.bias is not None:
            rows = with_ones(rows)
        elif call.bias is not None:
            targets = targets - call.bias
        sums.add(rows, targets.T.unsqueeze(2))

    def _without(self, outputs: Tensor, bias: Tensor) -> Tensor:
        over = outputs.dim() - 2 if self.layer.geometry else 0
        return outputs - bias.view(-1, *[1] * over)

    def _write(self, fitted: Tensor) -> None:
        if self.bias is not None:
            self.bias.copy_(fitted[:, -1].flatten())
        matrices = as_matrices(self.weight, self.layer.geometry)
        matrices = matrices * fitted[:, 0].to(matrices.device).view(*matrices.shape[:2], 1)
        self.weight.copy_(from_matrices(matrices, self.layer.geometry, self.weight.shape))
