"""Classifiers of torchvision, by name."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from stages.errors import UserError

_TWO_HEADS = ("googlenet", "inception_v3")  # one, called aux..., is used in training only
COLOURS = 3  # channels that all of them take


def is_in_zoo(name: str) -> bool:
    """Whether torchvision has a classifier of this name."""
    import torchvision  # costs a second, so only where a name is not our own

    return name in torchvision.models.list_models(module=torchvision.models)


def torchvision_classifier(
    name: str, classes: int, input_shape: Sequence[int], **options: Any
) -> nn.Module:
    """A torchvision classifier with a head for so many `classes`, of random weights.

    Raises:
        UserError: if the data do not have the three channels that it takes.
    """
    from torchvision.models import get_model

    if input_shape[0] != COLOURS:
        raise UserError(
            f"{name} takes pictures of {COLOURS} channels, the data have {input_shape[0]}: set "
            f"data.classification.pictures.channels to {COLOURS}"
        )
    one_head = {"aux_logits": False, "init_weights": True} if name in _TWO_HEADS else {}
    arguments = {**one_head, **options}
    network: nn.Module = get_model(name, weights=None, num_classes=classes, **arguments)
    return network


def torchvision_weights(name: str) -> dict[str, Tensor]:
    """The weights that torchvision itself gives with a classifier, downloaded if need be.

    Raises:
        UserError: if it has none, or the machine cannot get them.
    """
    from torchvision.models import get_model

    try:
        tensors = get_model(name, weights="DEFAULT").state_dict()
    except Exception as error:  # no such weights, no internet, no place to store them
        reason = str(error).split("\n")[0]
        raise UserError(
            f"torchvision's own weights for {name} cannot be had ({reason}): give a file in "
            "network.classification.weights, or null"
        ) from error
    if name not in _TWO_HEADS:
        return dict(tensors)
    return {key: tensor for key, tensor in tensors.items() if not key.lower().startswith("aux")}
