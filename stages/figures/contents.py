"""What the report holds, in its order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.figures import report
from stages.figures.codec_report import DIFFERENCES, codec_lead, delta_table, standard_table
from stages.figures.drawing import Drawings, Rows, Table
from stages.figures.leads import lead, runtimes_text, sparse_lead, zeros_text
from stages.figures.sections import Results
from stages.figures.tables import models_table, runtime_name, runtimes_table, steps_table
from stages.settings import CONTROLS, DENSE

HELD, FAILED = "lead", "lead failed"  # kinds of paragraphs


def contents_of(results: Results, sections: Mapping[str, Drawings], folder: Path) -> list[str]:
    """Parts of the page: leads, tables, and the figures that `folder` holds."""
    return [
        *_leads(results),
        *_tables(results),
        *_runtimes(results.summary),
        *_codec_tables(results.deltas),
        *_pictures(sections, folder),
    ]


def _leads(results: Results) -> list[str]:
    """What opens the report: warnings, then channels, then single weights."""
    summary, decision = results.summary, results.decision
    measures, quality = results.measures, results.measures.quality
    warnings = _warnings(results)
    leads = [report.paragraph(f"Warning: {text}.", FAILED) for text in warnings]
    text = lead(summary, quality, measures.baseline, bool(warnings))
    held = summary["selected"] != DENSE and not warnings
    leads.append(report.paragraph(text, HELD if held else FAILED))
    if decision["decided"]:
        text = sparse_lead(decision, summary, quality)
        held = decision["keeps_criterion"] and not warnings
        leads.append(report.paragraph(text, HELD if held else FAILED))
    return leads


def _warnings(results: Results) -> list[str]:
    """Why the figures tell little: of the test part, and of validation, the same for all steps."""
    first = next(iter(results.records.values()))
    return [text for text in (results.summary["warning"], first["warning"]) if text]


def _tables(results: Results) -> list[str]:
    summary, measures = results.summary, results.measures
    first = [measures.baseline, DENSE, "pruned", "pruned_8bit", "sparse", "sparse_8bit"]
    models = [*first, *CONTROLS]
    names = [name for name in models if name in summary]
    if summary["selected"] == DENSE:
        names.remove("pruned")  # the dense one again
    tables: dict[str, Table] = {
        "Models on the test part": models_table(summary, measures.quality, measures.metrics, names),
        **results.own.tables(results.rows),
        "Steps of channel pruning, on validation": steps_table(results.records),
    }
    parts = [report.heading(title) + report.table(*content) for title, content in tables.items()]
    notes = dict.fromkeys(record["macs_note"] for record in results.records.values())
    parts[1:1] = [report.paragraph(note) for note in notes if note]
    if results.decision["decided"]:
        parts.append(report.heading("What a zero is worth"))
        parts.append(report.paragraph(zeros_text(summary, measures.quality)))
    return parts


def _runtimes(summary: Mapping[str, Any]) -> list[str]:
    """Time by runtime, and why a model is not there for one."""
    times, reasons = summary["runtimes"], summary["not_exported"]
    if not times and not reasons:
        return []
    parts = [report.heading("Time, by runtime")]
    if times:
        parts += [report.paragraph(runtimes_text(times)), report.table(*runtimes_table(times))]
    return parts + [
        report.paragraph(f"The {model} model is not there for {runtime_name(runtime)}: {reason}.")
        for model, refused in reasons.items()
        for runtime, reason in refused.items()
    ]


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


def _pictures(sections: Mapping[str, Drawings], folder: Path) -> list[str]:
    parts = []
    for title, drawings in sections.items():
        parts += [report.heading(title)] if drawings else []
        parts += [
            report.picture(drawing.caption, folder / f"{name}.png")
            for name, drawing in drawings.items()
        ]
    return parts
