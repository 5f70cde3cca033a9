"""Sums of products of rows, in double precision: all that a least-squares fit needs."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass
class Sums:
    """Of inputs X, a column of ones last if there is a bias, and of outputs Y.

    `inputs` holds X'X (groups, columns, columns), `products` X'Y (groups, columns, outputs), and
    `squares` the sum of Y^2.
    """

    inputs: Tensor
    products: Tensor
    squares: float = 0.0

    @classmethod
    def empty(cls, groups: int, columns: int, outputs: int) -> "Sums":
        """Nothing yet."""
        zeros = torch.zeros(groups, columns, columns + outputs, dtype=torch.float64)
        return cls(zeros[..., :columns].clone(), zeros[..., columns:].clone())

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Rows of X (groups, rows, columns) and of Y (groups, rows, outputs)."""
        inputs, outputs = inputs.double(), outputs.double()
        self.inputs += (inputs.mT @ inputs).cpu()
        self.products += (inputs.mT @ outputs).cpu()
        self.squares += float(outputs.square().sum())

    def error(self, weights: Tensor) -> float:
        """Sum of squares of X C - Y for weights C (groups, columns, outputs)."""
        weights = weights.double()
        both = weights * (self.inputs @ weights - 2 * self.products)
        return self.squares + float(both.sum())


def with_ones(rows: Tensor) -> Tensor:
    """Rows (groups, rows, columns) with a last column of ones."""
    return pad(rows, (0, 1), value=1.0)


def ridge(sums: Sums, near: Tensor, strength: float, bias: bool) -> Tensor:
    """Weights C (groups, columns, outputs) with the least |X C - Y|^2 + r |C - near|^2.

    r is `strength` times the mean of the diagonal of X'X, by group; the last column, if it is the
    bias, is left free of it. Hoerl and Kennard 1970, with `near` for zero.
    """
    held = ridge_of(sums, strength, bias)
    left = sums.inputs + torch.diag_embed(held)
    right = sums.products + held.unsqueeze(2) * near
    solved: Tensor = torch.linalg.solve(left, right)
    return solved


def ridge_of(sums: Sums, strength: float, bias: bool) -> Tensor:
    """How much each column is held back (groups, columns): r, and the bias not at all."""
    columns = sums.inputs.shape[1]
    weighed = columns - 1 if bias else columns
    r = strength * sums.inputs.diagonal(dim1=1, dim2=2)[:, :weighed].mean(1, keepdim=True)
    held = torch.where(r > 0, r, torch.ones_like(r)).repeat(1, columns)
    if bias:
        held[:, -1] = 0
    return held
