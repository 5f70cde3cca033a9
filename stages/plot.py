"""Draw the figures and write the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from stages import artifacts
from stages.errors import run_stage
from stages.figures.channels import channels_figure
from stages.figures.crops import crops_figure
from stages.figures.curves import curves_figure, curves_from
from stages.figures.dependencies import dependency_figure
from stages.figures.quality import quality_figure
from stages.figures.report import lead, models_table, report_page, steps_table
from stages.figures.theme import save, use_theme
from stages.measuring.criterion import threshold
from stages.settings import DENSE, Settings, load_settings
from stages.tasks.choose import task_of
from stages.tasks.task import Task

Records = Mapping[str, Mapping[str, Any]]

CAPTIONS = {
    "quality": "Quality on validation against parameters left, before and after recovery.",
    "channels": "Channels that each pruning group keeps in the selected model.",
    "training": "All phases of training, one after the other.",
    "crops": "Details of the test pictures; below each, quality over the whole picture.",
    "dependencies": "The dependency graph: a column is a pruning group, a row a layer.",
}


def main() -> None:
    """Write `metrics/figures/` and `metrics/report.html`."""
    settings = load_settings()
    task = task_of(settings)
    steps = settings.pruning.steps
    records = {step: artifacts.read_json(artifacts.step_metrics(step)) for step in steps}
    summary = artifacts.read_json(artifacts.SUMMARY)
    use_theme()
    figures = {
        "quality": _quality(settings, task, records),
        "channels": _channels(),
        "training": _training(task, records),
        "crops": _crops(task),
        "dependencies": dependency_figure(artifacts.read_json(artifacts.GRAPH)),
    }
    with artifacts.fresh_folder(artifacts.FIGURES) as folder:
        for name, figure in figures.items():
            save(figure, folder / f"{name}.png")
    _report(task, records, summary)
    print(f"figures: {artifacts.FIGURES}; report: {artifacts.REPORT}")


def _axis(task: Task) -> str:
    return f"{task.quality.label} on validation ({task.quality.unit})"


def _quality(settings: Settings, task: Task, records: Records) -> Figure:
    first = next(iter(records.values()))
    limit = threshold(
        settings.of(settings.criterion),
        task.quality,
        first["dense_quality"],
        first["baseline_quality"],
    )
    return quality_figure(records, _axis(task), limit, task.baseline_name)


def _channels() -> Figure:
    rows = artifacts.read_csv(artifacts.CHANNELS_TABLE)
    numbers = [[int(row[column]) for row in rows] for column in ("channels", "kept")]
    return channels_figure([row["layer"] for row in rows], *numbers)


def _training(task: Task, records: Records) -> Figure:
    histories = [("finetune", DENSE, artifacts.read_csv(artifacts.DENSE_MODEL / artifacts.HISTORY))]
    for step, record in records.items():
        kept = record["histories"]
        histories += [(kind, step, kept[kind]) for kind in ("sparsify", "recover") if kind in kept]
    return curves_figure(curves_from(histories, task.quality.name), _axis(task))


def _crops(task: Task) -> Figure:
    quality = task.quality
    notes = {
        (row["model"], row["item"]): f"{float(row[quality.name]):.2f} {quality.unit}"
        for row in artifacts.read_csv(artifacts.TEST_TABLE)
    }
    columns = (task.baseline_name, "dense", "pruned", "original")
    return crops_figure(artifacts.CROPS, columns, notes)


def _report(task: Task, records: Records, summary: Mapping[str, Any]) -> None:
    models = [name for name, value in summary.items() if isinstance(value, dict)]
    order = [task.baseline_name, "dense", "pruned", *sorted(set(models))]
    names = list(dict.fromkeys(name for name in order if name in models))
    page = report_page(
        lead(summary, task.quality, task.baseline_name),
        summary["selected"] != DENSE,
        {
            "Models on the test part": models_table(summary, task.quality, names),
            "Steps, on validation": steps_table(records),
        },
        {caption: _figure_path(name) for name, caption in CAPTIONS.items()},
    )
    with artifacts.fresh_file(artifacts.REPORT) as partial:
        partial.write_text(page, encoding="utf-8")


def _figure_path(name: str) -> Path:
    return artifacts.FIGURES / f"{name}.png"


if __name__ == "__main__":
    run_stage(main)
