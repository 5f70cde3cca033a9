"""Remove channels until a step's target share of the goal is gone; repair what is left."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from stages import artifacts
from stages.channels.prices import amount
from stages.channels.removal import remove_channels
from stages.dependency.graph import combine
from stages.dependency.graph_file import to_ranges
from stages.device import device_for
from stages.goal_budget import left_of
from stages.measuring.parameters import count_parameters
from stages.networks.saved import load_network, save_network
from stages.pruning_rounds import Pruned, last_trained, prune_in_rounds
from stages.pruning_step import Step, pass_on, starts_failed, step_from_arguments
from stages.running import run_stage
from stages.settings import Settings
from stages.step_model import StepModel, load_step_model, planned_prices, with_curves
from stages.tasks.quality import Quality
from stages.tasks.task import Task, task_of
from stages.time_budget import Timing
from stages.training.loop import seed_everything
from stages.training.samples import drawings


def main() -> None:
    """Write the step's model after removal and repair, before recovery."""
    settings, step = step_from_arguments()
    source, target = artifacts.sparsified_path(step.name), artifacts.after_removal_path(step.name)
    if starts_failed(step):
        pass_on(step, source, target)
        return
    seed_everything(settings.seed)
    planned = with_curves(artifacts.read_json(artifacts.prune_schedule(step.name)))
    model, task = load_step_model(source, settings.trusted), task_of(settings)
    imitated = last_trained(model, settings.trusted) if planned["repair"] != "none" else None
    phase = f"prune {step.name}"
    draws = drawings(planned["draws"], task, phase, settings.training)
    timing = _timing(planned, settings)
    pruned = prune_in_rounds(model, imitated, planned, task, draws, timing)
    report = _report(model, pruned, task, settings) | _left(pruned, planned, model, timing)
    removed = combine(model.dense_graph, model.removed, pruned.removed)
    about = replace(
        model.about.after(phase),
        removed={name: to_ranges(units) for name, units in removed.items()},
    )
    with artifacts.fresh_folder(target) as folder:
        save_network(folder, pruned.network, about)
        asked = {name: planned[name] for name in ("goal", "target")}
        artifacts.write_json(folder / artifacts.REMOVAL, asked | report)
    _tell(step, report | asked, task.quality)


def _timing(planned: Mapping[str, Any], settings: Settings) -> Timing | None:
    if planned["goal"] != "time":
        return None
    dense, _ = load_network(artifacts.DENSE_MODEL, settings.trusted)
    return Timing(dense, planned, device_for(settings.training))


def _left(
    pruned: Pruned, planned: Mapping[str, Any], model: StepModel, timing: Timing | None
) -> dict[str, Any]:
    """What is left of the goal, time as measured, and the share of the dense network's gone."""
    if timing:
        left = timing.of(pruned.network)
    else:
        left = left_of(pruned.network, planned_prices(model, planned), planned)
    return {planned["goal"]: left, "share_removed": 1 - left / planned["initial"]}


def _report(model: StepModel, pruned: Pruned, task: Task, settings: Settings) -> dict[str, Any]:
    """Parameters, the proof, and quality before removal, after it, and after repair."""
    device, repaired = device_for(settings.training), pruned.repair is not None
    before = task.validate(model.network.to(device))
    after = task.validate(pruned.network.to(device))
    pruned.network.to("cpu")
    return {
        "parameters": count_parameters(pruned.network),
        "masking_error": pruned.proof.error,
        "masking_precision": pruned.proof.precision,
        "quality_before": before,
        "quality_after": _cut(model, pruned, task) if repaired else after,
        "quality_repaired": after if repaired else None,
        "repair": asdict(pruned.repair) if pruned.repair else None,
    }


def _cut(model: StepModel, pruned: Pruned, task: Task) -> float:
    """Quality of the step's network once the units are gone from it, nothing repaired."""
    cut = copy.deepcopy(model.network)
    remove_channels(cut, model.graph, pruned.removed)
    return task.validate(cut)


def _tell(step: Step, report: dict[str, Any], quality: Quality) -> None:
    repaired, goal = report["quality_repaired"], report["goal"]
    text = (
        f"{step.name}: {amount(goal, report[goal])} left, "
        f"share removed {report['share_removed']:.4f}; "
        f"{quality.label} {quality.number(report['quality_before'])} before removal, "
        f"{quality.text(report['quality_after'])} after"
    )
    if repaired is not None:
        text += f", {quality.text(repaired)} repaired ({len(report['repair']['layers'])} layers)"
        _tell_exceptions(step, report["repair"])
    print(text)


def _tell_exceptions(step: Step, repair: dict[str, Any]) -> None:
    for name, reason in repair["left"].items():
        print(f"{step.name}: {name} is left as it was cut: {reason}")
    for kind, text in (("mapped", "repaired channel by channel, all taps alike"),
                       ("scaled", "only scaled and shifted, output by output")):  # fmt: skip
        if repair[kind]:
            print(f"{step.name}: large, so {text}: {', '.join(repair[kind])}")


if __name__ == "__main__":
    run_stage(main)
