"""Training a part of a network: a frozen backbone, a held mask, a sparsity that grows."""

import copy
from itertools import pairwise
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from stages.networks.build import freeze_all_but_last, last_layer
from stages.networks.lenet import LeNetSmall
from stages.networks.residual import residual_signal
from stages.settings import Phase, Training
from stages.sparse_training import recover_sparse
from stages.tasks.quality import Quality
from stages.training.loop import Outcome, Plan, train
from stages.weights.order import Order, masks_at, order_of, size
from stages.weights.prunable import prunable
from stages.weights.ramp import sparsity_at
from stages.weights.scores import magnitude

CPU = Training(device="cpu", precision="no")
SHAPE = (2, 32)
Mode = Literal["at_once", "gradual"]
MODES: tuple[Mode, ...] = ("at_once", "gradual")


class Rising:
    """A task whose quality rises at every validation, so that the last state is the best."""

    quality, batch_size = Quality("score", "Score", "", higher_is_better=True), 8

    def __init__(self) -> None:
        self.zeros: list[int] = []

    def samples(self, count: int, phase: str) -> TensorDataset:
        return TensorDataset(torch.randn(count, *SHAPE), torch.randint(0, 3, (count,)))

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        return cross_entropy(output, wanted)

    def validate(self, network: nn.Module) -> float:
        network.eval()
        self.zeros.append(sum(int((p == 0).sum()) for p in prunable(network).values()))
        return float(len(self.zeros))


class PlainNorm(nn.Module):
    """A batch normalisation without parameters, right in the network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv1d(2, 4, 3, bias=False), nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(4, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean(2))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def signal() -> nn.Module:
    return residual_signal(3, SHAPE, widths=(4, 6), strides=(1, 2))


def changed_by_training(network: nn.Module) -> set[str]:
    before = copy.deepcopy(network.state_dict())
    train(network, Rising(), Plan("finetune", 2, 3, 0.05), CPU)  # type: ignore[arg-type]
    return {n for n, t in network.state_dict().items() if not torch.equal(before[n], t)}


@pytest.mark.parametrize("make", [signal, lambda: LeNetSmall(3, (1, 8, 8))])
def test_freezing_leaves_the_head_alone_to_be_trained(make: Any) -> None:
    network = make()
    assert last_layer(network) == "head"
    freeze_all_but_last(network)
    trained = {n for n, p in network.named_parameters() if p.requires_grad}
    assert trained == {"head.weight", "head.bias"}


def test_the_last_layer_is_the_last_with_parameters_of_its_own() -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU())
    assert last_layer(nn.Sequential(nn.Linear(2, 2), inner, nn.Flatten())) == "1.1"


def test_training_a_frozen_network_changes_its_head_and_no_statistics() -> None:
    network = signal()
    freeze_all_but_last(network)
    assert changed_by_training(network) == {"head.weight", "head.bias"}


@pytest.mark.parametrize("make", [signal, PlainNorm])
def test_training_a_network_that_is_not_frozen_changes_all_of_it(make: Any) -> None:
    network = make()
    assert changed_by_training(network) == network.state_dict().keys()


def test_a_layer_that_is_frozen_by_hand_keeps_its_statistics_and_others_do_not() -> None:
    network = signal()
    network.stem.requires_grad_(False)
    kept = network.state_dict().keys() - changed_by_training(network)
    assert kept == {name for name in network.state_dict() if name.startswith("stem")}


def test_statistics_without_parameters_are_frozen_too() -> None:
    network = PlainNorm()
    freeze_all_but_last(network)
    assert changed_by_training(network) == {"head.weight", "head.bias"}


def recovered(
    mode: Mode, epochs: int, sparsity: float = 0.7, network: nn.Module | None = None
) -> tuple[Order, Rising, Outcome]:
    network, task = network or signal(), Rising()
    order = order_of(magnitude(prunable(network)), "global")
    phase = Phase(epochs=epochs, iterations=5, learning_rate=0.01)
    outcome = recover_sparse(network, order, sparsity, mode, task, phase, CPU)  # type: ignore[arg-type]
    return order, task, outcome


def moved(
    mode: Mode, epochs: int, sparsity: float
) -> tuple[dict[str, Tensor], nn.Module, Order, Outcome]:
    """A network before and after recovery."""
    network = signal()
    before = copy.deepcopy(network.state_dict())
    order, _, outcome = recovered(mode, epochs, sparsity, network)
    return before, network, order, outcome


@pytest.mark.parametrize("sparsity", [0.3, 0.987])
@pytest.mark.parametrize(("mode", "epochs"), [(m, e) for m in MODES for e in (0, 1, 4)])
def test_recovery_ends_with_exactly_the_mask(mode: Mode, epochs: int, sparsity: float) -> None:
    network = signal()
    order, _, outcome = recovered(mode, epochs, sparsity, network)
    weights = prunable(network)
    for name, mask in masks_at(order, sparsity).items():
        assert torch.equal(weights[name] != 0, mask), name
    assert outcome.iterations == 5 * epochs


@pytest.mark.parametrize("mode", MODES)
def test_recovery_moves_all_that_is_not_masked(mode: Mode) -> None:
    before, network, order, _ = moved(mode, 4, 0.3)
    for name, tensor in network.state_dict().items():
        kept = masks_at(order, 0.3).get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert (tensor != before[name])[kept].all(), name


@pytest.mark.parametrize("mode", MODES)
def test_recovery_without_epochs_masks_and_changes_nothing_else(mode: Mode) -> None:
    before, network, order, outcome = moved(mode, 0, 0.5)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name] * masks_at(order, 0.5).get(name, 1)), name
    assert (outcome.iterations, len(outcome.history)) == (0, 1)


def test_at_once_the_mask_is_held_all_the_way() -> None:
    order, task, _ = recovered("at_once", 4)
    assert task.zeros == [round(0.7 * size(order))] * 5


def test_gradually_sparsity_grows_in_the_first_half_and_is_held_in_the_second() -> None:
    order, task, outcome = recovered("gradual", 5)
    grown = [round(0.7 * sparsity_at(share) * size(order)) for share in (0, 1 / 2, 1)]
    assert task.zeros == [*grown, *[grown[-1]] * 4]
    assert outcome.quality == 7


def test_the_history_of_a_gradual_recovery_goes_on() -> None:
    outcome = recovered("gradual", 4)[-1]
    iterations = [row["iteration"] for row in outcome.history]
    assert iterations == sorted(set(iterations))
    assert iterations[-1] == outcome.iterations
    kept = next(row for row in outcome.history if row["epoch"] == outcome.epoch)
    assert kept["score"] == outcome.quality


def test_sparsity_grows_fast_first_then_slowly() -> None:
    """Zhu and Gupta, equation 1, with an initial sparsity of 0 and a final one of 1."""
    shares = [number / 20 for number in range(21)]
    values = [sparsity_at(share) for share in shares]
    assert values == pytest.approx([1 + (0 - 1) * (1 - share) ** 3 for share in shares])
    assert (values[0], values[-1]) == (0, 1)
    steps = [later - sooner for sooner, later in pairwise(values)]
    assert all(later < sooner for sooner, later in pairwise(steps))
    assert steps[-1] > 0


@pytest.mark.parametrize(("share", "value"), [(-0.5, 0), (1.5, 1)])
def test_sparsity_stays_between_nothing_and_all(share: float, value: float) -> None:
    assert sparsity_at(share) == value
