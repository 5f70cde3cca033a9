"""Importance against slow references, and against Torch-Pruning where both see the same slices."""

import copy
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
import torch_pruning
from torch import Tensor, nn

from stages.channels.importance import Kind, unit_importance, unit_norms
from stages.channels.masking import mask_channels
from tests.dependency.cases import CASES, network_of, prepared, units_of

Tensors = Mapping[str, Tensor]
KINDS: list[Kind] = ["norm2", "mean", "taylor"]

# By case and group: the parts of tensors that a unit is, written down by hand.
OWNED: dict[tuple[str, str], Callable[[Tensors, int], list[Tensor]]] = {
    ("batch norm", "head"): lambda t, u: [
        t["head.weight"][u], t["head.bias"][u], t["m0.weight"][u], t["m0.bias"][u],
        t["m2.weight"][:, u],
    ],
    ("batch norm", "m2"): lambda t, u: [
        t["m2.weight"][u], t["m3.weight"][u], t["m3.bias"][u], t["tail.weight"][:, u],
    ],
    ("prelu", "head"): lambda t, u: [
        t["head.weight"][u], t["head.bias"][u], t["m0.weight"][u], t["m1.weight"][:, u],
    ],
    ("residual", "head"): lambda t, u: [
        t["head.weight"][u], t["head.bias"][u], t["m0.c.0.weight"][:, u], t["m0.c.2.weight"][u],
        t["m0.c.2.bias"][u], t["m1.c.0.weight"][u], t["m1.c.0.weight"][:, u], t["m1.c.0.bias"][u],
        t["tail.weight"][:, u],
    ],
    ("depthwise x2", "head"): lambda t, u: [
        t["head.weight"][u], t["head.bias"][u], t["m0.weight"][2 * u : 2 * u + 2],
        t["m0.bias"][2 * u : 2 * u + 2], t["tail.weight"][:, 2 * u : 2 * u + 2],
    ],
    ("flatten", "head"): lambda t, u: [
        t["head.weight"][u], t["head.bias"][u], t["hidden.weight"][:, 16 * u : 16 * u + 16],
    ],
}  # fmt: skip
# There Torch-Pruning ties the same slices together, and leaves out no parameters.
ALIKE = ["drln w8 m2 s3", "drln w12 m1 s4", "espcn w16 s3", "residual", "dense", "attention",
         "batch norm", "transposed", "circular", "flatten", "tokens", "twice"]  # fmt: skip


def numbers(parts: list[Tensor]) -> list[float]:
    return [value for part in parts for value in part.reshape(-1).tolist()]


def gradients_of(network: nn.Module) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {name: torch.randn_like(p) for name, p in network.named_parameters()}


def by_hand(kind: Kind, weights: list[float], gradients: list[float]) -> float:
    if kind == "norm2":
        return sum(w * w for w in weights) ** 0.5
    if kind == "mean":
        return sum(abs(w) for w in weights) / len(weights)
    return sum((w * g) ** 2 for w, g in zip(weights, gradients, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "group"), OWNED)
def test_importance_is_what_a_slow_reference_gives(name: str, group: str, kind: Kind) -> None:
    network, graph = prepared(name)
    weights, gradients = dict(network.named_parameters()), gradients_of(network)
    parts = OWNED[name, group]
    slow = np.array([
        by_hand(kind, numbers(parts(weights, u)), numbers(parts(gradients, u)))
        for u in range(units_of(graph, group))
    ])  # fmt: skip
    given = gradients if kind == "taylor" else None
    fast = unit_importance(network, graph, kind, given)[group]
    assert fast == pytest.approx(slow / slow.mean(), rel=1e-5)
    if kind == "norm2":
        assert unit_norms(network, graph)[group] == pytest.approx(slow, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_group_has_a_mean_of_one(kind: Kind) -> None:
    network, graph = prepared("drln w8 m2 s3")
    importance = unit_importance(network, graph, kind, gradients_of(network))
    assert list(importance) == [group.name for group in graph.groups]
    for values in importance.values():
        assert values.mean() == pytest.approx(1)
        assert values.std() > 1e-3


def test_the_kind_decides_and_not_whether_there_are_gradients() -> None:
    network, graph = prepared("batch norm")
    for kind in ("norm2", "mean"):
        with_gradients = unit_importance(network, graph, kind, gradients_of(network))["head"]
        assert with_gradients == pytest.approx(unit_importance(network, graph, kind)["head"])


def test_taylor_without_gradients_is_refused() -> None:
    with pytest.raises(ValueError, match="gradients"):
        unit_importance(*prepared("batch norm"), "taylor")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["drln w8 m2 s3", "batch norm", "flatten", "grouped", "shared"])
def test_a_silenced_channel_matters_least(name: str, kind: Kind) -> None:
    network, graph = network_of(name), prepared(name)[1]
    for group in graph.groups:
        silenced = copy.deepcopy(network)
        mask_channels(silenced, graph, {group.name: np.array([1])})
        values = unit_importance(silenced, graph, kind, gradients_of(silenced))[group.name]
        assert values[1] == 0
        assert (np.delete(values, 1) > 0).all()


@pytest.mark.parametrize("kind", ["norm2", "mean"])
def test_a_louder_channel_matters_more_and_a_louder_layer_does_not(kind: Kind) -> None:
    network, graph = network_of("batch norm"), prepared("batch norm")[1]
    before = unit_importance(network, graph, kind)
    with torch.no_grad():
        network.m0.weight[2] *= 50
    louder = unit_importance(network, graph, kind)
    assert louder["head"][2] > before["head"][2]
    assert (np.delete(louder["head"], 2) < np.delete(before["head"], 2)).all()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(7)
    for name, values in unit_importance(network, graph, kind).items():
        assert values == pytest.approx(louder[name])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ALIKE)
def test_norms_are_those_of_torch_pruning(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    theirs = torch_pruning.DependencyGraph()
    theirs.build_dependency(network, example_inputs=torch.rand(CASES[name].shape))
    magnitude = torch_pruning.importance.GroupMagnitudeImportance(
        p=2, group_reduction="sum", normalizer=None, bias=True
    )
    for group in graph.groups:
        layer = network.get_submodule(group.name)
        prune = theirs.get_pruner_of_module(layer).prune_out_channels
        tied = theirs.get_pruning_group(layer, prune, idxs=list(range(group.units)))
        ours = unit_norms(network, graph)[group.name]
        assert np.sqrt(magnitude(tied).numpy()) == pytest.approx(ours, rel=1e-5)
