"""What was measured, and the figures of it, section by section."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.dependency.graph_file import from_ranges
from stages.figures.channels import channels_figure
from stages.figures.codecs import codec_drawings
from stages.figures.curves import curves_figure, curves_from
from stages.figures.dependencies import dependency_figure
from stages.figures.drawing import Drawing, Drawings, Rows
from stages.figures.quality import quality_figure
from stages.figures.sensitivity import sensitivity_figure
from stages.figures.task_figures import TaskFigures
from stages.figures.weights import layers_figure, sweep_figure
from stages.settings import DENSE
from stages.tasks.quality import Measures, Quality


@dataclass(frozen=True)
class Results:
    """What earlier stages measured; `limit` is the worst quality that keeps the criterion."""

    measures: Measures
    own: TaskFigures  # of the task in use
    records: Mapping[str, Mapping[str, Any]]  # by step
    histories: Sequence[tuple[str, str, Rows]]  # of all phases with kind and step, in their order
    rows: Rows  # a model and a test item each
    summary: Mapping[str, Any]
    decision: Mapping[str, Any]
    limit: float
    graph: Mapping[str, Any]
    channels: Rows  # a pruning group each
    layers: Rows  # none where no single weights were pruned
    points: Rows  # a stream and filter each; none where there is no video
    deltas: Rows
    sensitivity: Mapping[str, Any] = field(default_factory=dict)  # by group, where it was measured


def drawings_of(results: Results, examples: Path, crops: Path) -> dict[str, Drawings]:
    """All figures by the title of their section; `examples` of test items, `crops` of frames."""
    return {
        "Channels removed": _channel_drawings(results),
        "Single weights removed": _weight_drawings(results),
        "Models on the test part": results.own.drawings(results.rows, examples),
        "Behind real codecs": _codec_drawings(results, crops),
    }


def _channel_drawings(results: Results) -> Drawings:
    measures, records = results.measures, results.records
    quality = measures.quality
    curves, axis = curves_from(results.histories, quality.name), quality.axis
    measured = results.sensitivity
    return {
        "quality": Drawing(
            quality_figure(records, axis, results.limit, measures.baseline),
            "Quality on validation against parameters left, before and after recovery.",
        ),
        "channels": _channels_drawing(results),
        "training": Drawing(
            curves_figure(curves, axis), "All phases of training, one after the other."
        ),
        "dependencies": Drawing(
            dependency_figure(results.graph),
            "The dependency graph: removing a unit of a column, a pruning group, touches its rows.",
        ),
    } | ({"sensitivity": _sensitivity_drawing(measured, quality)} if measured else {})


def _sensitivity_drawing(measured: Mapping[str, Any], quality: Quality) -> Drawing:
    return Drawing(
        sensitivity_figure(measured, quality),
        "Quality on validation that is lost where one pruning group alone is narrowed, by the "
        "share of its units that are left.",
    )


def _channels_drawing(results: Results) -> Drawing:
    """What the selected model lost; of the dense model, what the last step that was tried did."""
    rows, tried = results.channels, [s for s, r in results.records.items() if r["removal"]]
    layers, channels = [row["layer"] for row in rows], [int(row["channels"]) for row in rows]
    if results.summary["selected"] != DENSE or not tried:
        kept = [int(row["kept"]) for row in rows]
        caption = "Channels that each pruning group keeps in the selected model."
        return Drawing(channels_figure(layers, channels, kept), caption)
    removed, step = results.records[tried[-1]]["removed"], tried[-1]
    kept = [all_ - len(from_ranges(removed.get(layer, "")))
            for layer, all_ in zip(layers, channels, strict=True)]  # fmt: skip
    caption = (
        f"What {step} removed, by pruning group: the last step that was tried, and it failed the "
        "criterion. The dense model was selected, with all its channels."
    )
    figure = channels_figure(layers, channels, kept, f"{step}, which failed the criterion")
    return Drawing(figure, caption)


def _weight_drawings(results: Results) -> Drawings:
    decision, axis = results.decision, results.measures.quality.axis
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
            layers_figure(results.layers),
            f"How sparse each layer became, and (stroke) the block it is in. {decision['layers']}",
        ),
    }


def _codec_drawings(results: Results, crops: Path) -> Drawings:
    if not results.points:
        return {}
    return codec_drawings(results.points, results.deltas, crops)
