"""What a network starts from: weights of a file or of torchvision."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.errors import UserError
from stages.networks.build import last_layer
from stages.networks.zoo import torchvision_weights

TORCHVISION = Path("torchvision")  # in the place of a file of weights: torchvision's own
INITIAL = Path("models/initial")  # the user's own weights: DVC watches this folder


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
        # What torch says here is how to unpickle all the same, which nobody should.
        raise UserError(
            f"weights {path} are damaged or hold more than plain tensors: save the network's "
            "state_dict() as .safetensors, or by torch.save"
        ) from error
    for key in ("state_dict", "model", "params"):  # how training scripts commonly wrap them
        if isinstance(tree, dict) and isinstance(tree.get(key), dict):
            tree = tree[key]
    if not (
        isinstance(tree, dict)
        and all(isinstance(name, str) and isinstance(v, Tensor) for name, v in tree.items())
    ):
        raise UserError(f"weights {path} hold no state dict (a mapping from names to tensors)")
    return tree
