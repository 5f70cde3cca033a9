"""Functions that treat channels by their places, or count them: nothing may be pruned there."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def shift_in_time(x: Tensor) -> Tensor:
    """The temporal shift module: pictures in the batch are frames."""
    fold, shifted = x.shape[1] // 4, torch.zeros_like(x)
    shifted[:-1, :fold] = x[1:, :fold]
    shifted[1:, fold : 2 * fold] = x[:-1, fold : 2 * fold]
    shifted[:, 2 * fold :] = x[:, 2 * fold :]
    return shifted


def silenced_first(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, 0] = 0
    return x


BY_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "half activated": lambda x: torch.cat([x[:, : x.shape[1] // 2].relu(),
                                           x[:, x.shape[1] // 2 :]], 1),
    "some activated": lambda x: torch.cat([x[:, :4].relu(), x[:, 4:]], 1),
    "first doubled": lambda x: torch.cat([2 * x[:, :1], x[:, 1:]], 1),
    "first silenced": silenced_first,
    "shifted in time": shift_in_time,
    "means and maxima": lambda x: torch.cat([F.avg_pool2d(x[:, : x.shape[1] // 2], 3, 1, 1),
                                             F.max_pool2d(x[:, x.shape[1] // 2 :], 3, 1, 1)], 1),
}  # fmt: skip
COUNTING: dict[str, Callable[[Tensor], Tensor]] = {
    "tensor": lambda x: x * torch.tensor(x.shape[1], dtype=x.dtype, device=x.device),
    "filled": lambda x: x + torch.full_like(x, x.shape[1]),
    "alpha": lambda x: torch.add(x, x.relu(), alpha=x.shape[1]),
    "activation": lambda x: x.relu() if x.shape[1] > 7 else x.sigmoid(),
    "pooling": lambda x: F.max_pool2d(x, 3, 1, 1) if x.shape[1] > 7 else F.avg_pool2d(x, 3, 1, 1),
    "loop": lambda x: sum((x for _ in range(x.shape[1])), x),
}
