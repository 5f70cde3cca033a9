"""A copy of a user's network that can be run, cut and run again, and what was seen of it whole."""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.dependency.calls import ModuleCalls
from stages.dependency.flow import Flow
from stages.dependency.labels import filled
from stages.dependency.nodes import Labelling, Nodes
from stages.dependency.rules import rule_for
from stages.dependency.tracing import same_draws, tensors_of, unfused
from stages.dependency.user_code import UserCode
from stages.dependency.widths import sizes_marked

MODES = {"eval": False, "train": True}


@dataclass
class TracedNetwork:
    """A network to try things on, a copy of the user's, and what was seen when it was whole.

    `calls` holds what went into each module and came out; empty off the meta device, where
    keeping it would keep all activations.
    """

    network: nn.Module
    example: Tensor
    nodes: Nodes
    whole: dict[str, Flow] = field(default_factory=dict)  # by mode
    repeats: dict[str, int] = field(default_factory=dict)  # of the example, if more than one
    calls: ModuleCalls = field(default_factory=ModuleCalls)

    def run(self, mode: str) -> Flow:
        """Trace the whole network, and remember what came of it."""
        labelling = Labelling(self.network, self.nodes)
        calls = self.calls if mode == "eval" and self.example.is_meta else None
        self.whole[mode] = self.trace(mode, labelling, calls)
        return self.whole[mode]

    def trace(self, mode: str, labelling: Labelling, calls: ModuleCalls | None = None) -> Flow:
        """Run the network as it is now, its tensors labelled by `labelling`."""
        self.network.train(MODES[mode])
        inputs = [self.example] * self.repeats.get(mode, 1)
        return trace(self.network, inputs, labelling, calls)


def trace(
    network: nn.Module,
    examples: Sequence[Tensor],
    labelling: Labelling,
    calls: ModuleCalls | None = None,
) -> Flow:
    """Run `network` as it is, once on all `examples`; returns what its operators couple.

    What depends on the network's input or makes its output is frozen: a pruned network takes and
    gives the same shapes. The calls of its modules are recorded in `calls`.
    """
    flow = Flow(labelling, rule_for)
    # One node beyond all others stands for the input. Code may write into it: `cat` makes a copy.
    count = labelling.nodes.count
    inputs = torch.cat(list(examples))
    flow.set(inputs, [filled(inputs.shape, count)])
    flow.frozen.append((np.array([count]), "it reaches the network's input"))
    with calls.recorded(network, flow.known_labels) if calls is not None else nullcontext():
        outputs = run_in(flow, network, inputs)
    for tensor in outputs:
        for labels in flow.labels_of(tensor):
            flow.freeze(labels, "it reaches the network's output")
    flow.forget()
    return flow


def run_in(flow: Flow, module: nn.Module, *args: Any, **kwargs: Any) -> list[Tensor]:
    """Run a module so that `flow` sees it; returns all tensors that it gives.

    Fused kernels are kept from hiding their operators.
    """
    _couple_recurrent(module, flow)
    marked = sizes_marked(module, flow.labelling, flow.asked)
    with torch.no_grad(), unfused(), same_draws(), marked, UserCode(flow), flow:
        outputs = tensors_of(module(*args, **kwargs))
    flow.output_shapes = [tuple(tensor.shape) for tensor in outputs]
    return outputs


def _couple_recurrent(network: nn.Module, flow: Flow) -> None:
    """All layers and directions of a recurrent module have one hidden size.

    Said beforehand, as its operators do not show it: each layer could have a width of its own.
    """
    for module in network.modules():
        if isinstance(module, nn.RNNBase):
            hidden = [
                axis_labels[1]
                for name, tensor in module.named_parameters()
                if name.startswith("weight_hh") and (axis_labels := flow.labels_of(tensor))
            ]
            for other in hidden[1:]:
                flow.couple(hidden[0][:1], other[:1])


def traced_copy(network: nn.Module, example_shape: tuple[int, ...], meta: bool) -> TracedNetwork:
    """A copy of a network to try things on, on the meta device or where it is."""
    nodes = Nodes(network)
    if meta:
        copied = copy.deepcopy(network, {id(t): _weightless(t) for t in tensors_in(network)})
        example = torch.empty(example_shape, dtype=_type(network), device="meta")
        return TracedNetwork(copied, example, nodes)
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(example_shape, dtype=_type(network), generator=generator)
    return TracedNetwork(copy.deepcopy(network).cpu(), example, nodes)


def tensors_in(network: nn.Module) -> list[Tensor]:
    """All parameters and buffers."""
    return [*network.parameters(), *network.buffers()]


def text_of(problem: Exception) -> str:
    """What was raised, in one line."""
    first = (str(problem).strip().splitlines() or [""])[0]
    kind = type(problem).__name__
    return first if first and kind == "RuntimeError" else f"{kind}: {first}".removesuffix(": ")


def _type(network: nn.Module) -> torch.dtype:
    types = (tensor.dtype for tensor in tensors_in(network) if tensor.is_floating_point())
    return next(types, torch.float32)


def _weightless(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, tensor.requires_grad)
    return empty
