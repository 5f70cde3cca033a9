"""Time that removal saves, by widths and by goal: `python -m tests.benchmarks.time_goals NETWORK`.

With random weights, ranked by `norm2`: time depends on widths, not on numbers. For each network, in
one runtime: half (or --share) of the MACs removed with widths as they come and with multiples that
pay, and the same share of the time asked for and measured. All times of a table take turns.
"""

import argparse
import copy
from typing import Any

import torch
from torch import nn

from stages.channels.budget import budget_for, choose_units, smallest_reachable
from stages.channels.importance import unit_importance
from stages.channels.portions import Limits
from stages.channels.prices import Goal, prices_of
from stages.channels.removal import parameter_shapes, remove_channels, tensor_shapes
from stages.costing.costs import measured_costs
from stages.costing.whole import whole_times
from stages.dependency.build import build_graph
from stages.dependency.graph import Graph
from stages.measuring.macs import macs_of
from stages.measuring.prices import network_prices
from stages.networks.build import build_network, resolve
from stages.networks.saved import About
from stages.step_model import StepModel, choose_for, without
from stages.time_budget import Timing, budget_as_measured

CPU = torch.device("cpu")
SIZES = {"drln": (1, 180, 320), "residual_signal": (2, 1024)}  # of an input; pictures are 96 x 96
MINIMUM = 2


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--runtime", default="onnx")
    parser.add_argument("--share", type=float, default=0.5)
    arguments = parser.parse_args()
    for name in arguments.networks:
        _table(name, arguments.runtime, arguments.share)


def _table(name: str, runtime: str, share: float) -> None:
    torch.manual_seed(0)
    size = SIZES.get(name, (3, 96, 96))
    path, options = resolve(name, {}, {"classes": 1000, "input_shape": size})
    network = build_network(path, options).eval()
    graph = build_graph(network, (1, 1, 16, 16) if name == "drln" else (1, *size))
    shape = (1, *size)
    costs = measured_costs(copy.deepcopy(network), graph, shape, runtime, CPU)
    known = network_prices(network, 0, shape) | {"time": costs["time"]}
    kinds: dict[str, nn.Module] = {"dense": network}
    for label, goal, multiples in (
        ("macs", "macs", 1), ("macs, auto", "macs", costs["multiples"]),
        ("time, table", "time", costs["multiples"]), ("time", "time", costs["multiples"]),
    ):  # fmt: skip
        corrected = runtime if label == "time" else None
        kinds[label] = _pruned(network, graph, share, goal, multiples, known, shape, corrected)  # type: ignore[arg-type]
    times = whole_times(list(kinds.values()), shape, runtime, CPU)
    macs = {kind: macs_of(one, shape).count for kind, one in kinds.items()}
    print(f"\n{name} in {runtime}, share {share:g}, widths pay in multiples of {costs['multiple']}")
    print(f"{'removed':<14} {'ms':>9} {'time left':>9} {'MACs left':>9} {'gain':>6} {'/ MACs':>6}")
    for (kind, count), time in zip(macs.items(), times, strict=True):
        gain, macs_gain = times[0] / time, macs["dense"] / count
        print(f"{kind:<14} {time / 1e6:>9.3f} {1 / gain:>9.3f} {1 / macs_gain:>9.3f} "
              f"{gain:>6.2f} {gain / macs_gain:>6.2f}", flush=True)  # fmt: skip


def _pruned(
    network: nn.Module,
    graph: Graph,
    share: float,
    goal: Goal,
    multiples: int | dict[str, int],
    known: dict[str, Any],
    shape: tuple[int, ...],
    runtime: str | None,
) -> nn.Module:
    prices = prices_of(goal, parameter_shapes(network), known)
    shapes, initial = tensor_shapes(network), prices.cost(tensor_shapes(network))
    budget = budget_for(share, initial)
    limits = Limits("global", MINIMUM, multiples)
    while smallest_reachable(graph, shapes, limits, prices) > budget and (finer := limits.finer()):
        limits = finer
    importance = unit_importance(network, graph, "norm2")
    if runtime is None:
        smaller = copy.deepcopy(network)
        remove_channels(
            smaller, graph, choose_units(graph, importance, shapes, budget, limits, prices)
        )
        return smaller
    planned = {"goal": goal, "prices": known, "budget": budget, "initial": initial,
               "scope": "global", "minimum": MINIMUM, "round_to": limits.round_to, "protect": [],
               "runtime": runtime, "shape": shape, "absolute": False}  # fmt: skip
    model = StepModel(network, About("", {}, shape), graph, graph)
    timing = Timing(network, planned, CPU)
    asked = budget_as_measured(model, importance, planned, budget, timing)
    return without(model, choose_for(model, importance, planned, asked))


if __name__ == "__main__":
    main()
