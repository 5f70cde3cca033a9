"""Timing whole networks of any widths in a runtime."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from stages.channels.prices import NS_PER_MS
from stages.channels.removal import remove_channels
from stages.dependency.graph import Graph
from stages.exporting.onnx_file import export_onnx
from stages.exporting.runtimes import IN_TORCH, of_onnx
from stages.measuring.latency import Latency, channels_last, measure_latency

RUNS, SECONDS = 21, 6.0  # at most of each, and in all


def with_widths(network: nn.Module, graph: Graph, kept: Mapping[str, int]) -> nn.Module:
    """A copy of the network with so many units of each group, which are not chosen."""
    smaller = copy.deepcopy(network)
    gone = {g.name: np.arange(g.units - min(g.units, kept[g.name])) for g in graph.groups}
    remove_channels(smaller, graph, gone)
    return smaller


def whole_times(
    networks: Sequence[nn.Module], shape: tuple[int, ...], runtime: str, device: torch.device
) -> list[float]:
    """Least times of whole networks in ns, taking turns.

    Raises:
        UserError: if one cannot be exported to the runtime.
    """
    with TemporaryDirectory() as folder:
        opened = {
            str(n): open_whole(network, shape, runtime, Path(folder) / f"{n}.onnx").to(device)
            for n, network in enumerate(tqdm(networks, "export", disable=None, leave=False))
        }
        return [NS_PER_MS * latency.least_ms for latency in times_of(opened, shape)]


def times_of(opened: Mapping[str, nn.Module], shape: tuple[int, ...]) -> list[Latency]:
    """Times of networks in their runtimes, taking turns."""
    return list(measure_latency(opened, shape, RUNS, SECONDS).values())


def open_whole(network: nn.Module, shape: tuple[int, ...], runtime: str, path: Path) -> nn.Module:
    """A copy of a network in a runtime, through a file at `path` where it takes one.

    Raises:
        UserError: if it cannot be exported.
    """
    if runtime in IN_TORCH:
        return (copy.deepcopy if runtime == "torch" else channels_last)(network).eval()
    export_onnx(copy.deepcopy(network), shape, (), path)
    return of_onnx()[runtime](path)
