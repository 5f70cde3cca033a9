"""Fitting one layer of a network to rows of outputs."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stages.contractions.calls import Call
from stages.contractions.matrices import (
    as_matrices,
    columns_of,
    from_matrices,
    input_rows,
    output_rows,
    own_rows,
    some_positions,
)
from stages.contractions.running import run_until
from stages.contractions.sums import Sums, ridge, with_ones
from stages.contractions.used import Used

ROWS, ROWS_PER_COLUMN = 16_384, 4  # rows that a fit is made of, where there are so many
EXACT = 1e-12  # of the sum of squares: what rounding in single precision leaves
SCALED = 1e-6  # ridge of factors

Solve = Callable[[Used, Sums, Tensor], Tensor]  # of the weights now (groups, columns, outputs)


class Fit:
    """A layer's weights, and what they are fitted to."""

    def __init__(self, network: nn.Module, used: Used, outputs: Tensor, inputs: Sequence[Tensor]):
        self.network, self.used, self.layer, self.outputs = network, used, used.layer, outputs
        self.inputs, self.weight = inputs, own_rows(network, used.layer)
        self.bias = None
        if used.bias is not None:
            name, start = used.bias
            self.bias = network.get_parameter(name).detach()[start : start + len(outputs)]
        columns = columns_of(network, used.layer)
        self.rows = -(-max(ROWS, ROWS_PER_COLUMN * columns) // (len(inputs) * len(used.calls)))

    @property
    def target_bytes(self) -> int:
        return 4 * self.rows * len(self.inputs) * len(self.used.calls) * len(self.outputs)

    def positions(self, call: Call) -> Tensor:
        """Which rows of a call are used: the same of either network."""
        return some_positions(call.outputs, call.layer.geometry, self.rows)

    def wanted(self, call: Call) -> Tensor:
        """Of one of the teacher's calls, what the layer is fitted to."""
        rows = output_rows(call.outputs, call.layer.geometry, self.positions(call))
        return rows[:, self.outputs]

    def run(self, targets: Sequence[Tensor], solve: Solve) -> bool:
        """Fit the layer, and write its weights if that brings it nearer."""
        now = self._matrices()
        sums, rows = Sums.empty(*now.shape), iter(targets)
        self._each_call(lambda call: self._add(sums, call, next(rows)))
        error = sums.error(now)
        if error <= EXACT * sums.squares:
            return False
        fitted = self._solved(solve, sums, now).to(self.weight.dtype)
        nearer = sums.error(fitted) < error
        if nearer:
            self._write(fitted)
        return nearer

    def _each_call(self, seen: Callable[[Call], None]) -> None:
        for batch in self.inputs:
            run_until(self.network, batch, dict.fromkeys(self.used.calls, seen))

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


class Scale(Fit):
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
