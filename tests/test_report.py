"""The report: self-contained, and true in its words."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from stages.figures import report
from stages.figures.channels import channels_figure
from stages.figures.contents import _leads, _runtimes, _tables
from stages.figures.leads import lead, sparse_lead, zeros_text
from stages.figures.sections import Results
from stages.figures.tables import models_table, steps_table
from stages.figures.theme import save, use_theme
from tests.made_up_results import (
    DECISION,
    MEASURES,
    METRICS,
    MODELS,
    QUALITY,
    model,
    record,
    summary,
)

pytestmark = pytest.mark.slow

STEPS = {"step1": record(1), "step2": record(1, passed_on=True)}


@pytest.fixture(autouse=True)
def _theme() -> None:
    use_theme()
    plt.close("all")


class Page(HTMLParser):
    """What a page shows and what it would fetch."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.shown: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def make_page(tmp_path: Path, selected: str = "step1") -> tuple[str, Page]:
    save(channels_figure(["first"], [8], [5]), tmp_path / "channels.png")
    tables = {
        "Models": models_table(summary(selected), QUALITY, METRICS, MODELS),
        "Steps": steps_table(STEPS),
    }
    opening = lead(summary(selected), QUALITY, "bicubic", warned=False)
    held = selected != "dense"
    parts = [report.paragraph(opening, "lead" if held else "lead failed")]
    parts += [report.heading(title) + report.table(*content) for title, content in tables.items()]
    parts.append(report.picture('Channels "kept"', tmp_path / "channels.png"))
    text = report.report_page(parts)
    return text, Page(text)


def test_the_report_is_self_contained(tmp_path: Path) -> None:
    text, page = make_page(tmp_path)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert len(page.links) == 1
    assert page.links[0].startswith("data:image/png;base64,")
    assert not re.search(r"https?://|@import|url\(", text)


def test_the_report_opens_with_the_paragraph(tmp_path: Path) -> None:
    text, page = make_page(tmp_path)
    assert page.tags.index("p") < min(page.tags.index(tag) for tag in ("h2", "table", "img"))
    shown = "".join(page.shown)
    for words in ("step1 was selected", "0.600", "12,345 to 4,938", "0.125 dB", "criterion held",
                  "because <of this>", "0.40 of", "0.50 of"):  # fmt: skip
        assert words in shown, words
    assert "lead failed" not in text


def test_the_report_says_in_words_what_was_gained() -> None:
    opening = lead(summary() | {"lost_psnr_db": -0.023}, QUALITY, "bicubic", warned=False)
    assert "which cost nothing: it gained 0.023 dB of Y-PSNR" in opening
    assert "-0.023" not in opening


def test_the_report_says_when_the_criterion_failed(tmp_path: Path) -> None:
    text, page = make_page(tmp_path, "dense")
    shown = "".join(page.shown)
    assert "criterion did not hold" in shown
    assert "because <of this>" in shown
    assert "criterion held" not in shown
    assert "lead failed" in text


def test_where_the_dense_model_was_selected_nothing_is_compared_with_itself() -> None:
    told = lead(summary("dense", ms=2.1), QUALITY, "bicubic", warned=False)
    assert "dense model was selected, and nothing was removed from it: 12,345 parameters" in told
    for words in ("of its time", "of the dense model's", "cost", "gained", "are gone"):
        assert words not in told, words
    both = summary("dense") | {"sparse": model(12345)}
    assert "No channels were removed" in zeros_text(both, QUALITY)
    assert "Removed channels give time" not in zeros_text(both, QUALITY)


def test_a_difference_within_the_spread_is_told_as_none() -> None:
    slower = summary(ms=1.9)
    told = lead(slower, QUALITY, "bicubic", warned=False)
    assert "no difference in time beyond the spread of the runs" in told
    assert "0.95 of" not in told
    weights = zeros_text(slower | {"sparse": model(12345)}, QUALITY)
    assert "Removed channels give time" not in weights
    assert "no difference from the dense one" in weights


def results(**changed: Any) -> Results:
    """What the report is made of, as `plot` reads it."""
    known: dict[str, Any] = {
        "measures": MEASURES, "own": None, "records": STEPS, "histories": [], "rows": [],
        "summary": summary(), "decision": {"decided": False}, "limit": 30.9, "graph": {},
        "channels": [], "layers": [], "points": [], "deltas": [],
    }  # fmt: skip
    return Results(**known | changed)


@pytest.mark.parametrize("where", ["summary", "record"])
def test_the_report_warns_in_its_first_line_and_shows_nothing_in_green(where: str) -> None:
    warned = summary() | {"lost_psnr_db": -0.5, "sparse": model(12345)}
    records = {"step1": record(1)}
    warning = {"warning": "the dense model is no better than bicubic"}
    if where == "summary":
        warned |= warning
    else:
        records["step1"] |= warning
        warned |= {"warning": None}
    leads = _leads(results(summary=warned, records=records, decision=DECISION))
    assert leads[0].startswith('<p class="lead failed">Warning: the dense model is no better')
    assert len(leads) == 3
    assert all('class="lead failed"' in text for text in leads)
    assert "cost nothing" not in "".join(leads)
    calm = _leads(results())
    assert len(calm) == 1
    assert calm[0].startswith('<p class="lead">The model of step1')


def test_the_dense_model_stands_in_the_table_once() -> None:
    told = "".join(_tables(results(own=Bare(), summary=summary("dense"))))
    assert "<td>dense</td>" in told
    assert "<td>pruned</td>" not in told
    assert "<td>pruned</td>" in "".join(_tables(results(own=Bare())))


class Bare:
    """A task without figures and tables of its own."""

    def drawings(self, _rows: Any, _examples: Path) -> dict[str, Any]:
        return {}

    def tables(self, _rows: Any) -> dict[str, Any]:
        return {}


def test_the_report_tells_the_decision_on_weights() -> None:
    both = summary() | {"sparse": model(12345)}
    told = sparse_lead(DECISION, both, QUALITY)
    for words in ("750 of 1,000", "synflow", "0.7500", "rule largest", "magnitude: up to 0.5",
                  "criterion held: 30 is enough", "29.250 dB"):  # fmt: skip
        assert words in told, words
    assert "Recovery" not in told
    failed = DECISION | {"keeps_criterion": False, "quality_recovered": 31.0}
    told = sparse_lead(failed, both, QUALITY)
    assert "Recovery brought 30.000 dB to 31.000 dB" in told
    assert "did not hold" in told


def test_the_report_says_what_a_zero_is_worth() -> None:
    both = summary() | {"sparse": model(12345) | {"zip_bytes": 1111}}
    told = zeros_text(both, QUALITY)
    for words in ("do not make dense kernels faster", "1,111", "3,000", "49,380"):
        assert words in told, words
    assert "8 bits" not in told
    small = {"psnr_db": 28.5, "ssim": 0.8, "bytes": 900, "zip_bytes": 777, "latency_ms": 1.0,
             "latency_low_ms": 0.9, "latency_high_ms": 1.5}  # fmt: skip
    told = zeros_text(both | {"sparse_8bit": small}, QUALITY)
    for words in ("8 bits", "777", "28.500 dB"):
        assert words in told, words


def test_the_tables_hold_every_model_and_step() -> None:
    head, rows = models_table(summary(), QUALITY, METRICS, MODELS)
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    assert [cell["model"] for cell in cells] == ["bicubic", "dense", "pruned"]
    assert (cells[0]["parameters"], cells[1]["parameters"]) == ("", "12,345")
    assert (cells[1]["psnr_db"], cells[1]["ssim"]) == ("29.250", "0.8750")
    assert cells[1]["latency_ms"] == "2.00 (1.80 to 2.20)"
    head, rows = steps_table(STEPS)
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    assert [cell["keeps the criterion"] for cell in cells] == ["true", "passed on"]
    assert (cells[0]["after removal"], cells[1]["after removal"]) == ("25.000", "")


def test_time_is_told_by_runtime_with_what_is_missing_and_why() -> None:
    page = "".join(_runtimes(summary()))
    assert "1 x 1 x 180 x 320, 2 threads" in page
    cells = re.findall(r"<td>(.*?)</td>", page)
    assert cells[:6] == [
        "PyTorch",
        "2.00 (1.80 to 2.20)",
        "1.00 (0.90 to 1.10)",
        "2.00",
        "5.00",
        "0.40",
    ]
    assert cells[6:12] == [
        "ONNX Runtime",
        "2.00 (1.80 to 2.20)",
        "0.50 (0.45 to 0.55)",
        "4.00",
        "5.00",
        "0.80",
    ]
    assert "slower than in float there: ONNX Runtime" in page
    near = summary()
    near["runtimes"]["by_runtime"]["onnx_8bit"]["latency_low_ms"] = 0.54
    assert "slower" not in "".join(_runtimes(near)), "within the spread it is no difference"
    assert "The pruned model is not there for OpenVINO: no operator &lt;eig&gt;." in page


def test_where_the_dense_model_was_selected_there_is_nothing_to_compare() -> None:
    assert _runtimes(summary() | {"runtimes": None, "not_exported": {}}) == []
