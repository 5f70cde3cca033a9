"""The training loop: repeatable, keeps the best, stops as asked, and says when it went wrong."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.utils.data import Dataset

from stages.networks.espcn import ESPCN
from stages.settings import Settings, Training
from stages.tasks.quality import Quality
from stages.tasks.task import task_of
from stages.training.gradients import loss_gradients
from stages.training.loop import Outcome, Plan, rate, seed_everything, train
from stages.training.samples import drawing

CPU = Training(device="cpu", precision="no")
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What training sets for the whole process is put back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    AcceleratorState._reset_state(True)
    torch.manual_seed(0)
    yield
    AcceleratorState._reset_state(True)
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Points of a line, y = 3x - 1."""

    def __init__(self, count: int):
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x = torch.rand(1, generator=torch.Generator().manual_seed(index))
        return x, 3 * x - 1


class Scripted:
    """A task whose validation follows a script; it remembers the weights it was shown."""

    batch_size = 4

    def __init__(self, script: Sequence[float], higher: bool = True, losses: float | None = None):
        self.quality = Quality("score", "Score", "points", higher)
        self.script, self.poison = list(script), losses
        self.shown: list[State] = []
        self.asked: list[tuple[int, str]] = []

    def samples(self, count: int, phase: str) -> Pairs:
        self.asked.append((count, phase))
        return Pairs(count)

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        loss = ((output - wanted) ** 2).mean()
        return loss if self.poison is None else loss * self.poison

    def validate(self, network: nn.Module) -> float:
        network.eval()
        self.shown.append(copy.deepcopy(network.state_dict()))
        return self.script[len(self.shown) - 1]


def plan(**changes: Any) -> Plan:
    plain = {"phase": "recover step7", "epochs": 3, "iterations": 4, "learning_rate": 0.05}
    return Plan(**(plain | changes))


def run(
    task: Scripted, hook: Any = None, finished: Callable[[int], bool] | None = None, **changes: Any
) -> tuple[nn.Module, Outcome]:
    network = nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    return network, train(network, task, plan(**changes), CPU, hook, finished)  # type: ignore[arg-type]


def equal(one: State, other: State) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("script", "higher", "keep_best", "kept"),
    [
        ([1, 5, 3, 4], True, True, 1),
        ([1, 2, 3, 4], True, True, 3),
        ([9, 5, 3, 4], True, True, 0),
        ([4, 4, 4, 4], True, True, 0),
        ([4, 5, 5, 5], True, True, 1),
        ([9, 5, 3, 4], False, True, 2),
        ([1, 5, 3, 4], False, True, 0),
        ([9, 5, 3, 4], True, False, 3),
        ([1, 5, 3, 4], False, False, 3),
    ],
)
def test_the_kept_state_is_the_best_of_all_epochs_from_0(
    script: list[float], higher: bool, keep_best: bool, kept: int
) -> None:
    task = Scripted(script, higher)
    network, outcome = run(task, keep_best=keep_best)
    assert (outcome.epoch, outcome.quality) == (kept, script[kept])
    assert [
        index for index, state in enumerate(task.shown) if equal(state, network.state_dict())
    ] == [kept]
    assert [row["score"] for row in outcome.history] == script
    assert [row["epoch"] for row in outcome.history] == [0, 1, 2, 3]
    assert [row["iteration"] for row in outcome.history] == [0, 4, 8, 12]
    assert outcome.iterations == 12
    assert task.shown[-1]["1.num_batches_tracked"] == 12  # every iteration in training mode


def test_training_fits_the_samples_of_its_phase() -> None:
    task, network = Scripted([0] * 9), nn.Linear(1, 1)
    outcome = train(network, task, plan(epochs=8, iterations=25, learning_rate=0.1), CPU)  # type: ignore[arg-type]
    losses = [row["loss"] for row in outcome.history]
    assert losses[0] == ""
    assert losses[-1] < 0.02 * losses[1]
    assert task.asked == [(200 * task.batch_size, "recover step7")]


def test_no_epochs_leave_the_network_as_it_is() -> None:
    task = Scripted([4])
    network, outcome = run(task, epochs=0, keep_best=False)
    assert equal(task.shown[0], network.state_dict())
    assert (outcome.quality, outcome.epoch, outcome.iterations) == (4, 0, 0)
    assert len(outcome.history) == 1


def test_the_first_epoch_may_have_iterations_more() -> None:
    task = Scripted([1, 2, 3, 4])
    _, outcome = run(task, extra=2)
    assert [row["iteration"] for row in outcome.history] == [0, 6, 10, 14]
    assert (outcome.iterations, plan(extra=2).total) == (14, 14)
    assert task.asked == [(14 * task.batch_size, "recover step7")]


@pytest.mark.parametrize("stop", [1, 2, 9])
def test_training_stops_when_it_is_finished(stop: int) -> None:
    asked: list[int] = []
    _, outcome = run(Scripted([0, 1, 2, 3]), finished=lambda e: bool(asked.append(e)) or e == stop)
    ran = min(stop, 3)
    assert asked == list(range(1, ran + 1))
    assert (outcome.iterations, len(outcome.history), outcome.epoch) == (4 * ran, ran + 1, ran)


def test_the_hook_is_called_once_an_iteration_with_the_rate() -> None:
    called: list[tuple[int, float]] = []
    run(Scripted([0] * 4), lambda *given: called.append(given))
    assert [iteration for iteration, _ in called] == list(range(12))
    assert [share for _, share in called] == pytest.approx([0.05 * rate(i, 12) for i in range(12)])
    called.clear()
    run(Scripted([0] * 4), lambda *given: called.append(given), constant_rate=True)
    assert called == [(iteration, 0.05) for iteration in range(12)]


def test_the_hook_may_change_the_network() -> None:
    def silence(iteration: int, _: float) -> None:
        with torch.no_grad():
            network[0].weight.zero_()

    network = nn.Sequential(nn.Linear(1, 1))
    train(network, Scripted([0] * 4), plan(keep_best=False), CPU, silence)  # type: ignore[arg-type]
    assert network[0].weight.item() == 0
    assert network[0].bias.item() != 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_or_quality_that_is_no_number_is_refused(refused: Any, value: float) -> None:
    with refused("recover step7", "epoch 1", "learning rate", "0.05"):
        run(Scripted([0] * 4, losses=value))
    with refused("recover step7", "epoch 2", "learning rate", "0.05"):
        run(Scripted([0, 1, value, 2]))


def test_a_network_that_starts_without_a_quality_is_refused(refused: Any) -> None:
    with refused("recover step7", "epoch 0"):
        run(Scripted([math.nan, 1, 2, 3]))


@pytest.mark.parametrize("total", [1, 2, 7, 100, 1200])
def test_the_rate_rises_to_its_peak_and_falls_to_zero(total: int) -> None:
    shares = [rate(iteration, total) for iteration in range(total)]
    peak, rising = shares.index(1.0), max(1, round(0.1 * total))
    assert max(shares) == 1
    assert shares[:rising] == pytest.approx([(i + 1) / rising for i in range(rising)])
    assert all(a >= b for a, b in zip(shares[peak:], shares[peak + 1 :], strict=False))
    assert 0 <= rate(total, total) < 1e-9 or total == 1
    assert all(share > 0 for share in shares)
    middle = rising + (total - rising) / 2
    assert total == 1 or rate(middle, total) == pytest.approx(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, refused: Any, device: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    elsewhere = Training(device=device, precision="no")
    with refused(f"training.device {device}", "auto"):
        train(nn.Linear(1, 1), Scripted([0] * 4), plan(), elsewhere)  # type: ignore[arg-type]


def trained(settings: Settings, seed: int) -> State:
    seed_everything(seed)
    network = ESPCN(8)
    train(network, task_of(settings), plan(epochs=2, iterations=3, keep_best=False), CPU)
    return network.state_dict()


def test_equal_seeds_give_equal_weights(prepared: Path, settings: Settings) -> None:
    first = trained(settings, 1)
    torch.rand(5)
    assert equal(first, trained(settings, 1))
    assert not equal(first, trained(settings, 2))
    other_data = settings.model_copy(update={"seed": settings.seed + 1})
    assert not equal(first, trained(other_data, 1))


def test_gradients_are_those_of_the_mean_loss_and_change_nothing() -> None:
    task, network = Scripted([]), nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    network.unused = nn.Linear(2, 2)
    network.forward = lambda x: network[2](network[1](network[0](x)))  # type: ignore[method-assign]
    before = copy.deepcopy(network.state_dict())
    gradients = loss_gradients(network, task, drawing(task, "prune step7", CPU))  # type: ignore[arg-type]
    count, phase = task.asked[0]
    assert (count % task.batch_size, phase) == (0, "prune step7")
    assert equal(before, network.state_dict())
    assert all(parameter.grad is None for parameter in network.parameters())
    x, wanted = (
        torch.stack(side) for side in zip(*(Pairs(count)[i] for i in range(count)), strict=True)
    )
    task.loss(network.eval()(x), wanted).backward()
    for name, parameter in network.named_parameters():
        wanted_gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert torch.allclose(gradients[name], wanted_gradient, atol=1e-6), name
    assert gradients["0.weight"].abs().max() > 0
