"""The network that a command names: ours, torchvision's, a dotted path, or a saved model."""

import argparse
import json
from pathlib import Path

from torch import nn

from stages.errors import UserError
from stages.networks.build import build_network, resolve
from stages.networks.saved import TRUST, load_network
from stages.settings import trusted_here

CLASSES = 1000


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that `network_named` reads."""
    parser.add_argument("model", help="torchvision name, name of ours, dotted path, or folder")
    parser.add_argument(
        "--shape", type=int, nargs="+", help="of an input, batch included (1 3 224 224)"
    )
    parser.add_argument("--arguments", default="{}", help="of the factory, as JSON")
    parser.add_argument("--trust", action="append", default=[], help=TRUST)


def network_named(arguments: argparse.Namespace) -> tuple[nn.Module, tuple[int, ...]]:
    """The network, and the shape of an input.

    Raises:
        UserError: if there is none.
    """
    model, shape = arguments.model, arguments.shape
    if Path(model).is_dir():
        network, about = load_network(Path(model), {*trusted_here(), *arguments.trust})
        return network, tuple(shape or about.example_shape)
    try:
        options = json.loads(arguments.arguments)
    except json.JSONDecodeError as error:
        raise UserError(f"--arguments is no JSON: {error}") from None
    input_shape = tuple(shape or (1, 3, 224, 224))
    path, options = resolve(model, options, {"classes": CLASSES, "input_shape": input_shape[1:]})
    return build_network(path, options), input_shape
