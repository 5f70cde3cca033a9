"""Times of the dense and of a pruned model, side by side in every runtime at hand."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stages import artifacts
from stages.exporting.runtimes import of_onnx, opened
from stages.measuring.latency import Latency, measure_latency
from stages.settings import DENSE
from stages.tasks.task import CostShapes

Pair = Mapping[str, nn.Module]  # by name of the model: the dense one, and another

EIGHT_BIT = "_8bit"  # ends the name of a runtime where only the pruned model is in 8 bits


def runtimes_of(pair: Pair, folders: Mapping[str, Path]) -> dict[str, dict[str, nn.Module]]:
    """Both models in PyTorch, and in every runtime at hand for which both have a verified file."""
    found: dict[str, dict[str, nn.Module]] = {"torch": dict(pair)}
    if all(_has_pictures(network) for network in pair.values()):
        found["torch_channels_last"] = {name: _channels_last(net) for name, net in pair.items()}
    files = {name: _opened(folder) for name, folder in folders.items()}
    if files.keys() >= pair.keys():
        for runtime in files[DENSE]:
            if all(runtime in files[name] for name in pair):
                found[runtime] = {name: files[name][runtime] for name in pair}
    return found


def in_eight_bits(
    runtimes: Mapping[str, Mapping[str, nn.Module]], name: str, path: Path
) -> dict[str, dict[str, nn.Module]]:
    """For runtimes of ONNX that both models are in: model `name` in 8 bits beside the dense one."""
    return {
        runtime + EIGHT_BIT: {DENSE: runtimes[runtime][DENSE], name: opener(path)}
        for runtime, opener in of_onnx().items()
        if runtime in runtimes
    }


def time_in_runtimes(
    runtimes: Mapping[str, Mapping[str, nn.Module]], macs: Mapping[str, int], shapes: CostShapes
) -> dict[str, Any]:
    """Latency of both models by runtime, and gains: how many times less the pruned one needs.

    `gain_ratio` is the gain in time as a share of the gain in MACs.
    """
    flat = {
        (runtime, name): net for runtime, pair in runtimes.items() for name, net in pair.items()
    }
    latency = measure_latency(flat, shapes.latency, shapes.latency_runs)
    (other,) = macs.keys() - {DENSE}
    gain = macs[DENSE] / macs[other] if macs[other] else 1.0  # none of either: nothing was gained
    return {
        "threads": torch.get_num_threads(),
        "shape": list(shapes.latency),
        "runs": next(iter(latency.values())).runs,
        "macs_gain": gain,
        "by_runtime": {
            runtime: _compared(latency[runtime, DENSE], latency[runtime, other], gain)
            for runtime in runtimes
        },
    }


def _compared(dense: Latency, pruned: Latency, macs_gain: float) -> dict[str, float]:
    gain = dense.median_ms / pruned.median_ms
    return {
        **dense.columns("dense_"),
        **pruned.columns(),
        "time_gain": gain,
        "gain_ratio": gain / macs_gain,
    }


def _opened(folder: Path) -> dict[str, nn.Module]:
    """A model in the runtimes that its files were verified in; in none where it has no files."""
    if artifacts.why_nothing(folder):
        return {}
    kept = artifacts.read_json(folder / artifacts.EXPORTED_RECORD)["kept"]
    return opened(folder / artifacts.EXPORTED_STEM, kept)


def _has_pictures(network: nn.Module) -> bool:
    """Whether it convolves in two dimensions, so that the order of channels in memory matters."""
    return any(isinstance(module, nn.Conv2d) for module in network.modules())


def _channels_last(network: nn.Module) -> nn.Module:
    moved: nn.Module = copy.deepcopy(network).to(memory_format=torch.channels_last)
    return moved
