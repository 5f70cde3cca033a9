"""Draw the figures and write the report."""

from collections.abc import Mapping
from typing import Any

from stages import artifacts
from stages.figures.contents import contents_of
from stages.figures.drawing import Rows
from stages.figures.report import report_page
from stages.figures.sections import Results, drawings_of
from stages.figures.task_figures import task_figures_of
from stages.figures.theme import save, use_theme
from stages.measuring.criterion import threshold
from stages.running import run_stage
from stages.settings import DENSE, load_settings
from stages.tasks.quality import measures_of


def main() -> None:
    """Write `metrics/figures/` and `metrics/report.html`."""
    results = _read()
    use_theme()
    sections = drawings_of(results, artifacts.EXAMPLES, artifacts.CODEC / artifacts.CROPS)
    with artifacts.fresh_folder(artifacts.FIGURES) as folder:
        for drawings in sections.values():
            for name, drawing in drawings.items():
                save(drawing.figure, folder / f"{name}.png")
    page = report_page(contents_of(results, sections, artifacts.FIGURES))
    with artifacts.fresh_file(artifacts.REPORT) as partial:
        partial.write_text(page, encoding="utf-8")
    print(f"figures: {artifacts.FIGURES}; report: {artifacts.REPORT}")


def _read() -> Results:
    settings = load_settings()
    measures = measures_of(settings)
    records = {s: artifacts.read_json(artifacts.step_metrics(s)) for s in settings.pruning.steps}
    first = next(iter(records.values()))
    dense, baseline = first["dense_quality"], first["baseline_quality"]
    decision = artifacts.read_json(artifacts.TRADEOFF)
    judged = not artifacts.why_nothing(artifacts.CODEC)
    return Results(
        measures,
        task_figures_of(settings),
        records,
        histories=_histories(records),
        rows=artifacts.read_csv(artifacts.TEST_TABLE),
        summary=artifacts.read_json(artifacts.SUMMARY) | artifacts.read_json(artifacts.SELECTION),
        decision=decision,
        limit=threshold(settings.of(settings.criterion), measures.quality, dense, baseline),
        graph=artifacts.read_json(artifacts.GRAPH),
        channels=artifacts.read_csv(artifacts.CHANNELS_TABLE),
        layers=artifacts.read_csv(artifacts.LAYERS_TABLE) if decision["decided"] else [],
        points=artifacts.read_csv(artifacts.CODEC / artifacts.POINTS) if judged else [],
        deltas=artifacts.read_csv(artifacts.CODEC / artifacts.DELTAS) if judged else [],
        sensitivity=artifacts.read_json(artifacts.SENSITIVITY).get("groups", {}),
    )


def _histories(records: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Rows]]:
    """Histories of all phases with kind and step, in the order of training."""
    first = artifacts.read_csv(artifacts.DENSE_MODEL / artifacts.HISTORY)
    histories: list[tuple[str, str, Rows]] = [("finetune", DENSE, first)]
    for step, record in records.items():
        kept = record["histories"]
        histories += [(kind, step, kept[kind]) for kind in ("sparsify", "recover") if kind in kept]
    return histories


if __name__ == "__main__":
    run_stage(main)
