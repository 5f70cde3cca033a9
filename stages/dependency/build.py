"""Building the dependency graph of a network: flow, units, groups, and a trial of each group."""

from torch import nn

from stages.dependency.flow import Flow
from stages.dependency.frozen import frozen_axes
from stages.dependency.graph import Graph
from stages.dependency.prunable import find_prunable
from stages.dependency.traced_network import TracedNetwork, text_of, traced_copy
from stages.dependency.trials import Trials
from stages.dependency.unfit import refuse_unfit
from stages.dependency.units import components_of, groups_of
from stages.errors import UserError

HINTS = {
    "more than 1 value per channel": "; give a batch of two",
    "scalar types: Long": "; inputs are no whole numbers here: let forward call .long() on them",
}


def build_graph(network: nn.Module, example_shape: tuple[int, ...]) -> Graph:
    """Find what must be removed together, and prove each group by removing from it.

    The network runs in eval mode on an input of `example_shape`; it is left as it was. Layers that
    run in training only, such as auxiliary heads, are seen in a run of their own.

    Raises:
        UserError: if the network is unfit (`refuse_unfit`), cannot be copied, or does not run on
            such an input.
    """
    refuse_unfit(network)
    traced, flow = _traced(network, example_shape)
    if not flow.output_shapes:
        raise UserError("there is no tensor in what the network gives: let forward return some")
    parts = components_of(traced.nodes, flow)
    groups = groups_of(traced.nodes, parts)
    kept, failed = find_prunable(groups, Trials(traced, Graph(tuple(groups), ()), parts))
    return Graph(tuple(kept), frozen_axes(traced.nodes, parts, flow.seen, groups, failed))


def _traced(network: nn.Module, shape: tuple[int, ...]) -> tuple[TracedNetwork, Flow]:
    """Trace on the meta device, or with real numbers if the network's code looks at them.

    The meta device comes first as it takes no arithmetic and no memory for activations: a network
    of billions of parameters is traced in seconds. What it cannot run, or where layers were left
    out, is run with real numbers; if that shows no more, the first trace is as good.
    """
    weightless = None
    try:
        traced = traced_copy(network, shape, meta=True)
        weightless = traced, traced.run("eval")
    except Exception:  # whatever the meta device does not know
        pass
    if weightless and _add_training(*weightless):
        return weightless
    try:
        traced = traced_copy(network, shape, meta=False)
    except Exception as problem:  # whatever a user's own attributes may raise
        raise UserError(f"the network cannot be copied: {text_of(problem)}") from problem
    try:
        real = traced, traced.run("eval")
    except Exception as problem:  # whatever a user's own forward pass may raise
        raise UserError(
            f"the network does not run on an input of shape {shape}: {text_of(problem)}"
            + next((hint for sign, hint in HINTS.items() if sign in str(problem)), "")
        ) from problem
    return real if _add_training(*real) or not weightless else weightless


def _add_training(traced: TracedNetwork, flow: Flow) -> bool:
    """Add what is coupled in training alone; whether all was seen that there is to be seen.

    Batch statistics of a single value are none: with a batch of one, a second try is with two.
    """
    if not set(traced.nodes.shapes) - flow.seen:
        return True
    for repeats in (1, 2):
        traced.repeats["train"] = repeats
        try:
            training = traced.run("train")
        except Exception:  # whatever a user's own forward pass may raise
            continue
        flow.pairs += training.pairs
        flow.frozen += training.frozen
        flow.contraction_outputs += training.contraction_outputs
        flow.contraction_inputs += training.contraction_inputs
        flow.seen |= training.seen
        return True
    return False
