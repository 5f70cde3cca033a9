"""Draw the figures and write the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages import artifacts
from stages.errors import run_stage
from stages.figures import report
from stages.figures.channels import channels_figure
from stages.figures.codec_report import DIFFERENCES, codec_lead, delta_table, standard_table
from stages.figures.codecs import codec_drawings
from stages.figures.curves import curves_figure, curves_from
from stages.figures.dependencies import dependency_figure
from stages.figures.quality import quality_figure
from stages.figures.theme import save, use_theme
from stages.figures.weights import layers_figure, sweep_figure
from stages.measuring.criterion import threshold
from stages.settings import DENSE, load_settings
from stages.tasks.choose import task_of
from stages.tasks.task import Drawing, Rows, Table, Task

Drawings = dict[str, Drawing]


Records = Mapping[str, Mapping[str, Any]]  # by step


@dataclass(frozen=True)
class Results:
    """What earlier stages measured; `limit` is the worst quality that keeps the criterion."""

    task: Task
    records: Records
    rows: Rows  # a model and test item each
    summary: Mapping[str, Any]
    decision: Mapping[str, Any]
    limit: float
    points: Rows  # a stream and filter each; none where there is no video
    deltas: Rows


def main() -> None:
    """Write `metrics/figures/` and `metrics/report.html`."""
    results = _read()
    use_theme()
    sections = {
        "Channels removed": _channel_drawings(results),
        "Single weights removed": _weight_drawings(results),
        "Models on the test part": results.task.draw(results.rows, artifacts.EXAMPLES),
        "Behind real codecs": _codec_drawings(results),
    }
    with artifacts.fresh_folder(artifacts.FIGURES) as folder:
        for drawings in sections.values():
            for name, drawing in drawings.items():
                save(drawing.figure, folder / f"{name}.png")
    parts = [
        *_leads(results),
        *_tables(results),
        *_codec_tables(results.deltas),
        *_pictures(sections),
    ]
    with artifacts.fresh_file(artifacts.REPORT) as partial:
        partial.write_text(report.report_page(parts), encoding="utf-8")
    print(f"figures: {artifacts.FIGURES}; report: {artifacts.REPORT}")


def _read() -> Results:
    settings = load_settings()
    task = task_of(settings)
    records = {s: artifacts.read_json(artifacts.step_metrics(s)) for s in settings.pruning.steps}
    first = next(iter(records.values()))
    dense, baseline = first["dense_quality"], first["baseline_quality"]
    return Results(
        task,
        records,
        rows=artifacts.read_csv(artifacts.TEST_TABLE),
        summary=artifacts.read_json(artifacts.SUMMARY),
        decision=artifacts.read_json(artifacts.TRADEOFF),
        points=_codec_rows(artifacts.POINTS),
        deltas=_codec_rows(artifacts.DELTAS),
        limit=threshold(settings.of(settings.criterion), task.quality, dense, baseline),
    )


def _codec_rows(name: str) -> Rows:
    return (
        [] if artifacts.why_nothing(artifacts.CODEC) else artifacts.read_csv(artifacts.CODEC / name)
    )


def _channel_drawings(results: Results) -> Drawings:
    task, records = results.task, results.records
    rows = artifacts.read_csv(artifacts.CHANNELS_TABLE)
    numbers = [[int(row[column]) for row in rows] for column in ("channels", "kept")]
    curves, axis = curves_from(_histories(records), task.quality.name), task.quality.axis
    return {
        "quality": Drawing(
            quality_figure(records, axis, results.limit, task.baseline_name),
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
            "The dependency graph: removing a unit of a column, a pruning group, touches its rows.",
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


def _weight_drawings(results: Results) -> Drawings:
    decision, axis = results.decision, results.task.quality.axis
    if not decision["decided"]:
        return {}
    sweeps = {
        name: sweep_figure(decision["curves"], axis, results.limit, decision, zoom=zoom)
        for name, zoom in (("sweep", False), ("sweep_zoom", True))
    }
    return {
        "sweep": Drawing(
            sweeps["sweep"], "Quality on validation against sparsity, one-shot, by every score."
        ),
        "sweep_zoom": Drawing(sweeps["sweep_zoom"], "The same, where it breaks."),
        "layers": Drawing(
            layers_figure(artifacts.read_csv(artifacts.LAYERS_TABLE)),
            f"How sparse each layer became. {decision['layers']}",
        ),
    }


def _codec_drawings(results: Results) -> Drawings:
    if not results.points:
        return {}
    return codec_drawings(results.points, results.deltas, artifacts.CODEC / artifacts.CROPS)


def _codec_tables(deltas: Rows) -> list[str]:
    if not deltas:
        return []
    return [
        report.heading("Behind real codecs: BD-rate against bicubic"),
        report.paragraph(codec_lead(deltas)),
        report.table(*standard_table(deltas)),
        report.paragraph(DIFFERENCES),
        report.heading("... by sequence"),
        report.table(*delta_table(deltas)),
    ]


def _leads(results: Results) -> list[str]:
    """What opens the report: channels, then single weights."""
    summary, decision, task = results.summary, results.decision, results.task
    told = report.lead(summary, task.quality, task.baseline_name)
    leads = [report.paragraph(told, "lead" if summary["selected"] != DENSE else "lead failed")]
    if decision["decided"]:
        told = report.sparse_lead(decision, summary, task.quality)
        kind = "lead" if decision["keeps_criterion"] else "lead failed"
        leads.append(report.paragraph(told, kind))
    return leads


def _tables(results: Results) -> list[str]:
    summary, task = results.summary, results.task
    first = [task.baseline_name, DENSE, "pruned", "sparse", "sparse_8bit"]
    names = [n for n in dict.fromkeys(first + sorted(summary)) if isinstance(summary.get(n), dict)]
    tables: dict[str, Table] = {
        "Models on the test part": report.models_table(summary, task.quality, task.metrics, names),
        **task.tables(results.rows),
        "Steps of channel pruning, on validation": report.steps_table(results.records),
    }
    parts = [report.heading(title) + report.table(*content) for title, content in tables.items()]
    if results.decision["decided"]:
        parts.append(report.heading("What a zero is worth"))
        parts.append(report.paragraph(report.zeros_text(summary, task.quality)))
    return parts


def _pictures(sections: Mapping[str, Drawings]) -> list[str]:
    parts = []
    for title, drawings in sections.items():
        parts += [report.heading(title)] if drawings else []
        parts += [
            report.picture(drawing.caption, artifacts.FIGURES / f"{name}.png")
            for name, drawing in drawings.items()
        ]
    return parts


if __name__ == "__main__":
    run_stage(main)
