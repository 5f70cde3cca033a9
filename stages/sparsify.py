"""Sparsity learning of a step: penalties grow on whole channels while the network trains."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stages import artifacts
from stages.chain import (
    Step,
    Subject,
    choose_for,
    load_subject,
    pass_on,
    rank,
    starts_failed,
    step_from_arguments,
)
from stages.channels.budget import is_protected
from stages.channels.growing import (
    GrowingPenalty,
    largest_remaining,
    relative_ceilings,
    selected_ceilings,
)
from stages.channels.graph import Graph
from stages.channels.importance import unit_norms
from stages.errors import run_stage
from stages.networks.saved import save_network
from stages.settings import Settings
from stages.tasks.choose import task_of
from stages.tasks.task import Task
from stages.training.loop import Outcome, Plan, seed_everything, train


def main() -> None:
    """Write the step's sparsified model."""
    settings, step = step_from_arguments()
    target = artifacts.sparsified_path(step.name)
    visible = artifacts.read_json(artifacts.sparsify_schedule(step.name))
    if starts_failed(step):
        return pass_on(step, artifacts.model_path(step.start), target)
    seed_everything(settings.seed)
    subject = load_subject(artifacts.model_path(step.start))
    outcome = Outcome(quality=0.0)
    if "none" not in visible:
        outcome = _learn(settings, step, subject, visible)
    about = replace(
        subject.about,
        stages=(*subject.about.stages, f"sparsify {step.name}"),
        iterations=subject.about.iterations + outcome.iterations,
    )
    with artifacts.fresh_folder(target) as folder:
        save_network(folder, subject.network, about)
        if outcome.history:
            artifacts.write_csv(folder / artifacts.HISTORY, outcome.history)
    print(f"{step.name}: sparsity learning, regime {next(iter(visible))}")


def _learn(
    settings: Settings, step: Step, subject: Subject, visible: Mapping[str, Any]
) -> Outcome:
    """Train under growing penalties, as the regime's schedule file says; the last state is kept."""
    sparsity, task = settings.of(settings.sparsity), task_of(settings)
    graph = subject.graph
    grow = sparsity.grow_epochs * sparsity.iterations
    plan = Plan(
        f"sparsify {step.name}",
        sparsity.grow_epochs + sparsity.hold_epochs,
        sparsity.iterations,
        sparsity.learning_rate,
        constant_rate=True,
        keep_best=False,
    )
    finished = None
    if "growing" in visible:
        ranking = visible["growing"]
        graph = _unprotected(graph, ranking["protect"])
        importance = rank(subject, ranking["importance"], task, settings.training, plan.phase)
        among = {group.name: importance[group.name] for group in graph.groups}
        ceilings = relative_ceilings(among, sparsity.ceiling)
    else:
        planned = visible["selected"]
        importance = rank(subject, planned["importance"], task, settings.training, plan.phase)
        selected = choose_for(subject, importance, planned)
        ceilings = selected_ceilings(graph, selected, sparsity.ceiling)
        first = unit_norms(subject.network, graph)

        def finished(epoch: int) -> bool:
            left = largest_remaining(subject.network, graph, selected, first)
            return epoch >= sparsity.grow_epochs and left < sparsity.close_to_zero

    penalty = GrowingPenalty(subject.network, graph, ceilings, grow)
    return train(subject.network, task, plan, settings.training, penalty, finished)


def _unprotected(graph: Graph, protect: list[str]) -> Graph:
    groups = tuple(group for group in graph.groups if not is_protected(group, protect))
    return Graph(groups, graph.frozen)


if __name__ == "__main__":
    run_stage(main)
