"""A sparse network is repaired on its own support: exactly, and never for the worse."""

import copy

import pytest
import torch
from torch import nn

from stages.contractions.refit import Teacher
from stages.weights.order import apply_masks, masks_at, order_of
from stages.weights.prunable import prunable
from stages.weights.repair import repair_weights
from stages.weights.scores import magnitude
from tests.channels.test_repair import READERS, TINY, batches
from tests.dependency.cases import CASES, PRUNABLE, network_of


@pytest.mark.parametrize("name", READERS)
def test_each_output_is_the_best_that_its_own_weights_allow(name: str) -> None:
    """One layer, so that the optimum is least squares over the inputs that a row still has."""
    torch.manual_seed(0)
    network = nn.Sequential(copy.deepcopy(READERS[name][1])).double()
    _, second, shape = READERS[name]
    inputs = batches((shape[0], 6, *shape[2:]) if len(shape) > 2 else (20, 6))
    order = order_of(magnitude(prunable(network)), "global")
    masks = masks_at(order, 0.6)
    sparse = copy.deepcopy(network)
    apply_masks(sparse, masks)
    teacher = Teacher(network, inputs)
    report = repair_weights(sparse, teacher, masks, TINY)
    assert report.error_after < report.error_before
    parameters = [sparse[0].weight, sparse[0].bias]
    loss = sum(
        (sparse(batch) - given[0]).square().sum()
        for batch, given in zip(inputs, teacher.outputs, strict=True)
    )
    of_weight, of_bias = torch.autograd.grad(loss, parameters)
    scale = float(torch.cat([given[0].flatten() for given in teacher.outputs]).square().sum())
    assert float((of_weight * masks["0.weight"]).abs().max()) < 1e-6 * scale
    assert float(of_bias.abs().max()) < 1e-6 * scale
    assert not bool(sparse[0].weight[~masks["0.weight"]].any())
    assert second.weight.shape == sparse[0].weight.shape


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", PRUNABLE)
def test_repair_never_makes_worse_what_it_saw(name: str, sparsity: float) -> None:
    whole = network_of(name)
    masks = masks_at(order_of(magnitude(prunable(whole)), "global"), sparsity)
    inputs = [batch.float() for batch in batches(CASES[name].shape)]
    made = []
    for _ in range(2):
        sparse = copy.deepcopy(whole)
        apply_masks(sparse, masks)
        report = repair_weights(sparse, Teacher(whole, inputs), masks, 1e-3)
        assert report.error_after <= report.error_before
        made.append(sparse.state_dict())
    for key, tensor in made[0].items():
        assert torch.equal(tensor, made[1][key])
        if key in masks:
            assert not bool(tensor[~masks[key]].any())
        if not sparsity:
            assert torch.allclose(tensor, whole.state_dict()[key], atol=1e-6)


def test_what_a_teacher_keeps_is_what_it_gives() -> None:
    whole, shape = network_of("drln w8 m2 s3"), CASES["drln w8 m2 s3"].shape
    inputs = [batch.float() for batch in batches(shape)]
    order = order_of(magnitude(prunable(whole)), "global")
    keeps = Teacher(whole, inputs, keeps=True)
    for sparsity in (0.3, 0.6):
        masks, made = masks_at(order, sparsity), []
        for teacher in (keeps, Teacher(whole, inputs)):
            sparse = copy.deepcopy(whole)
            apply_masks(sparse, masks)
            repair_weights(sparse, teacher, masks, 1e-3)
            made.append(sparse.state_dict())
        assert all(torch.equal(made[0][key], made[1][key]) for key in made[0])


@pytest.mark.parametrize("name", READERS)
def test_layers_that_are_too_large_are_scaled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halved weights are found to be half of what they were."""
    monkeypatch.setattr("stages.contractions.matrices.COLUMNS", 0)
    torch.manual_seed(0)
    _, second, shape = READERS[name]
    network = nn.Sequential(copy.deepcopy(second)).double()
    inputs = batches((shape[0], 6, *shape[2:]) if len(shape) > 2 else (20, 6))
    half = copy.deepcopy(network)
    with torch.no_grad():
        half[0].weight *= 0.5
        half[0].bias += 1
    masks = {"0.weight": torch.ones_like(network[0].weight, dtype=torch.bool)}
    report = repair_weights(half, Teacher(network, inputs), masks, 1e-3)
    assert report.layers == report.scaled == ("0.weight",)
    assert torch.allclose(half[0].weight, network[0].weight, rtol=1e-4)
    assert torch.allclose(half[0].bias, network[0].bias, atol=1e-4)
