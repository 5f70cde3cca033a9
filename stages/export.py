"""Write the model that a step ends with for other runtimes, each file compared with PyTorch."""

from stages import artifacts
from stages.pruning_step import starts_failed, step_from_arguments
from stages.running import run_stage


def main() -> None:
    """Write its files, and what was kept; nothing where the step passed on a model that failed."""
    settings, step = step_from_arguments()
    folder, reason = artifacts.export_path(step.name), None
    if starts_failed(step):
        reason = f"{step.start} failed the criterion; its model was passed on untouched"
    elif not settings.exports.enabled:
        reason = "exports.enabled is false"
    if reason:
        artifacts.write_no_export(folder, reason)
        print(f"{step.name}: {reason}")
        return
    from stages.model_export import export_to  # seconds, where there is nothing to export

    export_to(folder, artifacts.model_path(step.name), step.name, settings)


if __name__ == "__main__":
    run_stage(main)
