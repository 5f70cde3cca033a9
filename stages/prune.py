"""Remove channels until a step's target share of the initial parameters is gone."""

from dataclasses import replace
from typing import Any

import torch

from stages import artifacts
from stages.channels.proof import DOUBLE, Proof, masking_proof
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.dependency.graph import Removed, combine, removed_indices
from stages.dependency.graph_file import to_ranges
from stages.device import device_for
from stages.errors import UserError
from stages.measuring.parameters import count_parameters
from stages.networks.saved import save_network
from stages.pruning_step import pass_on, starts_failed, step_from_arguments
from stages.running import run_stage
from stages.step_model import StepModel, choose_for, load_step_model, rank
from stages.tasks.task import task_of
from stages.training.loop import seed_everything


def main() -> None:
    """Write the step's model after removal, before recovery."""
    settings, step = step_from_arguments()
    source, target = artifacts.sparsified_path(step.name), artifacts.after_removal_path(step.name)
    if starts_failed(step):
        pass_on(step, source, target)
        return
    seed_everything(settings.seed)
    planned = artifacts.read_json(artifacts.prune_schedule(step.name))
    model, task = load_step_model(source, settings.trusted), task_of(settings)
    importance = rank(model, planned["importance"], task, settings.training, f"prune {step.name}")
    chosen = choose_for(model, importance, planned)
    device = device_for(settings.training)
    before = task.validate(model.network.to(device))
    model.network.to("cpu")
    report = _remove(model, chosen)
    after = task.validate(model.network.to(device))
    removed = combine(model.dense_graph, model.removed, chosen)
    about = replace(
        model.about.after(f"prune {step.name}"),
        removed={name: to_ranges(units) for name, units in removed.items()},
    )
    report |= {"target": planned["target"], "quality_before": before, "quality_after": after}
    with artifacts.fresh_folder(target) as folder:
        save_network(folder, model.network, about)
        artifacts.write_json(folder / artifacts.REMOVAL, report)
    share = 1 - report["parameters"] / model.initial_parameters
    print(
        f"{step.name}: {report['parameters']} parameters left, share removed {share:.4f}; "
        f"{task.quality.label} {task.quality.number(before)} before removal, "
        f"{task.quality.text(after)} after"
    )


def _remove(model: StepModel, chosen: Removed) -> dict[str, Any]:
    """Remove from the model's network, checked against masking and against the predicted count.

    Raises:
        UserError: if the network without the units is not the network with them masked.
    """
    network, graph = model.network, model.graph
    proof = _proven(model, chosen)
    predicted = count_after(parameter_shapes(network), removed_indices(graph, chosen))
    remove_channels(network, graph, chosen)
    counted = count_parameters(network)
    assert counted == predicted, f"{counted} parameters are left, not the {predicted} predicted"
    return {
        "parameters": counted,
        "masking_error": proof.error,
        "masking_precision": proof.precision,
    }


def _proven(model: StepModel, chosen: Removed) -> Proof:
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(model.about.example_shape, generator=generator)
    proof = masking_proof(model.network, example, model.graph, chosen)
    if proof.precision != DOUBLE:
        print(
            f"prune: the network does not compute in {DOUBLE} throughout: compared with masking in "
            f"{proof.precision}, with an error of {proof.limit:.0e} allowed"
        )
    if not proof.holds:
        raise UserError(
            f"removal would change what the network computes (relative error {proof.error:.1e} "
            f"against masking, in {proof.precision}): protect the layers in question with "
            "pruning.protect and report the network"
        )
    return proof


if __name__ == "__main__":
    run_stage(main)
