"""Building a network from its name or a dotted path."""

import importlib
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from stages.errors import UserError
from stages.networks.zoo import is_in_zoo

FACTORIES = {
    "drln": "stages.networks.drln:DRLN",
    "espcn": "stages.networks.espcn:ESPCN",
    "lenet_small": "stages.networks.lenet:LeNetSmall",
    "residual_signal": "stages.networks.residual:residual_signal",
    "residual_picture": "stages.networks.residual:residual_picture",
}
ZOO = "stages.networks.zoo:torchvision_classifier"
OWN = Path("models/own")  # the user's own networks: DVC watches this folder


def resolve(
    factory: str, arguments: Mapping[str, Any], offered: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """A factory as a dotted path, with all its arguments.

    `factory` is a name of FACTORIES, of a torchvision classifier, or `package.module:factory`. What
    the data offer (such as `classes`) goes to parameters of that name that `arguments` leave open.

    Raises:
        UserError: if it cannot be found.
    """
    path, known = FACTORIES.get(factory, factory), dict(arguments)
    if ":" not in path and is_in_zoo(factory):
        path, known = ZOO, {"name": factory, **known}
    try:
        parameters = inspect.signature(_import(path)).parameters
    except (TypeError, ValueError) as error:
        raise UserError(f"network {factory!r} is no factory: {error}") from error
    open_ones = {name: v for name, v in offered.items() if name in parameters and name not in known}
    return path, known | open_ones


def build_network(factory: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Call a factory, by a name of FACTORIES or `package.module:factory`, with its arguments.

    Raises:
        UserError: if it cannot be imported or called, or does not return an `nn.Module`.
    """
    path = FACTORIES.get(factory, factory)
    make = _import(path)
    try:
        network = make(**arguments)
    except UserError:
        raise
    except Exception as error:  # whatever a user's own factory may raise
        raise UserError(f"network {path!r} refuses {dict(arguments)}: {error}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"network {path!r} returned {type(network).__name__}, not an nn.Module")
    return network


def last_layer(network: nn.Module) -> str:
    """The name of the last module that has parameters of its own: the head of a classifier."""
    owners = [
        n for n, m in network.named_modules() if next(m.parameters(recurse=False), None) is not None
    ]
    return str(owners[-1])


def freeze_all_but_last(network: nn.Module) -> None:
    """Leave only the last layer to be trained."""
    last = last_layer(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.rpartition(".")[0] == last)


def _import(path: str) -> Any:
    """Import what a dotted path names: from the current folder, or `models/own/`, or installed."""
    module_name, colon, attribute = path.partition(":")
    if not colon:
        raise UserError(
            f"network {path!r} is none of {', '.join(FACTORIES)}, no torchvision classifier, "
            "and no package.module:factory"
        )
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    if str(OWN.resolve()) not in sys.path:
        sys.path.append(str(OWN.resolve()))  # last: a file of the user's hides no installed package
    try:
        module = importlib.import_module(module_name)
        factory = getattr(module, attribute)
    except Exception as error:  # whatever a user's own module may raise
        raise UserError(f"network {path!r} cannot be imported: {error}") from error
    _warn_unwatched(path, getattr(module, "__file__", None))
    return factory


@cache  # once per process
def _warn_unwatched(path: str, file: str | None) -> None:
    """Say so where DVC does not see a change of the code that a network is built by."""
    watched = (OWN.resolve(), Path(__file__).resolve().parents[1])
    if file is None or not any(Path(file).resolve().is_relative_to(f) for f in watched):
        print(
            f"network {path} lies outside {OWN}/, where DVC sees a change of its code: after one, "
            "run `dvc repro -f finetune`"
        )
