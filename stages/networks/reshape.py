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
    before = getattr(module, "weight", None)
    old_shape = tuple(before.shape) if isinstance(before, Tensor) else ()
    for attribute, tensor in [*module._parameters.items(), *module._buffers.items()]:
        if id(tensor) in replaced:
            setattr(module, attribute, replaced[id(tensor)])
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        _set_recurrent(module)
    elif isinstance(module, _NormBase):
        sized = module.weight if module.weight is not None else module.running_mean
        if sized is not None:
            module.num_features = len(sized)
    elif isinstance(before, Tensor):
        _set_sizes(module, old_shape, tuple(module.weight.shape))  # type: ignore[arg-type]


def _set_sizes(module: nn.Module, old: tuple[int, ...], new: tuple[int, ...]) -> None:
    if isinstance(module, _ConvNd):
        # A weight is (outputs, inputs / groups, ...); transposed, (inputs, outputs / groups, ...).
        # Noted once, as built: a grouped layer may come down to one channel a group later on.
        one_each = module.__dict__.setdefault("one_each", old[1] == 1 and module.groups > 1)
        if one_each:  # depthwise: whole groups go
            module.groups = new[0] * module.groups // old[0]
        sizes = (new[0], new[1] * module.groups)
        if isinstance(module, _ConvTransposeNd):
            module.in_channels, module.out_channels = sizes
        else:
            module.out_channels, module.in_channels = sizes
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = new
    elif isinstance(module, nn.PReLU):
        module.num_parameters = new[0]
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        module.normalized_shape = new
    elif isinstance(module, nn.GroupNorm):
        alone = module.num_groups == module.num_channels > 1
        module.num_groups = (
            new[0] if vars(module).setdefault("one_each", alone) else module.num_groups
        )
        module.num_channels = new[0]
    elif isinstance(module, nn.Embedding):
        module.num_embeddings, module.embedding_dim = new


def _set_recurrent(module: nn.RNNBase | nn.RNNCellBase) -> None:
    last = "_l0" if isinstance(module, nn.RNNBase) else ""
    module.input_size = getattr(module, f"weight_ih{last}").shape[1]
    gates = getattr(module, f"weight_hh{last}").shape[0]
    module.hidden_size = gates // GATES[type(module).__name__.removesuffix("Cell")]


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
