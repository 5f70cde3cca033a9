"""Shortcuts give what the operator gives on the meta device, and refuse what does not fit."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stages.dependency.shortcuts import SHORTCUTS, result_of

aten = torch.ops.aten


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, device="meta", dtype=dtype)


def convolved(x: Tensor, weight: Tensor, groups: int = 1, transposed: bool = False) -> tuple:
    rank = x.dim() - 2
    return x, weight, None, [2] * rank, [1] * rank, [2] * rank, transposed, [0] * rank, groups


ONE = meta(2, 6, 5, 7)
GIVEN: dict[str, tuple[Any, tuple]] = {
    "convolution": (aten.convolution.default, convolved(meta(2, 6, 9, 8), meta(4, 3, 3, 3), 2)),
    "transposed": (
        aten.convolution.default,
        convolved(meta(2, 6, 9, 8), meta(6, 4, 3, 3), transposed=True),
    ),
    "1 d": (aten.convolution.default, convolved(meta(2, 6, 9), meta(4, 6, 3))),
    "batch norm": (
        aten.native_batch_norm.default, (ONE, *[meta(6)] * 4, False, 0.1, 1e-5),
    ),
    "layer norm": (aten.native_layer_norm.default, (ONE, [5, 7], meta(5, 7), None, 1e-5)),
    "addmm": (aten.addmm.default, (meta(4), meta(3, 6), meta(6, 4))),
    "broadcast": (aten.add.Tensor, (ONE, meta(6, 1, 1))),
    "wider": (aten.mul.Tensor, (meta(1, 7), ONE)),
    "other kind": (aten.add.Tensor, (ONE, meta(6, 1, 1, dtype=torch.float64))),
    "number": (aten.mul.Tensor, (ONE, 2.0)),
    "whole and number": (aten.mul.Tensor, (meta(3, dtype=torch.int64), 2.5)),
    "in place": (aten.add_.Tensor, (ONE, meta(7))),
    "norm": (aten.linalg_vector_norm.default, (ONE, 2.0, [-1], True)),
    "norm over two": (aten.linalg_vector_norm.default, (ONE, 2.0, [1, 2], False)),
    "norm over all": (aten.linalg_vector_norm.default, (ONE, 2.0, [], False)),
    "mean": (aten.mean.dim, (ONE, [2, 3], True)),
    "mean over one": (aten.mean.dim, (ONE, [-1])),
    "mean over all": (aten.mean.dim, (ONE, [])),
    "softmax": (aten._softmax.default, (ONE, -1, False)),
    "clamp": (aten.clamp.default, (ONE, None, 4.6)),
    "whole clamp": (aten.clamp.default, (meta(3, dtype=torch.int64), 0, 4)),
}  # fmt: skip
WRONG: dict[str, tuple[Any, tuple]] = {
    "channels": (aten.convolution.default, convolved(meta(2, 5, 9, 8), meta(4, 6, 3, 3))),
    "groups": (aten.convolution.default, convolved(meta(2, 6, 9, 8), meta(3, 3, 3, 3), 2)),
    "kernel": (aten.convolution.default, convolved(meta(2, 6, 2, 2), meta(4, 6, 7, 7))),
    "batch norm": (aten.native_batch_norm.default, (ONE, *[meta(5)] * 4, False, 0.1, 1e-5)),
    "layer norm": (aten.native_layer_norm.default, (ONE, [5, 6], meta(5, 6), None, 1e-5)),
    "features": (aten.addmm.default, (meta(4), meta(3, 5), meta(6, 4))),
    "bias": (aten.addmm.default, (meta(3), meta(3, 6), meta(6, 4))),
    "shapes": (aten.add.Tensor, (ONE, meta(5, 1, 1))),
    "in place": (aten.add_.Tensor, (meta(7), ONE)),
}


def looks(result: Any) -> list[tuple]:
    results = result if isinstance(result, tuple) else (result,)
    return [(tuple(r.shape), r.dtype, r.device.type) for r in results[:1]]


@pytest.mark.parametrize("name", GIVEN)
def test_a_shortcut_gives_the_operators_own_shape(name: str) -> None:
    operator, args = GIVEN[name]
    assert operator in SHORTCUTS
    assert looks(result_of(operator, args, {})) == looks(operator(*args))


@pytest.mark.parametrize("name", WRONG)
def test_a_shortcut_refuses_shapes_that_do_not_fit(name: str) -> None:
    operator, args = WRONG[name]  # the operators themselves let some of these pass
    with pytest.raises(RuntimeError):
        result_of(operator, args, {})
