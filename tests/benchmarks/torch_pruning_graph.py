"""Torch-Pruning's groups, and the error of what it removes against the masked network."""

import copy

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from stages.channels.masking import kept_statistics
from stages.channels.proof import relative_error
from stages.dependency.tracing import tensors_of
from stages.networks.indices import RemovedIndices


def reference_groups(network: nn.Module, example: Tensor) -> tuple[int, int]:
    """Build its graph and list its groups; how many, and the parameters of their layers."""
    graph = torch_pruning.DependencyGraph().build_dependency(network, example, verbose=False)
    groups = list(graph.get_all_groups(ignored_layers=_last(network)))
    layers = {id(dep.target.module): dep.target.module for group in groups for dep, _ in group}
    owned = {id(p): p.numel() for layer in layers.values() for p in _parameters(layer)}
    return len(groups), sum(owned.values())


def prune_half(network: nn.Module, example: Tensor) -> float:
    """Remove half of every group's channels, in place; the error against masking them.

    Every removal is done on a twin, too, whose elements hold their own numbers: so the twin tells
    at the end what is left of each tensor.
    """
    network.eval()  # building its graph leaves it in training mode
    whole, twin = copy.deepcopy(network), _numbered(network)
    twins = dict(zip(map(id, network.modules()), twin.modules(), strict=True))
    pruner = torch_pruning.pruner.MagnitudePruner(
        network, example, importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=0.5, ignored_layers=_last(network),
    )  # fmt: skip
    for group in pruner.step(interactive=True):
        for dep, indices in group:
            if id(dep.target.module) in twins:
                dep.pruning_fn(twins[id(dep.target.module)], indices)
        group.prune()
    lost = _lost(whole, twin)
    with torch.no_grad():
        given = tensors_of(network.eval()(example))
        for name, tensor in whole.named_parameters():
            for axis, gone in lost.get(name, {}).items():
                tensor.index_fill_(axis, torch.from_numpy(gone), 0.0)
        with kept_statistics(whole.eval(), lost):
            wanted = tensors_of(whole(example))
    return max(map(relative_error, given, wanted))


def _numbered(network: nn.Module) -> nn.Module:
    twin = copy.deepcopy(network).double()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.copy_(torch.arange(parameter.numel()).view(parameter.shape))
    return twin


def _lost(whole: nn.Module, twin: nn.Module) -> RemovedIndices:
    """Indices of every axis of every parameter that the twin has no more."""
    left, lost = dict(twin.named_parameters()), {}
    for name, tensor in whole.named_parameters():
        numbers = left[name].detach().numpy().astype(np.int64).ravel()
        places = np.unravel_index(numbers, tensor.shape)
        gone = {
            axis: np.setdiff1d(np.arange(length), places[axis])
            for axis, length in enumerate(tensor.shape)
        }
        lost[name] = {axis: indices for axis, indices in gone.items() if len(indices)}
    return lost


def _last(network: nn.Module) -> list[nn.Module]:
    """The layer that makes the classes: what has no place to lose channels."""
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1:] or [
        module for module in network.modules() if isinstance(module, nn.Conv2d)
    ][-1:]


def _parameters(layer: nn.Module | nn.Parameter) -> list[nn.Parameter]:
    return [layer] if isinstance(layer, nn.Parameter) else list(layer.parameters(recurse=False))
