"""Costs of networks."""

import statistics
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from stages.artifacts import WEIGHTS
from stages.device import device_of
from stages.measuring.macs import macs_of


def count_macs(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of all contractions for an input of `shape`; see `macs_of`."""
    return macs_of(network, shape).count


def median_latency_ms(
    networks: Mapping[str, nn.Module], shape: tuple[int, ...], runs: int
) -> dict[str, float]:
    """Median time of a forward pass in milliseconds, for an input of `shape`.

    The networks take turns, so that a drift of the machine's speed touches all alike; the first
    turn warms up and is not counted.
    """
    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    times: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for turn in range(runs + 1):
            for name, network in networks.items():
                device = device_of(network)
                own_inputs = inputs.to(device, copy=True)  # a network may alter it in place
                _wait_for(device)
                start = time.perf_counter()
                network(own_inputs)
                _wait_for(device)
                if turn:
                    times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(taken) for name, taken in times.items()}


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


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
