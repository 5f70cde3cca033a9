"""The proof against masking: in double precision where it can be, and fair to small outputs."""

import copy
import math
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.channels.masking import mask_channels
from stages.channels.proof import DOUBLE, LIMITS, SINGLE, Proof, masking_proof, relative_error
from stages.channels.removal import remove_channels
from stages.dependency.build import build_graph
from stages.pruning_rounds import _remove, _tell_precision
from stages.step_model import StepModel
from tests.dependency.networks_under_test import Apply, between, chain, conv, lively
from tests.dependency.own_networks import InPlace

SHAPE = (2, 2, 8, 8)
REMOVED = {"head": np.array([0, 2, 3])}


def example() -> Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))


def test_a_network_may_write_into_its_input() -> None:
    network, inputs = lively(InPlace()), example()
    proof = masking_proof(network, inputs, build_graph(network, SHAPE), {"a": np.arange(3)})
    assert (proof.holds, proof.precision) == (True, DOUBLE)
    assert torch.equal(inputs, example())


def cancelling() -> nn.Module:
    """What all tokens have in common is made large, and taken off again."""
    layers = {"head": nn.Linear(5, 512), "large": Apply(lambda x: x + 1e3)}
    layers |= {"mid": nn.Linear(512, 8), "rest": Apply(lambda x: x - x.mean(1, keepdim=True))}
    return lively(chain(**layers, tail=nn.Linear(8, 3)))


def test_rounding_of_single_precision_is_not_taken_for_a_fault() -> None:
    torch.manual_seed(0)
    network, tokens = cancelling(), torch.rand(2, 7, 5)
    graph = build_graph(network, tuple(tokens.shape))
    removed = {"head": np.random.default_rng(0).permutation(512)[:300]}
    pruned, masked = copy.deepcopy(network), copy.deepcopy(network)
    remove_channels(pruned, graph, removed)
    mask_channels(masked, graph, removed)
    with torch.no_grad():
        assert relative_error(pruned(tokens), masked(tokens)) > LIMITS[SINGLE]
    proof = masking_proof(network, tokens, graph, removed)
    assert (proof.holds, proof.precision) == (True, DOUBLE)


def test_a_wrong_removal_is_no_rounding() -> None:
    torch.manual_seed(0)
    network = lively(between(nn.ReLU()))
    graph = build_graph(network, SHAPE)
    with torch.no_grad():
        network.tail.weight.mul_(1e-7)
        network.tail.bias.fill_(1.0)  # beside which what is removed is small
    pruned = copy.deepcopy(network).double()
    remove_channels(pruned, graph, REMOVED)
    inputs = example().double()
    with torch.no_grad():
        error = relative_error(pruned(inputs), network.double()(inputs))
    assert LIMITS[DOUBLE] < error < LIMITS[SINGLE]
    assert not Proof(error, DOUBLE).holds


class SingleInside(nn.Module):
    """A layer of a network that is written for single precision: it turns to it on its way, and
    back, or else raises in another."""

    def __init__(self, turning: bool) -> None:
        super().__init__()
        self.head, self.mid, self.tail = nn.Linear(5, 512), nn.Linear(512, 8), nn.Linear(8, 3)
        self.turning = turning

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.mid.weight.float(), self.mid.bias.float()
        y = self.head(x).float() if self.turning else self.head(x)
        return self.tail(nn.functional.linear(y, weight, bias).to(x.dtype))


@pytest.mark.parametrize("turning", [False, True])
def test_code_for_single_precision_is_judged_as_such(turning: bool) -> None:
    torch.manual_seed(0)
    network, tokens = lively(SingleInside(turning)), torch.rand(2, 7, 5)
    graph = build_graph(network, tuple(tokens.shape))
    removed = {"head": np.random.default_rng(0).permutation(512)[:300]}
    if not turning:
        with pytest.raises(RuntimeError):
            copy.deepcopy(network).double()(tokens.double())
    proof = masking_proof(network, tokens, graph, removed)
    assert (proof.holds, proof.precision, proof.limit) == (True, SINGLE, LIMITS[SINGLE])
    assert proof.error > LIMITS[DOUBLE]


def removal_of(network: nn.Module, group: str, units: int) -> Proof:
    network = lively(network)
    about = SimpleNamespace(example_shape=(2, 7, 5))
    model = SimpleNamespace(network=network, graph=build_graph(network, (2, 7, 5)), about=about)
    return _remove(cast(StepModel, model), {group: np.arange(units)})


def test_prune_says_where_the_proof_is_one_in_single_precision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.manual_seed(0)
    proof = removal_of(cancelling(), "head", 300)
    assert proof.precision == DOUBLE
    assert proof.error < LIMITS[DOUBLE]
    _tell_precision(proof)
    assert not capsys.readouterr().out
    proof = removal_of(SingleInside(turning=False), "head", 300)
    assert proof.precision == SINGLE
    _tell_precision(proof)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1
    assert SINGLE in printed[0]


@pytest.mark.parametrize("scale", [1e-20, 1e-30, 1.0, 1e20])
def test_the_size_of_outputs_does_not_matter(scale: float) -> None:
    fine = torch.tensor([1.0, 2.0], dtype=torch.float64) * scale
    assert relative_error(fine, fine) == 0
    assert relative_error(fine * 1.5, fine) == pytest.approx(0.5)


def test_beside_zeros_any_difference_is_infinite() -> None:
    zeros = torch.zeros(3)
    assert relative_error(zeros, zeros) == 0
    assert relative_error(zeros + 1e-30, zeros) == math.inf
    assert relative_error(zeros, zeros + 1e-30) == 1
    assert relative_error(torch.empty(0), torch.empty(0)) == 0


def test_flags_and_complex_numbers_are_compared_too() -> None:
    flags = torch.tensor([True, False])
    assert relative_error(flags, flags) == 0
    assert relative_error(flags, ~flags) == 1
    numbers = torch.tensor([3 + 4j])
    assert relative_error(numbers, -numbers) == pytest.approx(2)


class TwoScales(nn.Module):
    """Two outputs, one of them tiny."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.large, self.small = conv(2, 8), conv(8, 3), conv(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.head(x)
        return self.large(x), 1e-15 * self.small(x)


def test_each_output_is_compared_with_its_own_scale() -> None:
    network = lively(TwoScales())
    graph = build_graph(network, SHAPE)
    assert masking_proof(network, example(), graph, REMOVED).holds
    wrong = copy.deepcopy(network)
    with torch.no_grad():
        wrong.small.weight[:, 5] *= 1.1
        outputs, changed = network(example()), wrong(example())
    assert relative_error(changed[1], outputs[1]) > 1e-3
