"""A model as a folder: `network.json` (how to build it) and `weights.safetensors`.

Loading builds the network from its factory, gives every layer the shapes of the saved tensors,
and loads strictly: pruned networks of any class come back without pickle and without the graph.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from stages.artifacts import NETWORK, WEIGHTS, read_json, write_json
from stages.errors import UserError
from stages.networks.build import build_network
from stages.networks.reshape import replace_tensors

SCHEMA = 1


@dataclass(frozen=True)
class About:
    """Where a network comes from: its factory, and what was done to it since."""

    factory: str
    arguments: Mapping[str, Any]
    example_shape: tuple[int, ...]
    stages: tuple[str, ...] = ()
    iterations: int = 0
    removed: Mapping[str, str] = field(default_factory=dict)

    def after(self, stage: str, iterations: int = 0) -> "About":
        """The same once `stage` has run, with so many iterations of training."""
        return replace(self, stages=(*self.stages, stage), iterations=self.iterations + iterations)


def save_network(folder: Path, network: nn.Module, about: About) -> None:
    """Write a network into an existing folder."""
    tensors = {
        name: t.detach().cpu().contiguous().clone() for name, t in network.state_dict().items()
    }
    save_file(tensors, folder / WEIGHTS)
    write_json(folder / NETWORK, {"schema": SCHEMA, **asdict(about)})


def load_network(folder: Path) -> tuple[nn.Module, About]:
    """Read a network that `save_network` wrote; its outputs are the same bit for bit.

    Raises:
        UserError: if something is missing or does not fit.
    """
    content = read_json(folder / NETWORK)
    if content.pop("schema", None) != SCHEMA:
        raise UserError(f"{folder / NETWORK} has another schema: run `dvc repro` again")
    try:
        content["example_shape"] = tuple(content["example_shape"])
        content["stages"] = tuple(content["stages"])
        about = About(**content)
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{folder / NETWORK} is damaged ({error}): run `dvc repro` again"
        ) from error
    network = build_network(about.factory, about.arguments)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS} is missing or damaged: {error}") from error
    replace_tensors(network, tensors)
    return network.eval(), about
