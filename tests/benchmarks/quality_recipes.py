"""Ways from a dense network to a small one, each with so many iterations of training in all."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stages.channels.budget import budget_for, choose_units
from stages.channels.growing import GrowingPenalty, relative_ceilings
from stages.channels.importance import unit_importance
from stages.channels.obs import obs_importance
from stages.channels.portions import Limits
from stages.channels.removal import parameter_shapes, remove_channels
from stages.channels.schedule import step_targets
from stages.control_training import begin_afresh
from stages.dependency.graph import MAKES, Graph, Removed, combine
from stages.measuring.parameters import count_parameters
from stages.networks.saved import About
from stages.pruning_rounds import Imitated, prune_in_rounds
from stages.settings import Settings
from stages.step_model import StepModel
from stages.tasks.task import Task
from stages.training.loop import Plan, train
from stages.training.samples import drawings, training_samples

STEPS = ("step1", "step2", "step3")
SPARSITY_SHARE = 150 / 650  # of a step's iterations, where sparsity is learned
EPOCH = 100  # iterations, at most
GROW_EVERY = 10  # iterations, Torch-Pruning's growing regularisation
MOST_STEPS = 400  # of Torch-Pruning, until the target is met


@dataclass(frozen=True)
class Given:
    """What a recipe starts from, and what it must come to."""

    dense: nn.Module
    about: About
    start: nn.Module  # before it was trained
    graph: Graph
    target: float
    iterations: int
    task: Task
    settings: Settings

    @property
    def limits(self) -> Limits:
        return Limits(minimum=self.settings.pruning.minimum_channels)

    def train(self, network: nn.Module, iterations: int, phase: str) -> None:
        """Train in place, as `recover` does, and keep the best."""
        if iterations:
            epochs = max(1, round(iterations / EPOCH))
            each, extra = divmod(iterations, epochs)
            rate = self.settings.of(self.settings.recovery).learning_rate
            plan = Plan(phase, epochs, each, rate, extra=extra)
            train(network, self.task, plan, self.settings.training)

    def parts(self) -> Iterator[tuple[str, float, int]]:
        """Steps with their targets and their iterations."""
        each, rest = divmod(self.iterations, len(STEPS))
        targets = step_targets("geometric", self.target, STEPS, {})
        for step, target in targets.items():
            yield step, target, each + (rest if step == STEPS[-1] else 0)


Recipe = Callable[[Given], nn.Module]


class UnreachedError(Exception):
    """A pruner cannot come to the target."""


def repaired(given: Given) -> nn.Module:
    """Our default; without iterations it is the mode `instant`."""
    settings, repair = given.settings, given.settings.pruning.repair
    samples, draws = settings.of(repair.samples), settings.of(repair.draws)
    network, gone = given.dense, dict[str, Any]()
    for step, target, iterations in given.parts():
        planned = {
            "goal": "parameters", "budget": budget_for(target, count_parameters(given.dense)),
            "rounds": 1, "importance": "obs", "samples": samples, "ridge": repair.ridge,
            "scope": "global", "minimum": given.limits.minimum, "round_to": 1, "protect": [],
        }  # fmt: skip
        graph = given.graph.without(gone)
        imitated = Imitated(given.dense, given.graph, gone)
        if given.iterations:
            imitated = Imitated(copy.deepcopy(network), graph, {})
        model = StepModel(network, given.about, graph, given.graph)
        drawn = drawings(draws, given.task, f"prune {step}", settings.training)
        pruned = prune_in_rounds(model, imitated, planned, given.task, drawn)
        network, gone = pruned.network, combine(given.graph, gone, pruned.removed)
        given.train(network, iterations, f"recover {step}")
    return network


def standard(given: Given) -> nn.Module:
    """The standard's: sparsity learning, `norm2`, recovery, in steps."""
    network, gone = copy.deepcopy(given.dense), dict[str, Any]()
    sparsity = given.settings.of(given.settings.sparsity)
    for step, target, iterations in given.parts():
        graph, learning = given.graph.without(gone), round(SPARSITY_SHARE * iterations)
        if learning:
            ceilings = relative_ceilings(
                unit_importance(network, graph, "norm2"), sparsity.ceiling.growing
            )
            grow = max(1, round(learning * 2 / 3))
            penalty = GrowingPenalty(network, graph, ceilings, grow)
            plan = Plan(f"sparsify {step}", 1, learning, sparsity.learning_rate,
                        constant_rate=True, keep_best=False)  # fmt: skip
            train(network, given.task, plan, given.settings.training, penalty)
        ranking = unit_importance(network, graph, "norm2")
        gone = combine(given.graph, gone, _remove(network, graph, ranking, target, given))
        given.train(network, iterations - learning, f"recover {step}")
    return network


def scratch(given: Given) -> nn.Module:
    """What `obs` leaves at once, with new weights, trained for as long in all."""
    shaped = copy.deepcopy(given.start)
    count = given.settings.of(given.settings.pruning.repair.samples)
    samples = training_samples(given.task, count, "prune", given.settings.training)
    ranking, _ = obs_importance(given.dense, given.graph, samples, given.task.loss, 1e-3)
    _remove(shaped, given.graph, ranking, given.target, given)
    begin_afresh(shaped)
    given.train(shaped, given.about.iterations + given.iterations, "scratch")
    return shaped


def longer(given: Given) -> nn.Module:
    """The dense network, trained as long: what nothing but training would come to."""
    network = copy.deepcopy(given.dense)
    given.train(network, given.iterations, "longer")
    return network


def _remove(network: nn.Module, graph: Graph, ranking: Any, target: float, given: Given) -> Removed:
    budget = budget_for(target, count_parameters(given.dense))
    removed = choose_units(graph, ranking, parameter_shapes(network), budget, given.limits)
    remove_channels(network, graph, removed)
    return removed


def peer(importance: Callable[[], Any], pruner: Any, regularises: bool) -> Recipe:
    """A pruner of Torch-Pruning, in one step, after its own sparsity learning if it has one."""

    def recipe(given: Given) -> nn.Module:
        network = copy.deepcopy(given.dense)
        learning = round(SPARSITY_SHARE * given.iterations) if regularises else 0
        example = torch.rand(given.task.example_shape)
        made = pruner(
            network, example, importance=importance(), global_pruning=True, pruning_ratio=1.0,
            iterative_steps=MOST_STEPS, ignored_layers=_ends(network, given),
            max_pruning_ratio=0.95,
        )  # fmt: skip
        _regularise(network, made, learning, given)
        budget = budget_for(given.target, count_parameters(given.dense))
        if isinstance(made.importance, torch_pruning.importance.GroupTaylorImportance):
            _accumulate_gradients(network, given)
        while count_parameters(network) > budget and made.current_step < MOST_STEPS:
            made.step()
        if count_parameters(network) > budget:
            raise UnreachedError(f"{count_parameters(network)} parameters are left, not {budget}")
        network.zero_grad(set_to_none=True)
        given.train(network, given.iterations - learning, "recover")
        return network

    return recipe


def _ends(network: nn.Module, given: Given) -> list[nn.Module]:
    """Layers whose outputs are the network's: ours are frozen there, theirs must be told."""
    parts = (part for group in given.graph.groups for part in group.slices)
    made = {part.tensor.rpartition(".")[0] for part in parts if part.role == MAKES}
    kinds = (nn.modules.conv._ConvNd, nn.Linear)
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, kinds) and name not in made
    ]


def _regularise(network: nn.Module, pruner: Any, iterations: int, given: Given) -> None:
    """Train with the pruner's penalty, as Torch-Pruning's own example does."""
    if not iterations:
        return
    rate = given.settings.of(given.settings.sparsity).learning_rate
    optimizer = torch.optim.Adam(network.parameters(), rate)
    network.train()
    pruner.update_regularizer()
    for number, (inputs, targets) in enumerate(_batches(given, iterations, "regularise")):
        optimizer.zero_grad()
        given.task.loss(network(inputs), targets).backward()
        pruner.regularize(network)
        optimizer.step()
        if number % GROW_EVERY == GROW_EVERY - 1 and hasattr(pruner, "update_reg"):
            pruner.update_reg()


def _accumulate_gradients(network: nn.Module, given: Given) -> None:
    network.eval().zero_grad()
    for inputs, targets in _batches(given, 10, "taylor"):
        given.task.loss(network(inputs), targets).backward()


def _batches(given: Given, count: int, phase: str) -> Iterator[tuple[Tensor, Tensor]]:
    samples = given.task.samples(count * given.task.batch_size, phase)
    yield from DataLoader(samples, batch_size=given.task.batch_size)


_importance, _pruner = torch_pruning.importance, torch_pruning.pruner
RECIPES: dict[str, Recipe] = {
    "repaired": repaired,
    "standard": standard,
    "tp norm": peer(_importance.GroupMagnitudeImportance, _pruner.BasePruner, False),
    "tp taylor": peer(_importance.GroupTaylorImportance, _pruner.BasePruner, False),
    "tp group norm": peer(_importance.GroupMagnitudeImportance, _pruner.GroupNormPruner, True),
    "tp growing": peer(_importance.GroupMagnitudeImportance, _pruner.GrowingRegPruner, True),
    "scratch": scratch,
    "longer": longer,
}
