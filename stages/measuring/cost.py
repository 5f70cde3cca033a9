"""Costs of networks."""

import copy
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stages.artifacts import WEIGHTS
from stages.device import device_of


def count_macs(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of convolutions and matrix products for an input of `shape`.

    Counted on the meta device, so the size costs nothing; a network that makes tensors on a
    device of its own is run for real.
    """
    try:
        return _count_on(copy.deepcopy(network).to("meta"), torch.empty(shape, device="meta"))
    except (RuntimeError, NotImplementedError):
        return _count_on(network, torch.zeros(shape, device=device_of(network)))


def _count_on(network: nn.Module, inputs: Tensor) -> int:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(inputs)
    return int(counter.get_total_flops()) // 2


def saved_bytes(folder: Path) -> int:
    """Size of a saved model's weights."""
    return (folder / WEIGHTS).stat().st_size


def zipped_bytes(path: Path) -> int:
    """Size of a file after compression by DEFLATE, as in a .zip."""
    packer, size = zlib.compressobj(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            size += len(packer.compress(chunk))
    return size + len(packer.flush())
