"""What a network needs of memory and disk, told before it is tried."""

import copy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stages.errors import UserError


def refuse_too_large(
    network: nn.Module, shape: tuple[int, ...], device: torch.device, setting: str
) -> None:
    """Refuse an input for which one tensor alone is larger than the memory that is free.

    Nothing is computed: the network runs on the meta device, and where it cannot, only the input
    is looked at. `setting` names what the user can lower.

    Raises:
        UserError: saying how much is needed, and how much there is.
    """
    needed, free = largest_tensor_bytes(network, shape), _free_bytes(device)
    if needed > free:
        raise UserError(
            f"{setting}: a tensor of {needed / 2**30:.0f} GiB is needed for an input of {shape}, "
            f"and {free / 2**30:.0f} GiB are free: lower it"
        )


def largest_tensor_bytes(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Size of the largest tensor that a forward pass makes."""
    inputs = torch.empty(shape, device="meta")
    largest = _LargestTensor(inputs)
    try:
        with torch.no_grad(), largest:
            copy.deepcopy(network).to("meta").eval()(inputs)
    except Exception:  # whatever the meta device does not know: what was seen so far counts
        pass
    return largest.size


class _LargestTensor(TorchDispatchMode):
    """Notes the size of the largest result of any operator inside of it."""

    def __init__(self, inputs: Tensor):
        super().__init__()
        self.size = inputs.nbytes

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        sizes = [leaf.nbytes for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        self.size = max([self.size, *sizes])
        return output


def refuse_little_space(network: nn.Module, copies: int) -> None:
    """Refuse to begin where so many copies of a network do not fit on the disk (`UserError`)."""
    needed = copies * sum(tensor.nbytes for tensor in network.state_dict().values())
    free = shutil.disk_usage(Path.cwd()).free
    if free < needed:
        raise UserError(
            f"the models of this run take about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} "
            "GiB of the disk are free: make room, or take fewer steps"
        )


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
