"""Times of the dense and of a pruned model, side by side in every runtime at hand."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stages import artifacts
from stages.exporting.runtimes import at_hand, of_onnx, open_in
from stages.measuring.eight_bit import EIGHT_BIT
from stages.measuring.latency import Latency, channels_last, measure_latency
from stages.settings import DENSE
from stages.tasks.task import CostShapes

Pair = dict[str, nn.Module]  # by name of the model: the dense one, and another
Runtimes = dict[str, Callable[[], Pair]]

SECONDS = 2.0  # of each runtime; no further turns after so long


def runtimes_of(pair: Pair, folders: Mapping[str, Path]) -> Runtimes:
    """Both models in PyTorch, and in every runtime at hand for which both have a verified file."""
    found: Runtimes = {"torch": lambda: pair}
    if all(_has_pictures(network) for network in pair.values()):
        found["torch_channels_last"] = lambda: {n: channels_last(net) for n, net in pair.items()}
    if folders.keys() >= pair.keys():
        kept = [_verified(folders[name]) for name in pair]
        if not all(kept):
            return found
        for runtime in at_hand():
            if all(runtime in names for names in kept):
                found[runtime] = _opener(runtime, {name: folders[name] for name in pair})
    return found


def in_eight_bits(runtimes: Runtimes, name: str, path: Path) -> Runtimes:
    """For runtimes of ONNX that both models are in: model `name` in 8 bits beside the dense one."""

    def small(runtime: str) -> Callable[[], Pair]:
        return lambda: {DENSE: runtimes[runtime]()[DENSE], name: of_onnx()[runtime](path)}

    return {runtime + EIGHT_BIT: small(runtime) for runtime in of_onnx() if runtime in runtimes}


def time_in_runtimes(
    runtimes: Runtimes, macs: Mapping[str, int], shapes: CostShapes
) -> dict[str, Any]:
    """Latency of both models by runtime, and gains: how many times less the pruned one needs.

    One runtime after the other, for their threads get in each other's way. `gain_ratio` is the gain
    in time as a share of the gain in MACs.
    """
    (other,) = macs.keys() - {DENSE}
    gain = macs[DENSE] / macs[other] if macs[other] else 1.0  # none of either: nothing was gained
    rows = {}
    for runtime, open_both in runtimes.items():
        latency = measure_latency(open_both(), shapes.latency, shapes.latency_runs, SECONDS)
        rows[runtime] = _compared(latency[DENSE], latency[other], gain)
    return {
        "threads": torch.get_num_threads(),
        "shape": list(shapes.latency),
        "macs_gain": gain,
        "by_runtime": rows,
    }


def in_pytorch(by_runtime: Mapping[str, Mapping[str, float]], name: str) -> dict[str, Any]:
    """Latency of the dense model and of the other one, `name`, in PyTorch, by name."""
    row = by_runtime["torch"]
    of_dense = {key: row[f"dense_{key}"] for key in row if f"dense_{key}" in row}
    runs = {"latency_runs": row["latency_runs"]}
    return {DENSE: of_dense | runs, name: {key: row[key] for key in of_dense} | runs}


def _compared(dense: Latency, pruned: Latency, macs_gain: float) -> dict[str, float]:
    gain = dense.median_ms / pruned.median_ms
    return {
        **dense.columns("dense_"),
        **pruned.columns(),
        "latency_runs": pruned.runs,
        "time_gain": gain,
        "gain_ratio": gain / macs_gain,
    }


def _verified(folder: Path) -> set[str]:
    """The runtimes that a model's files were verified in."""
    return set(artifacts.read_json(folder / artifacts.EXPORTED_RECORD)["kept"])


def _opener(runtime: str, folders: Mapping[str, Path]) -> Callable[[], Pair]:
    stems = {name: folder / artifacts.EXPORTED_STEM for name, folder in folders.items()}
    return lambda: {name: open_in(runtime, stem) for name, stem in stems.items()}


def _has_pictures(network: nn.Module) -> bool:
    """Whether it convolves in two dimensions, so that the order of channels in memory matters."""
    return any(isinstance(module, nn.Conv2d) for module in network.modules())
