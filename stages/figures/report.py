"""One self-contained HTML page: what was removed, what it cost, and the figures."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from stages.tasks.task import Quality

STYLE = """
body{font:16px/1.55 system-ui,sans-serif;color:#1f2733;max-width:60rem;margin:2rem auto;
padding:0 1rem}
h1{margin-bottom:.3rem}h2{margin-top:2.2rem}
.lead{font-size:1.15rem;border-left:4px solid #1b7f5c;padding-left:1rem}
.lead.failed{border-color:#b3261e}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:1rem 0}
th,td{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #e3e6ea}
th:first-child,td:first-child{text-align:left}
img{max-width:100%}figure{margin:1.5rem 0}figcaption{color:#55606e;font-size:.92rem}
"""

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def lead(summary: Mapping[str, Any], quality: Quality, baseline: str) -> str:
    """The paragraph that opens the report: what was removed, at what cost, and the criterion."""
    dense, pruned, name = summary["dense"], summary["pruned"], quality.name
    costs = (
        f"On the test part its {quality.label} is {pruned[name]:.3f} {quality.unit}, against "
        f"{dense[name]:.3f} for the dense model and {summary[baseline][name]:.3f} for {baseline}; "
        f"it needs {pruned['macs'] / dense['macs']:.2f} of the dense model's multiply-accumulates "
        f"and {pruned['latency_ms'] / dense['latency_ms']:.2f} of its time."
    )
    if summary["selected"] == "dense":
        return f"The criterion did not hold: {summary['reason']}; dense was selected. {costs}"
    lost = summary[f"lost_{name}"]
    cost = f"{abs(lost):.3f} {quality.unit} of {quality.label} on the test part"
    return (
        f"The model of {summary['selected']} was selected: {summary['share_removed']:.3f} of the "
        f"parameters are gone ({dense['parameters']:,} to {pruned['parameters']:,}), which "
        f"{'cost' if lost >= 0 else 'cost nothing: it gained'} {cost}. "
        f"The criterion held: {summary['reason']}. {costs}"
    )


def models_table(summary: Mapping[str, Any], quality: Quality, names: Sequence[str]) -> Table:
    """A row a model with its metrics on the test part and its costs."""
    metrics = [
        key
        for key, value in summary["dense"].items()
        if isinstance(value, float) and key != "latency_ms"
    ]
    counts = ("parameters", "macs", "latency_ms", "bytes", "iterations")
    rows = []
    for name in names:
        model = summary[name]
        cells = [
            name,
            *(f"{model[m]:.4f}" if m != quality.name else f"{model[m]:.3f}" for m in metrics),
        ]
        for count in counts:
            value = model.get(count)
            form = ",.1f" if count == "latency_ms" else ",d"
            cells.append("" if value is None else f"{value:{form}}")
        rows.append(cells)
    return ["model", *metrics, *counts], rows


def steps_table(records: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a step: what it removed, and quality on validation on the way."""
    rows = []
    for step, record in records.items():
        removal = record["removal"]
        way = ["", ""]
        if removal:
            way = [f"{removal[key]:.3f}" for key in ("quality_before", "quality_after")]
        verdict = "passed on" if record["passed_on"] else str(record["keeps_criterion"]).lower()
        rows.append(
            [step, f"{1 - record['share_left']:.4f}", f"{record['parameters']:,}", *way,
             f"{record['quality']:.3f}", verdict]
        )  # fmt: skip
    head = ["step", "share removed", "parameters", "before removal", "after removal"]
    return [*head, "after recovery", "keeps the criterion"], rows


def report_page(
    opening: str, held: bool, tables: Mapping[str, Table], figures: Mapping[str, Path]
) -> str:
    """Put paragraph, tables and figures (embedded, by caption) on one page."""
    parts = [f'<p class="lead{"" if held else " failed"}">{escape(opening)}</p>']
    parts += [f"<h2>{escape(title)}</h2>{_table(*table)}" for title, table in tables.items()]
    parts.append("<h2>Figures</h2>")
    for caption, path in figures.items():
        data = base64.b64encode(path.read_bytes()).decode()
        parts.append(
            f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pruneline</title>'
        f"<style>{STYLE}</style></head><body><h1>Pruneline: what pruning did, and what it cost</h1>"
        f"{''.join(parts)}</body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
