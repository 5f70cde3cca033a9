"""Importance by what repair cannot mend."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from stages.channels.curvature import curvatures
from stages.channels.obs import obs_importance
from stages.dependency.build import build_graph
from tests.channels.test_repair import READERS, TINY, batches, with_a_copy
from tests.dependency.cases import CASES, PRUNABLE, network_of, prepared


def samples_of(network: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> list:
    inputs = [batch.to(dtype) for batch in batches(shape)]
    with torch.no_grad():
        return [(batch, torch.randn_like(network(batch))) for batch in inputs]


@pytest.mark.parametrize("name", READERS)
def test_a_copy_of_a_channel_ranks_lowest(name: str) -> None:
    first, second, shape = READERS[name]
    assert_the_copy_is_lowest(with_a_copy(first, second), shape)


def assert_the_copy_is_lowest(network: nn.Sequential, shape: tuple[int, ...]) -> None:
    graph = build_graph(network, shape)
    samples = samples_of(network.double(), shape, torch.float64)
    importance, others = obs_importance(network, graph, samples, mse_loss, TINY)
    assert not others
    values = importance[graph.groups[0].name]
    assert min(values[-2:]) < 1e-6 * np.sort(values)[1]


def test_factors_are_those_of_a_direct_computation() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    graph = build_graph(network, (6, 4))
    samples = samples_of(network.double(), (6, 4), torch.float64)
    found, gradients = curvatures(network, graph, samples, mse_loss)
    inputs, outers = torch.zeros(3, 3).double(), torch.zeros(2, 2).double()
    for batch, targets in samples:
        for x, target in zip(batch, targets, strict=True):
            hidden = network[1](network[0](x)).detach()
            output = network[2](hidden).detach().requires_grad_()
            mse_loss(output, target).backward()
            inputs += torch.outer(hidden, hidden) / 18
            outers += torch.outer(output.grad, output.grad) / 18
    (curvature,) = (c for layer, c in found.items() if layer.weight == "2.weight")
    assert torch.allclose(curvature.mean_inputs[0], inputs)
    assert torch.allclose(curvature.gradients[0], outers)
    network.zero_grad()
    sum(mse_loss(network(x), y) for x, y in samples).backward()
    for key, parameter in network.named_parameters():
        assert torch.allclose(gradients[key], parameter.grad / 3)


def test_the_first_cost_is_what_a_refit_without_the_unit_loses() -> None:
    """With a loss that is half the squared error, by least squares, unit by unit."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).float()
    graph = build_graph(network, (6, 4))
    network.double()
    samples = samples_of(network, (50, 4), torch.float64)
    strength = 1e-3
    importance, _ = obs_importance(network, graph, samples, mse_loss, strength)
    hidden = torch.cat([network[:2](x) for x, _ in samples]).detach()
    given = hidden @ network[2].weight.detach().T
    gram = hidden.T @ hidden / len(hidden)
    gram += strength * gram.diagonal().mean() * torch.eye(5)
    gradients = curvatures(network, graph, samples, mse_loss)[0]
    (gamma,) = (c.gradients[0] for layer, c in gradients.items() if layer.weight == "2.weight")
    lost = []
    for unit in range(5):
        kept = [other for other in range(5) if other != unit]
        weight = network[2].weight.detach()
        moved = torch.linalg.solve(gram[kept][:, kept], gram[kept] @ weight.T).T
        difference = weight.clone()
        difference[:, kept] -= moved
        lost.append(float((gamma * (difference @ gram @ difference.T)).sum()))
    values = importance[graph.groups[0].name]
    assert given.shape == (150, 2)
    assert values.min() == pytest.approx(min(lost))
    assert values.argmin() == int(np.argmin(lost))


@pytest.mark.parametrize("name", PRUNABLE)
def test_every_unit_of_every_network_is_ranked(name: str) -> None:
    assert_all_are_ranked(name)


def assert_all_are_ranked(name: str) -> None:
    network, graph = network_of(name), prepared(name)[1]
    samples = samples_of(network, CASES[name].shape, torch.float32)
    importance, _ = obs_importance(network, graph, samples, mse_loss, 1e-3)
    for group in graph.groups:
        values = importance[group.name]
        assert values.shape == (group.units,)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
