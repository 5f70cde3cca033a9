"""An up-sampling network on luma, and its means over all positions, which no tile alone knows."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from stages.datasets.pictures import Luma, on_grid
from stages.datasets.upsampling.samples import Picture
from stages.device import device_of
from stages.errors import UserError

# What is to stand in place of the mean, (N, C), of a tensor (N, C, H, W) over H and W; None: as it
# is. It is given the mean's number, from 0 in the order in which they run, and the tensor.
Take = Callable[[int, Tensor], Tensor | None]

ATEN = torch.ops.aten


class StoppedError(Exception):
    """Not an error: the network has run as far as was wanted, up to the mean of `tensor`."""

    def __init__(self, tensor: Tensor):
        super().__init__("the network was stopped at a mean")
        self.tensor = tensor


class Means(TorchDispatchMode):
    """Asks `take` at every mean over H and W while it is on, however the network spells it."""

    def __init__(self, take: Take):
        super().__init__()
        self.take, self.seen = take, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        if not _is_mean(func, args):
            return func(*args, **options)
        tensor: Tensor = args[0]
        value = self.take(self.seen, tensor)
        self.seen += 1
        if value is None:
            return func(*args, **options)
        keeps_axes = func is not ATEN.mean.dim or (len(args) > 2 and args[2])
        shape = (*tensor.shape[:2], 1, 1) if keeps_axes else tensor.shape[:2]
        return value.to(tensor.device, options.get("dtype") or tensor.dtype).reshape(shape)


def _is_mean(func: Any, args: Any) -> bool:
    if func is ATEN.mean.dim:
        axes = args[1] or ()
        return args[0].ndim == 4 and sorted(axis % 4 for axis in axes) == [2, 3]
    # In inference mode the pooling comes as it is, otherwise as `mean.dim`.
    pools = func in (ATEN.adaptive_avg_pool2d.default, ATEN._adaptive_avg_pool2d.default)
    return pools and args[0].ndim == 4 and list(args[1]) == [1, 1]


def run(network: nn.Module, luma: Tensor, scale: int, take: Take | None = None) -> Tensor:
    """Luma (N, 1, H, W) to (N, 1, scale*H, scale*W), float32 on the CPU.

    Raises:
        UserError: if the network fails, or its output has another size.
    """
    height, width = luma.shape[2:]
    network.eval()
    try:
        with torch.no_grad(), _without_tf32(), Means(take) if take else nullcontext():
            output: Tensor = network(_copied(luma, network)).float().cpu()
    except (UserError, StoppedError):
        raise
    except Exception as error:  # whatever a user's own forward pass may raise
        reason = str(error).strip().split("\n")[0]
        raise UserError(
            f"the network fails on {len(luma)} x {height} x {width} of luma: {reason}"
        ) from error
    expected = (len(luma), 1, scale * height, scale * width)
    if output.shape != expected:
        raise UserError(
            f"the network turns {tuple(luma.shape)} into {tuple(output.shape)}, not into "
            f"{expected}: give one that enlarges luma"
        )
    return output


def _copied(luma: Tensor, network: nn.Module) -> Tensor:
    """Luma where the network is; a copy, for the network may alter its input in place."""
    return luma.to(device_of(network), copy=True, memory_format=torch.contiguous_format)


def upsample(network: nn.Module, pair: Picture, scale: int) -> Luma:
    """What `network` makes of a pair's low-resolution luma, rounded to the pair's bits."""
    assert pair.low is not None
    output = run(network, torch.from_numpy(pair.low)[None, None], scale)
    return on_grid(output[0, 0].numpy(), pair.bits)


def _without_tf32() -> AbstractContextManager[None]:
    """On a GPU, ten bits of mantissa would round a tile otherwise than a whole frame."""
    now = torch.backends.cudnn
    return now.flags(enabled=now.enabled, deterministic=now.deterministic, allow_tf32=False)
