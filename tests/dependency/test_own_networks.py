"""Networks that users bring: pruned exactly, saved and read again, left alone, or refused."""

import copy
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.masking import mask_channels
from stages.channels.proof import DOUBLE, LIMITS, masking_proof, relative_error
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.dependency.build import build_graph
from stages.dependency.graph import Removed, removed_indices
from stages.dependency.tracing import tensors_of
from stages.networks.reshape import replace_tensors
from tests.dependency.cases import some_units
from tests.dependency.networks_under_test import Apply, between, conv, lively
from tests.dependency.own_cases import OWN, PICTURE, PRUNABLE, built
from tests.dependency.own_networks import Modular
from tests.dependency.own_sequences import Text
from tests.dependency.ownership import check_ownership

pytestmark = pytest.mark.filterwarnings("ignore:input's size at dim=1 does not match num_features")
EXACT, WRONG = LIMITS[DOUBLE], 1e-3
TRAINING_ONLY = ("auxiliary.1",)


def pruned(name: str, removed: Removed) -> nn.Module:
    network, _, graph = built(name)
    network = copy.deepcopy(network).eval()
    remove_channels(network, graph, removed)
    return network


def outputs(network: nn.Module, name: str) -> list[Tensor]:
    torch.manual_seed(0)
    with torch.no_grad():
        return tensors_of(network(OWN[name].example()))


@pytest.mark.parametrize("name", OWN)
def test_groups_and_what_stays_are_those_expected(name: str) -> None:
    graph = built(name)[2]
    assert {group.name: group.units for group in graph.groups} == OWN[name].groups
    for tensor, reason in OWN[name].stays.items():
        reasons = [f.reason for f in graph.frozen if f.tensor == tensor]
        assert any(text.startswith(reason) for text in reasons), (tensor, reasons)


@pytest.mark.parametrize("name", OWN)
def test_every_index_is_owned_once_or_frozen_with_a_reason(name: str) -> None:
    network, _, graph = built(name)
    check_ownership(network, graph)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", PRUNABLE)
def test_removing_is_exact(name: str, share: float) -> None:
    network, _, graph = built(name)
    removed = some_units(graph, share, seed=round(10 * share))
    proof = masking_proof(network, OWN[name].example(), graph, removed)
    assert (proof.holds, proof.precision) == (True, DOUBLE), proof


@pytest.mark.parametrize("name", PRUNABLE)
def test_removing_other_units_than_those_masked_is_noticed(name: str) -> None:
    network, _, graph = built(name)
    for group in graph.groups:
        half = group.units // 2
        masked = copy.deepcopy(network).eval()
        mask_channels(masked, graph, {group.name: np.arange(group.units - half, group.units)})
        given = outputs(pruned(name, {group.name: np.arange(half)}), name)
        errors = map(relative_error, given, outputs(masked, name))
        if "attention.levels" in group.name:
            continue  # at their one position a ReLU often leaves nothing to notice
        assert group.name in TRAINING_ONLY or max(errors) > WRONG, group.name


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("name", PRUNABLE)
def test_what_is_left_has_the_predicted_size_and_comes_back_bit_for_bit(
    name: str, share: float
) -> None:
    whole, _, graph = built(name)
    removed = some_units(graph, share)
    predicted = count_after(parameter_shapes(whole), removed_indices(graph, removed))
    network, anew = pruned(name, removed), OWN[name].make().eval()
    assert sum(p.numel() for p in network.parameters()) == predicted
    replace_tensors(anew, network.state_dict())
    given = outputs(network, name)
    assert given
    assert all(map(torch.equal, outputs(anew, name), given))
    assert {n: p.shape for n, p in anew.named_parameters()} == parameter_shapes(network)


@pytest.mark.parametrize("name", PRUNABLE)
def test_what_is_left_still_trains(name: str) -> None:
    network = pruned(name, some_units(built(name)[2], 0.5)).train().requires_grad_()
    whole = copy.deepcopy(built(name)[0]).train()
    given = tensors_of(network(OWN[name].example()))
    assert [t.shape for t in given] == [t.shape for t in outputs(whole, name)]
    torch.stack([tensor.square().mean() for tensor in given]).sum().backward()
    assert any(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("batch", [1, 2])
def test_an_auxiliary_head_goes_with_its_backbone_and_trains(batch: int) -> None:
    network, x = lively(Modular(give=dict)).double(), torch.randn(2, 2, 8, 8).double()
    graph = build_graph(network, (batch, 2, 8, 8))
    removed = {"paths.near": np.arange(5), "auxiliary.1": np.arange(2)}
    small, masked = copy.deepcopy(network), copy.deepcopy(network)
    remove_channels(small, graph, removed)
    mask_channels(masked, graph, removed)
    assert small.auxiliary[1].weight.shape[:2] == (3, 3)
    given, wanted = (one.train()(x)["auxiliary"] for one in (small, masked))
    assert relative_error(given.detach(), wanted.detach()) < EXACT
    given.square().sum().backward()
    assert small.auxiliary[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", OWN)
def test_the_network_handed_in_is_left_as_it_was(name: str) -> None:
    network, before, _ = built(name)
    wanted = before.state_dict()
    assert all(torch.equal(tensor, wanted[n]) for n, tensor in network.state_dict().items())
    for one, other in zip(network.modules(), before.modules(), strict=True):
        assert (type(one), one.training) == (type(other), other.training)
        assert one.extra_repr() == other.extra_repr()
    for parameter, other in zip(network.parameters(), before.parameters(), strict=True):
        assert (parameter.requires_grad, parameter.grad) == (other.requires_grad, None)


def test_random_numbers_of_the_caller_are_not_used_up() -> None:
    network, state = Modular(), torch.get_rng_state()
    build_graph(network, PICTURE)
    assert torch.equal(torch.get_rng_state(), state)


def failing(problem: Exception) -> nn.Module:
    def step(x: Tensor) -> Tensor:
        raise problem

    return between(step)


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and still in use
        return between(torch.nn.utils.weight_norm(conv(8, 8)))


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return between(torch.jit.script(nn.ReLU()))


def holding(value: object) -> nn.Module:
    network = between(nn.ReLU())
    network.held = value
    return network


RUNS, COPIED = "does not run on an input of shape", "cannot be copied"
REFUSED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], tuple[str, ...]]] = {
    "channels": (lambda: between(nn.ReLU()), (2, 5, 8, 8), (RUNS, "(2, 5, 8, 8)", "2 channels")),
    "axes": (lambda: between(nn.ReLU()), (2, 8), (RUNS, "(2, 8)", "conv2d")),
    "float16": (lambda: between(nn.ReLU()).half(), PICTURE, ("half precision", ".float()")),
    "bfloat16": (lambda: between(conv(8, 8).bfloat16()), PICTURE, ("half", "m0.weight")),
    "error": (lambda: failing(RuntimeError("no\nway")), PICTURE, (RUNS, "no")),
    "key": (lambda: failing(KeyError("near")), PICTURE, (RUNS, "KeyError: 'near'")),
    "bare assert": (lambda: failing(AssertionError()), PICTURE, (RUNS, "AssertionError")),
    "single value": (lambda: between(nn.BatchNorm2d(8, track_running_stats=False)), (1, 2, 1, 1),
                     (RUNS, "more than 1 value per channel", "batch of two")),
    "whole numbers": (lambda: Text(False, long=False), (2, 4), (RUNS, "Long", ".long()")),
    "two inputs": (lambda: nn.Bilinear(2, 2, 3), (2, 2), (RUNS, "missing 1 required")),
    "no forward": (nn.Module, PICTURE, (RUNS, "forward")),
    "no tensors": (lambda: nn.Sequential(conv(2, 3), Apply(lambda x: x.shape)), PICTURE,
                   ("no tensor",)),
    "lock": (lambda: holding(threading.Lock()), PICTURE, (COPIED, "lock")),
    "old weight norm": (old_weight_norm, PICTURE, (COPIED, "weight_norm")),
    "script": (scripted, PICTURE, ("m0", "TorchScript")),
    "no channels": (lambda: between(nn.Conv2d(8, 0, 3)), PICTURE, (RUNS, "at least 1")),
    "lazy": (lambda: nn.LazyConv2d(8, 3), PICTURE, ("weight", "no shape yet")),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_use_is_told_in_one_line(name: str, refused: Any) -> None:
    make, shape, words = REFUSED[name]
    with refused(*words):
        build_graph(make(), shape)
