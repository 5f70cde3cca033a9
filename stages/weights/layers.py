"""How sparse each layer and block became, and whether depth or type has to do with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from math import factorial

import numpy as np
import torch
from scipy.stats import mannwhitneyu, spearmanr
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

SIGNIFICANT = 0.05  # the largest p-value that is called a trend
FEW = 6  # layers, up to which the usual approximation of the p-value is far off
LEAST = 5  # layers, or layers of each type, under which no rank test is quoted


@dataclass(frozen=True)
class Layer:
    """A layer with weights that may go; `depth` counts layers in the order in which they run.

    `block` is the part of the network that it belongs to, by its name (`block_of`).

    `share_of_zeros` is of all zeros of the network; dead channels are outputs without any weight.
    """

    depth: int
    layer: str
    block: str
    type: str
    weights: int
    zeros: int
    sparsity: float
    share_of_zeros: float
    channels: int
    dead_channels: int

    @classmethod
    def columns(cls) -> list[str]:
        return [field.name for field in fields(cls)]


def layer_table(network: nn.Module, names: Sequence[str], example: Tensor) -> list[Layer]:
    """Every layer that owns one of the tensors `names`, as an example meets them."""
    parameters, owners = dict(network.named_parameters()), dict(network.named_modules())
    places = {name: place for place, name in enumerate(_as_run(network, example))}
    found = sorted(names, key=lambda name: _place(name, places))
    zeros = {name: int((parameters[name] == 0).sum()) for name in found}
    everything = max(1, sum(zeros.values()))
    layers = []
    for depth, name in enumerate(found, 1):
        weight, owner = parameters[name].detach(), owners[name.rpartition(".")[0]]
        axis = 1 if isinstance(owner, _ConvTransposeNd) else 0
        rows = weight.transpose(0, axis).flatten(1) if weight.dim() > 1 else weight[:, None]
        label = name.removesuffix(".weight")
        layers.append(
            Layer(
                depth, label, block_of(label), _kind(owner), weight.numel(), zeros[name],
                zeros[name] / weight.numel(), zeros[name] / everything,
                len(rows), int((rows == 0).all(dim=1).sum()),
            )
        )  # fmt: skip
    return layers


def _place(name: str, places: Mapping[str, int]) -> int:
    """When the module that owns a tensor is called, or else the nearest one around it that is."""
    while name:
        name = name.rpartition(".")[0]
        if name in places:
            return places[name]
    return len(places)


def _kind(module: nn.Module) -> str:
    if isinstance(module, _ConvNd):
        return "convolution"
    return "linear" if isinstance(module, nn.Linear) else type(module).__name__.lower()


def _as_run(network: nn.Module, example: Tensor) -> list[str]:
    """Names of modules in the order in which they are first called."""
    seen: dict[str, None] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, __, name=name: seen.setdefault(name))
        for name, module in network.named_modules()
    ]
    try:
        with torch.no_grad():
            network.eval()(example)
    finally:
        for hook in hooks:
            hook.remove()
    return list(seen)


def block_of(layer: str) -> str:
    """The block that a layer belongs to: its name up to a number in it, or without its last part.

    `layer1.0.conv2` is of `layer1.0`, `features.3` of `features`, and `fc` of itself.
    """
    parts = layer.split(".")
    around = parts[:-1] or parts
    ends = [n for n, part in enumerate(around, 1) if part.isdecimal()]
    ends += [n for n, part in enumerate(around, 1) if part[-1:].isdecimal()]
    return ".".join(around[: ends[0]] if ends else around)


def explain(layers: Sequence[Layer]) -> str:
    """Whether earlier or later, larger or smaller, convolution or linear layers became sparser,
    and how sparse each block is."""
    sparsities = [layer.sparsity for layer in layers]
    if len(layers) < 3 or len(set(sparsities)) == 1:
        text = f"{len(layers)} layers, alike or too few: no trend can be told."
        return f"{text} {_emptied(layers)}".strip()
    depths, sizes = [layer.depth for layer in layers], [layer.weights for layer in layers]
    trends = [f"{len(layers)} layers are too few for a trend with depth or size to be tested."]
    if len(layers) >= LEAST:
        trends = [
            _trend(depths, sparsities, "Later", "Earlier"),
            _trend(sizes, sparsities, "Larger", "Smaller"),
        ]
    return " ".join(
        text for text in (*trends, _types(layers), _blocks(layers), _emptied(layers)) if text
    )


def _emptied(layers: Sequence[Layer]) -> str:
    """Layer collapse, where it happened."""
    names = [layer.layer for layer in layers if layer.zeros == layer.weights]
    return f"No weight is left in {', '.join(names)}." if names else ""


def _trend(along: Sequence[float], sparsities: Sequence[float], up: str, down: str) -> str:
    if len(set(along)) == 1:
        return ""
    rho, p = rank_correlation(along, sparsities)
    text = f"(Spearman's rho {rho:+.2f}, p = {p:.2g}, {len(sparsities)} layers)"
    if p > SIGNIFICANT:
        return f"{up} layers became neither clearly sparser nor denser {text}."
    return f"{up if rho > 0 else down} layers became sparser {text}."


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Spearman's rho and its two-sided p-value, over all orders where there are few of them."""
    result = spearmanr(one, other)
    rho = float(result.statistic)
    if len(one) > FEW:  # no p-value is below that of the two perfectly sorted orders
        return rho, max(float(result.pvalue), 2 / factorial(len(one)))
    orders = (spearmanr(one, order).statistic for order in permutations(other))
    return rho, float(np.mean([abs(each) >= abs(rho) - 1e-9 for each in orders]))


def _types(layers: Sequence[Layer]) -> str:
    by_type = _by(layers, "type")
    if len(by_type) == 1:
        return f"All are {layers[0].type} layers."
    return f"Sparsity by type (layers): {_shares(by_type)}{_difference(by_type)}."


def _blocks(layers: Sequence[Layer]) -> str:
    """Sparsity of every block, and which is the sparsest; nothing where blocks are layers."""
    by_block = _by(layers, "block")
    if not 1 < len(by_block) < len(layers):
        return ""
    sparsest, densest = (
        choose(by_block, key=lambda name: _overall(by_block[name])) for choose in (max, min)
    )
    return (
        f"Sparsity by block (layers), in order of depth: {_shares(by_block)}; the sparsest is "
        f"{sparsest}, the densest {densest}."
    )


def _by(layers: Sequence[Layer], field: str) -> dict[str, list[Layer]]:
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        found.setdefault(getattr(layer, field), []).append(layer)
    return found


def _shares(parts: Mapping[str, Sequence[Layer]]) -> str:
    return ", ".join(f"{name} {_overall(part):.3f} ({len(part)})" for name, part in parts.items())


def _overall(layers: Sequence[Layer]) -> float:
    return sum(layer.zeros for layer in layers) / sum(layer.weights for layer in layers)


def _difference(by_type: Mapping[str, Sequence[Layer]]) -> str:
    """Whether the sparsities of convolution and linear layers differ by more than chance."""
    parts = [
        [layer.sparsity for layer in by_type.get(kind, ())] for kind in ("convolution", "linear")
    ]
    if min(len(part) for part in parts) < LEAST:
        return ""
    p = float(mannwhitneyu(*parts).pvalue)
    clear = "a clear difference" if p <= SIGNIFICANT else "no clear difference"
    return f"; between convolution and linear layers {clear} (Mann-Whitney p = {p:.2g})"
