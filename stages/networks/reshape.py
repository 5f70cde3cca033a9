"""Giving layers tensors of other shapes, or shorter ones; attributes follow from the shapes."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from stages.errors import UserError
from stages.networks.indices import RemovedIndices, kept_of


def replace_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put `tensors` (by state-dict name) in the place of the network's own, whatever their shapes.

    Channels, groups and features of convolution, linear, normalisation and PReLU layers are set
    from the new shapes. Tensors that several modules share stay shared.

    Raises:
        UserError: if a name is unknown or missing, or a tensor has another number of axes.
    """
    owners = dict(_tensors_with_owners(network))
    if owners.keys() != tensors.keys():
        different = sorted(owners.keys() ^ tensors.keys())
        raise UserError(f"the saved tensors are not this network's: {', '.join(different[:8])}")
    replaced: dict[int, Tensor] = {}
    for name, (module, attribute) in owners.items():
        old = getattr(module, attribute)
        if old.dim() != tensors[name].dim():
            raise UserError(
                f"{name} has {old.dim()} axes in the network, {tensors[name].dim()} given"
            )
        if id(old) not in replaced:
            new = tensors[name].detach().clone().to(old.device)
            replaced[id(old)] = (
                nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
            )
    for module in network.modules():
        _reshape_module(module, replaced)


def remove_indices(network: nn.Module, removed: RemovedIndices) -> None:
    """Take indices of tensors' axes out of `network`, in place."""
    names = _first_names(network)
    state = network.state_dict()
    sliced = {}
    for name, tensor in state.items():
        for axis, gone in removed.get(names.get(name, name), {}).items():
            left = kept_of(tensor.shape[axis], gone)
            tensor = tensor.index_select(axis, torch.from_numpy(left).to(tensor.device))
        sliced[name] = tensor
    replace_tensors(network, sliced)


def _first_names(network: nn.Module) -> dict[str, str]:
    """The name under which the graph knows each tensor: its first, where it is shared."""
    first: dict[int, str] = {}
    names = {}
    tensors = [
        *network.named_parameters(remove_duplicate=False),
        *network.named_buffers(remove_duplicate=False),
    ]
    for name, tensor in tensors:
        names[name] = first.setdefault(id(tensor), name)
    return names


def _tensors_with_owners(network: nn.Module) -> Iterator[tuple[str, tuple[nn.Module, str]]]:
    saved = network.state_dict().keys()
    for prefix, module in network.named_modules(remove_duplicate=False):
        for attribute in (*module._parameters, *module._buffers):
            name = f"{prefix}.{attribute}" if prefix else attribute
            if name in saved:
                yield name, (module, attribute)


def _reshape_module(module: nn.Module, replaced: Mapping[int, Tensor]) -> None:
    following = [*sizes_of(module), *_groups_of(module)]
    before = [_length(module, attribute, axis) for _, attribute, axis in following]
    for attribute, tensor in [*module._parameters.items(), *module._buffers.items()]:
        if id(tensor) in replaced:
            setattr(module, attribute, replaced[id(tensor)])
    for (size, attribute, axis), old in zip(following, before, strict=True):
        if old:
            new = getattr(module, size) * _length(module, attribute, axis) // old
            setattr(module, size, new)
    if isinstance(module, nn.LayerNorm | nn.RMSNorm) and isinstance(module.weight, Tensor):
        module.normalized_shape = tuple(module.weight.shape)


def _length(module: nn.Module, attribute: str, axis: int) -> int:
    """The length of a tensor's axis; 0 where the module has no such tensor."""
    tensor = getattr(module, attribute, None)
    return tensor.shape[axis] if isinstance(tensor, Tensor) else 0


def _groups_of(module: nn.Module) -> Iterator[tuple[str, str, int]]:
    """The number of groups, where it follows the number of channels: each group has one."""
    if isinstance(module, _ConvNd | nn.GroupNorm) and _one_each(module):
        yield "groups" if isinstance(module, _ConvNd) else "num_groups", "weight", 0


def sizes_of(module: nn.Module) -> Iterator[tuple[str, str, int]]:
    """Sizes that a layer holds as attributes, and the tensor and axis whose length each follows.

    A size is as many times the length as the layer was built with: the channels of a grouped
    convolution are more than its weight is long, the states of an LSTM are fewer.
    """
    if isinstance(module, _ConvNd):
        # A weight is (outputs, inputs / groups, ...); transposed, (inputs, outputs / groups, ...).
        sides = ("in_channels", "out_channels")
        first, second = sides if isinstance(module, _ConvTransposeNd) else sides[::-1]
        yield first, "weight", 0
        yield second, "weight", 0 if _one_each(module) else 1
    elif isinstance(module, _NormBase):
        yield "num_features", "weight" if module.weight is not None else "running_mean", 0
    elif isinstance(module, nn.RNNBase | nn.RNNCellBase):
        last = "_l0" if isinstance(module, nn.RNNBase) else ""
        yield "input_size", f"weight_ih{last}", 1
        yield "hidden_size", f"weight_hh{last}", 0
    else:
        for kind, sizes in SIZES.items():
            if isinstance(module, kind):
                yield from ((size, "weight", axis) for axis, size in enumerate(sizes))


SIZES: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("out_features", "in_features"),
    nn.Embedding: ("num_embeddings", "embedding_dim"),
    nn.GroupNorm: ("num_channels",),
    nn.PReLU: ("num_parameters",),
}
"""Layers whose sizes are the lengths of their weights' axes, in order."""


def _one_each(module: _ConvNd | nn.GroupNorm) -> bool:
    """Whether every group of a convolution or a normalisation has one channel: whole groups go.

    Noted once, as built: a grouped layer may come down to one channel a group later on.
    """
    if isinstance(module, _ConvNd):
        alone = module.groups > 1 and module.weight.shape[1] == 1
    else:
        alone = module.num_groups == module.num_channels > 1
    return bool(vars(module).setdefault("one_each", alone))
