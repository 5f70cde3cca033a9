"""A model as a folder: `network.json` (how to build it) and `weights.safetensors`.

Loading builds the network from its factory, gives every layer the shapes of the saved tensors,
and loads strictly: pruned networks of any class come back without pickle and without the graph.
A folder may come from someone else. So none but known factories are called, and `network.json`
holds a digest of the weights.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from stages.artifacts import NETWORK, WEIGHTS, read_json, write_json
from stages.errors import UserError
from stages.networks.build import FACTORIES, ZOO, build_network
from stages.networks.reshape import replace_tensors

SCHEMA = 2
DIGEST = "weights_sha256"
# DVC trusts what it has made read-only, so a copy that went bad in its cache comes back again.
MENDING = "delete the folder, let DVC check its copies (`chmod -R u+w .dvc/cache`), run `dvc repro`"
TRUST = "package.module whose code may build a model that is someone else's"
HARMLESS = {*FACTORIES, *FACTORIES.values(), ZOO}  # factories that a folder may name


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
    content = {"schema": SCHEMA, DIGEST: _digest(folder / WEIGHTS), **asdict(about)}
    write_json(folder / NETWORK, content)


def load_network(folder: Path, trusted: Collection[str] = ()) -> tuple[nn.Module, About]:
    """Read a network that `save_network` wrote; its outputs are the same bit for bit.

    It is built by a factory of ours or of torchvision, or by one that `trusted` names, as
    `package.module:factory` or by its module alone. No other is even imported.

    Raises:
        UserError: if something is missing, damaged, not trusted or does not fit.
    """
    digest, about = _read_about(folder / NETWORK)
    if not _may_build(about.factory, trusted):
        raise UserError(
            f"{folder / NETWORK} wants its network built by {about.factory!r}, which is code from "
            "outside: nothing was run. If you trust it, name it in network.TASK.factory of "
            "params.yaml, or give --trust package.module to the command"
        )
    try:
        damaged = _digest(folder / WEIGHTS) != digest
        tensors = {} if damaged else load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS} is missing or damaged: {error}") from error
    if damaged:
        raise UserError(f"{folder / WEIGHTS} is damaged (not what {NETWORK} tells of): {MENDING}")
    network = build_network(about.factory, about.arguments)
    replace_tensors(network, tensors)
    return network.eval(), about


def _read_about(path: Path) -> tuple[str, About]:
    """The digest of the weights, and all else that a `network.json` tells."""
    content = read_json(path)
    if content.pop("schema", None) != SCHEMA:
        raise UserError(f"{path} has another schema: run `dvc repro` again")
    try:
        digest = str(content.pop(DIGEST))
        content["example_shape"] = tuple(content["example_shape"])
        content["stages"] = tuple(content["stages"])
        return digest, About(**content)
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): run `dvc repro` again") from error


def _may_build(factory: str, trusted: Collection[str]) -> bool:
    module = str(factory).partition(":")[0]
    return factory in HARMLESS or factory in trusted or module in trusted


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
