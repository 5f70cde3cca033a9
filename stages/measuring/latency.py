"""How long a network takes for an input, and how far its runs differ."""

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from stages.device import device_of

LEAST, SECONDS = 5, 5.0  # turns that are always taken; no further ones after so long


@dataclass(frozen=True)
class Latency:
    """Times of a forward pass in milliseconds: median, quartiles and least over so many runs."""

    least_ms: float
    median_ms: float
    low_ms: float
    high_ms: float
    runs: int

    def columns(self, prefix: str = "") -> dict[str, float]:
        """Median and quartiles by the names that records and tables give them."""
        return {
            f"{prefix}latency_ms": self.median_ms,
            f"{prefix}latency_low_ms": self.low_ms,
            f"{prefix}latency_high_ms": self.high_ms,
        }


def measure_latency(
    networks: Mapping[str, nn.Module],
    shape: tuple[int, ...],
    runs: int,
    seconds: float = SECONDS,
) -> dict[str, Latency]:
    """Time forward passes for an input of `shape`, at most `runs` of every network.

    The networks take turns, so that a drift of the machine's speed touches all alike; the first
    turn warms up and is not counted. Once `seconds` have passed, `LEAST` turns are enough.
    """
    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    times: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for network in networks.values():
            _run_ms(network, inputs)
        start, turns = time.monotonic(), 0
        while turns < runs and (turns < LEAST or time.monotonic() - start < seconds):
            for name, network in networks.items():
                times[name].append(_run_ms(network, inputs))
            turns += 1
    return {name: _summed_up(taken) for name, taken in times.items()}


def fastest_ms(network: nn.Module, inputs: torch.Tensor, runs: int, seconds: float) -> float:
    """The least time of at most `runs` forward passes, two of them after `seconds`.

    What else a machine does only adds time, so the least is what compares best between layers.
    """
    with torch.inference_mode():
        _run_ms(network, inputs)
        start, least, turns = time.monotonic(), math.inf, 0
        while turns < runs and (turns < 2 or time.monotonic() - start < seconds):
            least, turns = min(least, _run_ms(network, inputs)), turns + 1
    return least


def channels_last(network: nn.Module) -> nn.Module:
    """A copy of a network with channels last in memory, which convolutions may like better."""
    moved: nn.Module = copy.deepcopy(network).to(memory_format=torch.channels_last)
    return moved


def _run_ms(network: nn.Module, inputs: torch.Tensor) -> float:
    device = device_of(network)
    own_inputs = inputs.to(device, copy=True)  # a network may alter it in place
    _wait_for(device)
    start = time.perf_counter()
    network(own_inputs)
    _wait_for(device)
    return 1000 * (time.perf_counter() - start)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _summed_up(taken: list[float]) -> Latency:
    low, median, high = (float(value) for value in np.quantile(taken, (0.25, 0.5, 0.75)))
    return Latency(min(taken), median, low, high, len(taken))
