"""Building a network from its name or a dotted path, and loading starting weights."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.errors import UserError

FACTORIES = {
    "drln": "stages.networks.drln:DRLN",
    "espcn": "stages.networks.espcn:ESPCN",
}


def build_network(factory: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Call a factory, given by name or as `package.module:factory`, with keyword arguments.

    The folder that the pipeline runs in is on the import path.

    Raises:
        UserError: if it cannot be imported or called, or does not return an `nn.Module`.
    """
    path = FACTORIES.get(factory, factory)
    module_name, colon, attribute = path.partition(":")
    if not colon:
        known = ", ".join(FACTORIES)
        raise UserError(f"network {factory!r} is neither {known} nor package.module:factory")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        make = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever a user's own module may raise
        raise UserError(f"network {factory!r} cannot be imported: {error}") from error
    try:
        network = make(**arguments)
    except Exception as error:  # whatever a user's own factory may raise
        raise UserError(f"network {factory!r} refuses {dict(arguments)}: {error}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"network {factory!r} returned {type(network).__name__}, not an nn.Module")
    return network


def load_weights(network: nn.Module, path: Path) -> None:
    """Load `.safetensors`, or a `.pth` state dict read with `weights_only=True`, strictly.

    Raises:
        UserError: listing missing keys, unexpected keys and wrong shapes.
    """
    given = _read_tensors(path)
    wanted = network.state_dict()
    problems = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
        "wrong shape": [
            f"{name} {list(given[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in given and given[name].shape != tensor.shape
        ],
    }
    told = "; ".join(f"{what}: {_some(names)}" for what, names in problems.items() if names)
    if told:
        raise UserError(f"weights {path} do not fit the network: {told}")
    network.load_state_dict(given)


def _some(names: list[str], most: int = 8) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"weights {path} are missing: network.weights names no file")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        tree: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise almost anything, KeyError included
        reason = str(error).split("\n")[0]
        raise UserError(f"weights {path} are not readable as plain tensors: {reason}") from error
    for key in ("state_dict", "model", "params"):  # how training scripts commonly wrap them
        if isinstance(tree, dict) and isinstance(tree.get(key), dict):
            tree = tree[key]
    if not (
        isinstance(tree, dict)
        and all(isinstance(name, str) and isinstance(v, Tensor) for name, v in tree.items())
    ):
        raise UserError(f"weights {path} hold no state dict (a mapping from names to tensors)")
    return tree
