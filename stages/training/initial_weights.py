"""What a network starts from: weights of a file or of torchvision, and a frozen backbone."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.errors import UserError
from stages.networks.zoo import torchvision_weights

TORCHVISION = Path("torchvision")  # in the place of a file of weights: torchvision's own
INITIAL = Path("models/initial")  # the user's own weights: DVC watches this folder


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


def load_weights(
    network: nn.Module, weights: Path, classifier: str = "", new_head: bool = False
) -> None:
    """Load `.safetensors`, or a `.pth` state dict read with `weights_only=True`, strictly.

    `torchvision` in the place of a file takes torchvision's own weights for a `classifier`. With
    `new_head`, a last layer of another size than the network's keeps its random weights.

    Raises:
        UserError: listing missing keys, unexpected keys and wrong shapes.
    """
    tensors = torchvision_weights(classifier) if weights == TORCHVISION else _read_tensors(weights)
    own = network.state_dict()
    # Files from before PyTorch 0.4.1 do not count batches, and load all the same.
    counts = {key: t for key, t in own.items() if key.endswith("num_batches_tracked")}
    tensors = counts | tensors
    if new_head:
        head = [key for key in own if key.rpartition(".")[0] == last_layer(network)]
        fresh = [k for k in head if k in tensors and tensors[k].shape != own[k].shape]
        tensors |= {key: own[key] for key in fresh}
        if fresh:
            print(f"weights {weights}: the last layer is of another size and starts anew")
    problems = {
        "missing": [name for name in own if name not in tensors],
        "unexpected": [name for name in tensors if name not in own],
        "wrong shape": [
            f"{name} {list(tensors[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in own.items()
            if name in tensors and tensors[name].shape != tensor.shape
        ],
    }
    listed = "; ".join(f"{what}: {_some(names)}" for what, names in problems.items() if names)
    if listed:
        raise UserError(f"weights {weights} do not fit the network: {listed}")
    network.load_state_dict(tensors)


def _some(names: list[str], most: int = 8) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"weights {path} are missing: network.weights names no file")
    if not path.resolve().is_relative_to(INITIAL.resolve()):
        print(
            f"weights {path} lie outside {INITIAL}/, where DVC sees a change of the file: after "
            "one, run `dvc repro -f finetune`"
        )
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
