"""Building the dependency graph of a network: flow, units, groups, and a trial of each group."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from stages.dependency.flow import Flow
from stages.dependency.graph import Frozen, Graph, Group
from stages.dependency.prunable import sift
from stages.dependency.trials import Subject, subject_of, told
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
        UserError: if the network is in half precision, cannot be copied, or does not run on such
            an input.
    """
    _refuse(network)
    subject, flow = _traced(network, example_shape)
    if not flow.outputs:
        raise UserError("there is no tensor in what the network gives: let forward return some")
    parts = components_of(subject.nodes, flow)
    groups, frozen = groups_of(subject.nodes, parts)
    whole = Graph(tuple(groups), ())
    kept, failed = sift(groups, lambda removed: subject.problem(whole, removed, parts))
    more = [_all_of(group, failed[group.name]) for group in groups if group.name in failed]
    unseen = _never_run(subject, flow)
    return Graph(tuple(kept), (*frozen, *(part for parts in more for part in parts), *unseen))


def _refuse(network: nn.Module) -> None:
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise UserError(
                f"{name or 'the network'} is TorchScript: give the nn.Module that it was made from"
            )
    lazy = [n for n, t in network.named_parameters() if is_lazy(t)]
    if lazy:
        raise UserError(f"{lazy[0]} has no shape yet: run the network on an input first")
    half = [n for n, p in network.named_parameters() if p.dtype in (torch.float16, torch.bfloat16)]
    if half:
        raise UserError(
            f"the network is in half precision ({half[0]}): call .float() on it first, for what is "
            "removed is compared exactly"
        )


def _traced(network: nn.Module, shape: tuple[int, ...]) -> tuple[Subject, Flow]:
    """Trace on the meta device, or with real numbers if the network's code looks at them."""
    traced = None
    try:
        subject = subject_of(network, shape, meta=True)
        traced = subject, subject.run("eval")
    except Exception:  # whatever the meta device does not know
        pass
    if traced and _add_training(*traced):
        return traced
    try:
        subject = subject_of(network, shape, meta=False)
    except Exception as problem:  # whatever a user's own attributes may raise
        raise UserError(f"the network cannot be copied: {told(problem)}") from problem
    try:
        real = subject, subject.run("eval")
    except Exception as problem:  # whatever a user's own forward pass may raise
        raise UserError(
            f"the network does not run on an input of shape {shape}: {told(problem)}"
            + next((hint for sign, hint in HINTS.items() if sign in str(problem)), "")
        ) from problem
    return real if _add_training(*real) or not traced else traced


def _add_training(subject: Subject, flow: Flow) -> bool:
    """Add what is coupled in training alone; whether all was seen that there is to be seen.

    Batch statistics of a single value are none: with a batch of one, a second try is with two.
    """
    if not set(subject.nodes.shapes) - flow.seen:
        return True
    for repeats in (1, 2):
        subject.repeats["train"] = repeats
        try:
            training = subject.run("train")
        except Exception:  # whatever a user's own forward pass may raise
            continue
        flow.pairs += training.pairs
        flow.frozen += training.frozen
        flow.made += training.made
        flow.read += training.read
        flow.seen |= training.seen
        return True
    return False


def _all_of(group: Group, reason: str) -> list[Frozen]:
    return [Frozen(part.tensor, part.axis, part.indices.size, reason) for part in group.slices]


def _never_run(subject: Subject, flow: Flow) -> Iterable[Frozen]:
    parameters = dict(subject.network.named_parameters())
    for name, shape in subject.nodes.shapes.items():
        if name not in flow.seen and name in parameters:
            yield Frozen(name, 0, shape[0], "neither evaluation nor training runs it")
