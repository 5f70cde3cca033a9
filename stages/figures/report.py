"""One self-contained HTML page: what was removed, what it cost, and the figures."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from stages.figures.drawing import Table
from stages.tasks.quality import Quality

STYLE = """
body{font:16px/1.55 system-ui,sans-serif;color:#1f2733;max-width:60rem;margin:2rem auto;
padding:0 1rem}
h1{margin-bottom:.3rem}h2{margin-top:2.2rem}
.lead{font-size:1.15rem;border-left:4px solid #1b7f5c;padding-left:1rem}
.lead.failed{border-color:#b3261e}
table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums;margin:1rem 0}
th,td{padding:.3rem .55rem;text-align:right;border-bottom:1px solid #e3e6ea}
th:first-child,td:first-child{text-align:left}
img{max-width:100%}figure{margin:1.5rem 0}figcaption{color:#55606e;font-size:.92rem}
"""


def lead(summary: Mapping[str, Any], quality: Quality, baseline: str) -> str:
    """The paragraph that opens the report: what was removed, at what cost, and the criterion."""
    dense, pruned, name = summary["dense"], summary["pruned"], quality.name
    costs = (
        f"On the test part its {quality.label} is {quality.text(pruned[name])}, against "
        f"{quality.number(dense[name])} for the dense model and "
        f"{quality.number(summary[baseline][name])} for {baseline}; "
        f"it needs {pruned['macs'] / dense['macs']:.2f} of the dense model's multiply-accumulates "
        f"and {pruned['latency_ms'] / dense['latency_ms']:.2f} of its time."
    )
    if summary["selected"] == "dense":
        return f"The criterion did not hold: {summary['reason']}; dense was selected. {costs}"
    lost = summary[f"lost_{name}"]
    cost = f"{quality.text(abs(lost))} of {quality.label} on the test part"
    return (
        f"The model of {summary['selected']} was selected: {summary['share_removed']:.3f} of the "
        f"parameters are gone ({dense['parameters']:,} to {pruned['parameters']:,}), which "
        f"{'cost' if lost >= 0 else 'cost nothing: it gained'} {cost}. "
        f"The criterion held: {summary['reason']}. {costs}"
    )


def sparse_lead(decision: Mapping[str, Any], summary: Mapping[str, Any], quality: Quality) -> str:
    """The paragraph on single weights: what was decided and why, what was refused, the test."""
    refused = "; ".join(f"{score}: {why}" for score, why in decision["refused"].items())
    text = (
        f"Single weights: {decision['zeros']:,} of {decision['weights']:,} are zero (score "
        f"{decision['score']}, sparsity {decision['sparsity']:.4f}). Decided by the rule "
        f"{decision['rule']}: {decision['reason']}."
    )
    if refused:
        text += f" Refused: {refused}."
    if decision["quality_recovered"] is not None:
        text += (
            f" Recovery brought {quality.text(decision['quality'])} to "
            f"{quality.text(decision['quality_recovered'])} on validation."
        )
    kept = "held" if decision["keeps_criterion"] else "did not hold"
    text += (
        f" The criterion {kept}: {decision['verdict']}. On the test part its {quality.label} is "
        f"{quality.text(summary['sparse'][quality.name])}, against "
        f"{quality.number(summary['dense'][quality.name])} for the dense model."
    )
    return text


def zeros_text(summary: Mapping[str, Any], quality: Quality) -> str:
    """What zeros are worth: no time, fewer bytes; 8 bits; and what removed channels are worth."""
    dense, sparse, pruned = (summary[name] for name in ("dense", "sparse", "pruned"))
    text = (
        "Zeros in a tensor do not make dense kernels faster: the sparse network does all "
        f"{sparse['macs']:,} multiply-accumulates of the dense one and took "
        f"{sparse['latency_ms']:.2f} ms where that took {dense['latency_ms']:.2f}. What they give "
        f"is bytes: {sparse['zip_bytes']:,} after compression instead of {dense['zip_bytes']:,}. "
    )
    if "sparse_8bit" in summary:
        small = summary["sparse_8bit"]
        text += (
            f"In 8 bits the sparse network takes {small['zip_bytes']:,} bytes after compression, "
            f"with a {quality.label} of {quality.text(small[quality.name])} on the test part "
            f"instead of {quality.number(sparse[quality.name])} (its time is ONNX "
            "Runtime's, the others' PyTorch's: do not compare them). "
        )
    return text + (
        f"Removed channels give time: the pruned network needs {pruned['macs']:,} "
        f"multiply-accumulates and took {pruned['latency_ms']:.2f} ms."
    )


COUNTS = ("parameters", "macs", "latency_ms", "bytes", "zip_bytes", "iterations")


def models_table(
    summary: Mapping[str, Any], quality: Quality, metrics: Sequence[str], names: Sequence[str]
) -> Table:
    """A row a model with its metrics on the test part and its costs."""
    rows = []
    for name in names:
        model = summary[name]
        cells = [name]
        cells += [
            quality.number(model[m]) if m == quality.name else f"{model[m]:.4f}" for m in metrics
        ]
        for count in COUNTS:
            value = model.get(count)
            form = ",.2f" if count == "latency_ms" else ",d"
            cells.append("" if value is None else f"{value:{form}}")
        rows.append(cells)
    return ["model", *metrics, *COUNTS], rows


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


def report_page(sections: Sequence[str]) -> str:
    """Put sections of HTML on one page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pruneline</title>'
        f"<style>{STYLE}</style></head><body><h1>Pruneline: what pruning did, and what it cost</h1>"
        f"{''.join(sections)}</body></html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `lead` and `lead failed` are kinds that stand out."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def heading(title: str) -> str:
    """A heading over tables and figures."""
    return f"<h2>{escape(title)}</h2>"


def picture(caption: str, path: Path) -> str:
    """A figure, embedded in the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, the first column of which is text."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
