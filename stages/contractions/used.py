"""The layers of a network as its code uses them: by which calls, and with whose bias."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from stages.contractions.calls import Layer, Weights
from stages.contractions.running import Seen

RECURRENT = "a recurrent layer: its inputs depend on what it gave before"
SHARED = "its weight is used in several ways"


@dataclass(frozen=True)
class Used:
    """A layer and its calls, by number.

    `bias` is the name of a parameter and where in it the layer's begins, if no other layer adds it.
    """

    layer: Layer
    calls: tuple[int, ...]
    bias: tuple[str, int] | None


def used_layers(network: nn.Module, seen: Seen) -> tuple[list[Used], dict[str, str]]:
    """Layers that can be fitted, in order of execution; weights that cannot, and why."""
    numbers: dict[Layer, list[int]] = {}
    for number, call in enumerate(seen.calls):
        numbers.setdefault(call.layer, []).append(number)
    twice = _used_twice([*numbers])
    left = dict.fromkeys(seen.elsewhere | twice, SHARED) | dict.fromkeys(
        _recurrent(network), RECURRENT
    )
    biases = _own_biases(seen, Weights(network))
    found = [
        Used(layer, tuple(places), biases.get(layer))
        for layer, places in numbers.items()
        if layer.weight not in left
    ]
    return found, left


def _recurrent(network: nn.Module) -> Iterator[str]:
    for prefix, module in network.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            yield from (f"{prefix}.{name}" if prefix else name for name in module._parameters)


def _used_twice(layers: Sequence[Layer]) -> set[str]:
    """Weights of which several layers use the same rows."""
    ends: dict[str, int] = {}
    twice = set()
    for layer in sorted(layers, key=lambda layer: layer.start):
        if layer.start < ends.get(layer.weight, 0):
            twice.add(layer.weight)
        ends[layer.weight] = layer.start + layer.rows
    return twice


def _own_biases(seen: Seen, weights: Weights) -> dict[Layer, tuple[str, int]]:
    """Where the bias of each layer is, of those that no other layer adds."""
    places: dict[Layer, tuple[str, int]] = {}
    for call in seen.calls:
        found = weights.find(call.bias) if call.bias is not None else None
        if (
            call.bias is not None
            and found
            and found[0] not in seen.elsewhere
            and found[1].dim() == 1
        ):
            start = int(call.bias.storage_offset() - found[1].storage_offset())
            places[call.layer] = found[0], start
    several = [place for place in places.values() if [*places.values()].count(place) > 1]
    return {layer: place for layer, place in places.items() if place not in several}
