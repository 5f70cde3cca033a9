"""What pruning can do for a network, before anything is trained: `python -m stages.analyse MODEL`.

MODEL is a name of torchvision's classifiers, a name of ours, `package.module:factory`, or the
folder of a saved model. With a goal and a target it says whether that can be met, and ends with
status 1 where it cannot.
"""

import argparse
import copy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import torch
from torch import nn

from stages.channels.budget import budget_for
from stages.channels.floor import all_but
from stages.channels.prices import NS_PER_MS, Goal, amount
from stages.channels.removal import remove_channels
from stages.costing.whole import whole_times
from stages.dependency.build import build_graph
from stages.dependency.frozen import frozen_lines
from stages.dependency.graph import Graph
from stages.errors import UserError
from stages.exporting.runtimes import IN_TORCH, of_onnx
from stages.measuring.cost import saved_bytes
from stages.measuring.macs import macs_of
from stages.measuring.parameters import count_parameters
from stages.named_network import add_network_arguments, network_named
from stages.networks.saved import About, save_network
from stages.running import run_stage

Costs = Mapping[Goal, int]


def main() -> None:
    """Print costs, floors and what is frozen; then whether the goal can be met."""
    arguments = _arguments()
    network, shape = network_named(arguments)
    graph = build_graph(network, shape)
    smallest = _without_most(network, graph, arguments.minimum, arguments.protect)
    dense, floor = _costs(network, shape), _costs(smallest, shape)
    times = _times((network, smallest), shape, arguments.runtime)
    dense, floor = ({**cost, "time": ns} for cost, ns in zip((dense, floor), times, strict=True))
    for line in (*table(dense, floor, arguments.runtime), *frozen_lines(graph)):
        print(line)
    if arguments.target is not None:
        told, met = answer(arguments.goal, arguments.target, dense, floor)
        print(told)
        if not met:
            sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stages.analyse", description="What pruning can do for a network."
    )
    add_network_arguments(parser)
    add = parser.add_argument
    add("--goal", choices=get_args(Goal), default="parameters", help="what the target is of")
    share = "share of it to remove, or how much may be left, such as 30e9; of time, in ms"
    add("--target", type=float, help=share)
    add("--minimum", type=int, default=2, help="channels that each group keeps (2)")
    add("--protect", nargs="*", default=[], help="patterns of layers to spare, such as 'tail.*'")
    add("--runtime", choices=(*IN_TORCH, *of_onnx()), default="torch", help="to measure time in")
    arguments = parser.parse_args()
    if arguments.target is not None and not arguments.target > 0:
        raise UserError(f"--target {arguments.target:g} must be above 0: see --help")
    if arguments.minimum < 1:
        raise UserError(f"--minimum {arguments.minimum} must be at least 1")
    return arguments


def _without_most(network: nn.Module, graph: Graph, minimum: int, protect: list[str]) -> nn.Module:
    smallest = copy.deepcopy(network)
    remove_channels(smallest, graph, all_but(graph, minimum, protect))
    return smallest


def _costs(network: nn.Module, shape: tuple[int, ...]) -> Costs:
    with tempfile.TemporaryDirectory() as name:
        save_network(Path(name), network, About("", {}, shape))
        size = saved_bytes(Path(name))
    macs = macs_of(network, shape).count
    return {"parameters": count_parameters(network), "macs": macs, "bytes": size}


def _times(
    networks: tuple[nn.Module, nn.Module], shape: tuple[int, ...], runtime: str
) -> list[int]:
    """Median times in ns, taking turns."""
    return [round(time) for time in whole_times(networks, shape, runtime, torch.device("cpu"))]


def table(dense: Costs, floor: Costs, runtime: str) -> list[str]:
    """A line a cost: of the dense network, with every group at its minimum, and what can go."""
    lines = [f"{'':<24} {'dense':>20} {'at the minimum':>20} {'can go':>8}"]
    for goal, cost in dense.items():
        both = [amount(goal, one).removesuffix(f" {goal}") for one in (cost, floor[goal])]
        name = f"time in {runtime}" if goal == "time" else goal
        share = 1 - floor[goal] / max(cost, 1)
        lines.append(f"{name:<24} {both[0]:>20} {both[1]:>20} {share:>8.4f}")
    return lines


def answer(goal: Goal, target: float, dense: Costs, floor: Costs) -> tuple[str, bool]:
    """Whether a target, a share below 1 or a bound above it, can be met; if not, the nearest."""
    initial, least = dense[goal], floor[goal]
    bound = target * NS_PER_MS if goal == "time" else target
    budget = budget_for(target, initial) if target < 1 else bound
    asked = f"a share of {target:g}" if target < 1 else f"down to {amount(goal, bound)}"
    if budget >= initial:
        return f"{goal}: {asked} needs no pruning, the network has {amount(goal, initial)}", True
    both = f"{amount(goal, least)} of {amount(goal, initial)}"
    nearest = f"{both} are left with every group at its minimum"
    if least > budget:
        share = 1 - least / initial
        return f"{goal}: {asked} cannot be met, {share:.4f} at most can go: {nearest}", False
    return f"{goal}: {asked} can be met: {nearest}", True


if __name__ == "__main__":
    run_stage(main)
