"""One self-contained HTML page, and what it is made of."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

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
