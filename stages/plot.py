"""Draw the figures and write the report."""

from collections.abc import Mapping
from typing import Any

from stages import artifacts
from stages.errors import run_stage
from stages.figures import report
from stages.figures.channels import channels_figure
from stages.figures.curves import curves_figure, curves_from
from stages.figures.dependencies import dependency_figure
from stages.figures.quality import quality_figure
from stages.figures.theme import save, use_theme
from stages.figures.weights import layers_figure, sweep_figure
from stages.measuring.criterion import threshold
from stages.settings import DENSE, Settings, load_settings
from stages.tasks.choose import task_of
from stages.tasks.task import Drawing, Rows, Task

Records = Mapping[str, Mapping[str, Any]]
Drawings = dict[str, Drawing]


def main() -> None:
    """Write `metrics/figures/` and `metrics/report.html`."""
    settings = load_settings()
    task, steps = task_of(settings), settings.pruning.steps
    records = {step: artifacts.read_json(artifacts.step_metrics(step)) for step in steps}
    rows = artifacts.read_csv(artifacts.TEST_TABLE)
    use_theme()
    sections = {
        "Channels removed": _channel_drawings(settings, task, records),
        "Single weights removed": _weight_drawings(settings, task, records),
        "Models on the test part": task.draw(rows, artifacts.EXAMPLES),
    }
    with artifacts.fresh_folder(artifacts.FIGURES) as folder:
        for drawings in sections.values():
            for name, drawing in drawings.items():
                save(drawing.figure, folder / f"{name}.png")
    _report(task, records, rows, sections)
    print(f"figures: {artifacts.FIGURES}; report: {artifacts.REPORT}")


def _limit(settings: Settings, task: Task, records: Records) -> float:
    """The worst quality on validation that keeps the criterion."""
    first = next(iter(records.values()))
    dense, baseline = first["dense_quality"], first["baseline_quality"]
    return threshold(settings.of(settings.criterion), task.quality, dense, baseline)


def _channel_drawings(settings: Settings, task: Task, records: Records) -> Drawings:
    rows = artifacts.read_csv(artifacts.CHANNELS_TABLE)
    numbers = [[int(row[column]) for row in rows] for column in ("channels", "kept")]
    curves, axis = curves_from(_histories(records), task.quality.name), task.quality.axis
    return {
        "quality": Drawing(
            quality_figure(records, axis, _limit(settings, task, records), task.baseline_name),
            "Quality on validation against parameters left, before and after recovery.",
        ),
        "channels": Drawing(
            channels_figure([row["layer"] for row in rows], *numbers),
            "Channels that each pruning group keeps in the selected model.",
        ),
        "training": Drawing(
            curves_figure(curves, axis), "All phases of training, one after the other."
        ),
        "dependencies": Drawing(
            dependency_figure(artifacts.read_json(artifacts.GRAPH)),
            "The dependency graph: a column is a pruning group, a row a layer.",
        ),
    }


def _histories(records: Records) -> list[tuple[str, str, Rows]]:
    """Histories of all phases with kind and step, in the order of training."""
    first = artifacts.read_csv(artifacts.DENSE_MODEL / artifacts.HISTORY)
    histories: list[tuple[str, str, Rows]] = [("finetune", DENSE, first)]
    for step, record in records.items():
        kept = record["histories"]
        histories += [(kind, step, kept[kind]) for kind in ("sparsify", "recover") if kind in kept]
    return histories


def _weight_drawings(settings: Settings, task: Task, records: Records) -> Drawings:
    decision = artifacts.read_json(artifacts.TRADEOFF)
    if not decision["decided"]:
        return {}
    curves = decision["curves"]
    limit, axis = _limit(settings, task, records), task.quality.axis
    return {
        "sweep": Drawing(
            sweep_figure(curves, axis, limit, decision, zoom=False),
            "Quality on validation against sparsity, one-shot, by every score.",
        ),
        "sweep_zoom": Drawing(
            sweep_figure(curves, axis, limit, decision, zoom=True), "The same, where it breaks."
        ),
        "layers": Drawing(
            layers_figure(artifacts.read_csv(artifacts.LAYERS_TABLE)),
            f"How sparse each layer became. {decision['layers']}",
        ),
    }


def _report(task: Task, records: Records, rows: Rows, sections: Mapping[str, Drawings]) -> None:
    summary = artifacts.read_json(artifacts.SUMMARY)
    decision = artifacts.read_json(artifacts.TRADEOFF)
    held = summary["selected"] != DENSE
    lead = report.lead(summary, task.quality, task.baseline_name)
    parts = [report.paragraph(lead, "lead" if held else "lead failed")]
    if decision["decided"]:
        told = report.sparse_lead(decision, summary, task.quality)
        parts.append(
            report.paragraph(told, "lead" if decision["keeps_criterion"] else "lead failed")
        )
    order = [task.baseline_name, DENSE, "pruned", "sparse", "sparse_8bit"]
    names = [
        n for n in dict.fromkeys([*order, *sorted(summary)]) if isinstance(summary.get(n), dict)
    ]
    tables = {
        "Models on the test part": report.models_table(summary, task.quality, task.metrics, names),
        **task.tables(rows),
        "Steps of channel pruning, on validation": report.steps_table(records),
    }
    parts += [report.heading(title) + report.table(*content) for title, content in tables.items()]
    if decision["decided"]:
        parts.append(report.heading("What a zero is worth"))
        parts.append(report.paragraph(report.zeros_text(summary, task.quality)))
    for title, drawings in sections.items():
        parts += [report.heading(title)] if drawings else []
        parts += [
            report.picture(drawing.caption, artifacts.FIGURES / f"{name}.png")
            for name, drawing in drawings.items()
        ]
    with artifacts.fresh_file(artifacts.REPORT) as partial:
        partial.write_text(report.report_page(parts), encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
