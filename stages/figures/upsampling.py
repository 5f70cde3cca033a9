"""What up-sampling looks like: crops of test pictures, quality by coding."""

from pathlib import Path

from stages.figures.crops import crops_figure
from stages.figures.drawing import Drawing, Drawings, Rows, Table
from stages.tasks.upsampling.measures import MEASURES

QUALITY = MEASURES.quality


class UpsamplingFigures:
    """Of rows with a coding."""

    def drawings(self, rows: Rows, examples: Path) -> Drawings:
        (crops,) = examples.iterdir()  # those of one coding
        shown = crops.name
        notes = {
            (r["model"], r["item"]): f"{float(r[QUALITY.name]):.2f} {QUALITY.unit}"
            for r in rows
            if r["coding"] == shown
        }
        models = {row["model"] for row in rows}
        columns = [c for c in (MEASURES.baseline, "dense", "pruned") if c in models]
        how = "not coded" if shown == "clean" else f"coded as {shown}"
        caption = f"Details of test pictures, {how}; below each, quality over the whole one."
        figure = crops_figure(crops, [*columns, "original"], notes, f"Test pictures, {how}")
        return {"crops": Drawing(figure, caption)}

    def tables(self, rows: Rows) -> dict[str, Table]:
        """Mean quality of every model by how the low-resolution pictures were coded."""
        codings, models = (list(dict.fromkeys(row[k] for row in rows)) for k in ("coding", "model"))
        if len(codings) < 2:
            return {}
        values = {(m, c): _mean_of(rows, m, c) for m in models for c in codings}
        table = [[m, *(QUALITY.number(values[m, c]) for c in codings)] for m in models]
        return {f"{QUALITY.label} on the test part by coding": (["model", *codings], table)}


def _mean_of(rows: Rows, model: str, coding: str) -> float:
    of_both = [float(r[QUALITY.name]) for r in rows if (r["model"], r["coding"]) == (model, coding)]
    return sum(of_both) / len(of_both)


InUse = UpsamplingFigures  # what `task_figures_of` looks for
