"""The training loop, on Hugging Face Accelerate (device and precision)."""

import copy
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from stages.device import device_for
from stages.errors import UserError
from stages.settings import Training
from stages.tasks.task import Task

Row = dict[str, int | float | str]
Hook = Callable[[int, float], None]  # of the iteration, from 0, and its learning rate

WARM_UP = 0.1  # share of all iterations in which the learning rate rises


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    `phase` names it in messages and seeds its samples. `constant_rate` holds the learning rate
    instead of one warm-up and cosine decay. Without `keep_best` the last state is kept. The first
    epoch has `extra` iterations more.
    """

    phase: str
    epochs: int
    iterations: int
    learning_rate: float
    constant_rate: bool = False
    keep_best: bool = True
    extra: int = 0

    def iterations_of(self, epoch: int) -> int:
        """How many iterations an epoch, from 1, has."""
        return self.iterations + (self.extra if epoch == 1 else 0)

    @property
    def total(self) -> int:
        return sum(self.iterations_of(epoch) for epoch in range(1, self.epochs + 1))


@dataclass
class Outcome:
    """The kept epoch and its quality, the iterations run, and a history row per epoch."""

    quality: float
    epoch: int = 0
    iterations: int = 0
    history: list[Row] = field(default_factory=list)


def train(
    network: nn.Module,
    task: Task,
    plan: Plan,
    training: Training,
    after_step: Hook | None = None,
    finished: Callable[[int], bool] | None = None,
) -> Outcome:
    """Train `network` in place; it ends in its best state on validation, on the CPU.

    The state before training is epoch 0, so keeping the best never makes a network worse.
    `after_step` may act on the network after each step of the optimiser; `finished` is asked
    after each epoch, with its number, whether to stop early.

    Raises:
        UserError: if loss or quality stop being finite, or the device is not there.
    """
    steps = _Steps(network, task, plan, training, after_step)
    outcome = Outcome(task.validate(network))
    _refuse_nan(plan, 0, 0.0, outcome.quality)
    best = copy.deepcopy(network.state_dict())
    outcome.history.append(_row(0, 0, "", outcome.quality, task))
    with tqdm(total=plan.total, desc=plan.phase, unit="it", disable=None) as progress:
        for epoch in range(1, plan.epochs + 1):
            loss = steps.epoch(plan.iterations_of(epoch), progress)
            quality = task.validate(network)
            _refuse_nan(plan, epoch, loss, quality)
            outcome.iterations += plan.iterations_of(epoch)
            outcome.history.append(_row(epoch, outcome.iterations, loss, quality, task))
            progress.set_postfix({"loss": f"{loss:.3g}", task.quality.name: f"{quality:.4g}"})
            if not plan.keep_best or task.quality.better(quality, outcome.quality):
                outcome.quality, outcome.epoch = quality, epoch
                best = copy.deepcopy(network.state_dict())
            if finished and finished(epoch):
                break
    steps.unwrap()
    network.load_state_dict(best)
    network.to("cpu")
    return outcome


def seed_everything(seed: int) -> None:
    """Make a run repeatable: equal seeds give equal weights on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def rate(iteration: int, total: int) -> float:
    """Share of the peak learning rate: a linear warm-up, then half a cosine down to zero."""
    rising = max(1, round(WARM_UP * total))
    if iteration < rising:
        return (iteration + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (iteration - rising) / max(1, total - rising)))


class _Steps:
    """The optimiser's side of training: what one iteration needs, and where it stands."""

    def __init__(
        self, network: nn.Module, task: Task, plan: Plan, training: Training, hook: Hook | None
    ):
        self.task, self.plan, self.iteration = task, plan, 0
        self.hook: Hook | None = hook
        self.accelerator = accelerator_for(training)
        network.to(self.accelerator.device)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=plan.learning_rate)
        samples = task.samples(plan.total * task.batch_size, plan.phase)
        self.network, self.optimizer, loader = self.accelerator.prepare(
            network, optimizer, DataLoader(samples, batch_size=task.batch_size)
        )
        self.batches: Iterator[tuple[Tensor, Tensor]] = iter(loader)

    def epoch(self, iterations: int, progress: "tqdm[Any]") -> float:
        """Run an epoch's iterations; returns the mean loss."""
        _train_mode(self.network)
        total = torch.zeros((), device=self.accelerator.device)
        for _ in range(iterations):
            total += self._step()
            progress.update()
        return float(total) / iterations

    def unwrap(self) -> None:
        """Take Accelerate's mixed precision off the network's forward again."""
        self.accelerator.unwrap_model(self.network, keep_fp32_wrapper=False)

    def _step(self) -> Tensor:
        share = 1.0 if self.plan.constant_rate else rate(self.iteration, self.plan.total)
        learning_rate = self.plan.learning_rate * share
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        inputs, targets = next(self.batches)
        self.optimizer.zero_grad()
        with self.accelerator.autocast():
            loss = self.task.loss(self.network(inputs), targets)
        self.accelerator.backward(loss)
        self.optimizer.step()
        if self.hook:
            self.hook(self.iteration, learning_rate)
        self.iteration += 1
        return loss.detach()


def _train_mode(network: nn.Module) -> None:
    """Set training mode, except for frozen modules: their statistics must not move either."""
    network.train()
    if all(parameter.requires_grad for parameter in network.parameters()):
        return
    for module in network.modules():
        tensors = [*module.parameters(), *module.buffers()]
        if tensors and not any(tensor.requires_grad for tensor in tensors):
            module.eval()


def accelerator_for(training: Training) -> Any:
    """Make the accelerator that `params.yaml` asks for.

    Raises:
        UserError: if the device is not on this machine.
    """
    device = device_for(training)
    from accelerate import Accelerator  # costs as much as importing torch, so only to train

    return Accelerator(cpu=device.type == "cpu", mixed_precision=training.precision)


def _row(epoch: int, iterations: int, loss: float | str, quality: float, task: Task) -> Row:
    return {"epoch": epoch, "iteration": iterations, "loss": loss, task.quality.name: quality}


def _refuse_nan(plan: Plan, epoch: int, loss: float, quality: float) -> None:
    if not (math.isfinite(loss) and math.isfinite(quality)):
        advice = f"lower its learning rate ({plan.learning_rate}) or check the data"
        if epoch == 0:
            advice = "check the weights that it starts from, and the data"
        raise UserError(
            f"{plan.phase}: the loss became {loss} and quality {quality} in epoch {epoch}: {advice}"
        )
