"""SynFlow: the paper's conservation law, schedules, and layers that survive."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages.weights.order import masks_at, order_of
from stages.weights.prunable import prunable
from stages.weights.scores import magnitude
from stages.weights.synflow import densities, positive_copy, synflow_order, synflow_scores


def deep(bias: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, bias=bias), nn.ReLU(), nn.Conv2d(6, 4, 3, bias=bias), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, 12, bias=bias), nn.ReLU(), nn.Linear(12, 5, bias=bias),
    )  # fmt: skip


SHAPE = (1, 2, 8, 8)


def scores(network: nn.Module, include: tuple[str, ...] = ("weights",)) -> dict[str, Tensor]:
    positive = positive_copy(network)
    return synflow_scores(positive, prunable(positive, include), SHAPE)


def test_flow_is_conserved_through_every_layer() -> None:
    """Tanaka et al., theorem 2: the scores of every layer sum to R."""
    network = deep()
    with torch.no_grad():
        flow = float(positive_copy(network)(torch.ones(SHAPE, dtype=torch.float64)).sum())
    for name, score in scores(network).items():
        assert float(score.sum()) == pytest.approx(flow, rel=1e-9), name


def test_flow_is_conserved_at_every_hidden_neuron() -> None:
    """Tanaka et al., theorem 1: what comes in, bias included, goes out."""
    found = scores(deep(bias=True), ("weights", "biases"))
    into = found["5.weight"].sum(dim=1) + found["5.bias"]
    assert torch.allclose(into, found["7.weight"].sum(dim=0), rtol=1e-9)
    into = found["0.weight"].sum(dim=(1, 2, 3)) + found["0.bias"]
    assert torch.allclose(into, found["2.weight"].sum(dim=(0, 2, 3)), rtol=1e-9)


def test_the_conservation_law_is_not_true_of_magnitude() -> None:
    found = magnitude(prunable(deep()))
    assert float(found["0.weight"].sum()) != pytest.approx(float(found["7.weight"].sum()), rel=0.1)


def test_scoring_leaves_the_network_alone() -> None:
    network = deep(bias=True)
    before = copy.deepcopy(network.state_dict())
    synflow_order(network, SHAPE, ("weights",), "global", densities("exponential", 5, 0.99))
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_synflow_empties_no_layer_where_magnitude_does() -> None:
    """A layer of small weights: magnitude takes all of it at 0.99, and nothing gets through."""
    network = deep()
    with torch.no_grad():
        network[2].weight.mul_(0.01)
    by_magnitude = masks_at(order_of(magnitude(prunable(network)), "global"), 0.99)
    assert not by_magnitude["2.weight"].any()
    order = synflow_order(
        network, SHAPE, ("weights",), "global", densities("exponential", 100, 0.999)
    )
    for sparsity in (0.5, 0.9, 0.99):
        masks = masks_at(order, sparsity)
        assert all(mask.any() for mask in masks.values()), sparsity


def test_one_round_is_the_plain_order_of_scores() -> None:
    network = deep()
    one = synflow_order(network, SHAPE, ("weights",), "global", [])
    plain = order_of(scores(network), "global")
    assert all(torch.equal(one[name], plain[name]) for name in plain)


def test_every_round_scores_what_is_left() -> None:
    """The first round goes by the scores of all weights, the next by those of what is left."""
    network = deep()
    order = synflow_order(network, SHAPE, ("weights",), "global", [0.5])
    plain = order_of(scores(network), "global")
    halves = masks_at(order, 0.5)
    wanted = masks_at(plain, 0.5)
    assert all(torch.equal(halves[name], wanted[name]) for name in plain)
    left = copy.deepcopy(network)
    with torch.no_grad():
        for name, parameter in left.named_parameters():
            parameter.mul_(halves[name])
    later = scores(left)
    for name, mask in halves.items():
        places, values = order[name][mask], later[name][mask]
        assert torch.equal(values[places.argsort()], values.sort().values)


@pytest.mark.parametrize("schedule", ["exponential", "linear"])
def test_schedules_fall_to_the_last_density(schedule: str) -> None:
    falling = densities(schedule, 10, 0.99)  # type: ignore[arg-type]
    assert len(falling) == 10
    assert falling[-1] == pytest.approx(0.01)
    steps = [1.0, *falling]
    ratios = [b / a for a, b in zip(steps, falling, strict=False)]
    gaps = [a - b for a, b in zip(steps, falling, strict=False)]
    even = ratios if schedule == "exponential" else gaps
    assert even == pytest.approx([even[0]] * 10)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_places_are_a_permutation_whatever_the_scores(scope: str) -> None:
    network = deep()
    with torch.no_grad():
        network[7].weight.mul_(1e6)
    order = synflow_order(
        network,
        SHAPE,
        ("weights",),
        scope,
        densities("exponential", 30, 0.999),  # type: ignore[arg-type]
    )
    places = torch.cat([part.reshape(-1) for part in order.values()])
    assert torch.equal(places.sort().values, torch.arange(len(places)))


def test_activations_that_saturate_do_not_silence_what_lies_before_them() -> None:
    def network(activation: type[nn.Module]) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 40, 3), activation(), nn.Conv2d(40, 9, 3), nn.Flatten())

    plain = scores(network(nn.ReLU))
    for activation in (nn.ReLU6, nn.Sigmoid, nn.GELU, nn.SiLU):
        found = scores(network(activation))
        assert all(torch.allclose(found[name], plain[name]) for name in plain), activation


def test_layer_normalisation_only_scales() -> None:
    network = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 3))
    positive = positive_copy(network)
    found = synflow_scores(positive, prunable(positive), (1, 6))
    assert all(bool((score > 0).all()) for score in found.values())


def test_a_network_without_a_positive_flow_is_refused(refused: Any) -> None:
    class Negative(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return -super().forward(x)

    with refused("SynFlow", "weight", "sweep"):
        synflow_order(Negative(2, 2), (1, 2), ("weights",), "global", [0.5])
