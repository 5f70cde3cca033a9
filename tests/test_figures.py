"""Figures of small made-up results, and a report that stands on its own."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from stages import artifacts, plot
from stages.dependency.build import build_graph
from stages.dependency.graph_file import graph_to_json
from stages.figures import report
from stages.figures.channels import channels_figure
from stages.figures.crops import MOST, crops_figure
from stages.figures.curves import curves_figure, curves_from
from stages.figures.dependencies import dependency_figure
from stages.figures.quality import quality_figure
from stages.figures.report import lead, models_table, sparse_lead, steps_table, zeros_text
from stages.figures.theme import save, use_theme
from stages.networks.espcn import ESPCN
from stages.networks.saved import About
from stages.tasks.quality import Quality

pytestmark = pytest.mark.slow

QUALITY = Quality("psnr_db", "Y-PSNR", "dB", higher_is_better=True)
METRICS, MODELS = ("psnr_db", "ssim"), ["bicubic", "dense", "pruned"]
ROWS = [
    {"epoch": "0", "iteration": "0", "loss": "", "psnr_db": "20.5"},
    {"epoch": "1", "iteration": "5", "loss": "0.1", "psnr_db": "29.5"},
    {"epoch": "2", "iteration": "10", "loss": "0.05", "psnr_db": "30.5"},
]


def record(number: int, passed_on: bool = False) -> dict[str, Any]:
    left, quality = 1 - 0.2 * number, 31.0 - number
    removal = {"quality_before": quality + 0.5, "quality_after": quality - 5, "target": 1 - left}
    return {
        "passed_on": passed_on, "share_left": left, "quality": quality, "parameters": 1000 * left,
        "dense_quality": 31.0, "baseline_quality": 28.0, "keeps_criterion": not passed_on,
        "removal": None if passed_on else removal,
        "histories": {} if passed_on else {"sparsify": ROWS, "recover": ROWS},
    }  # fmt: skip


def model(parameters: int) -> dict[str, Any]:
    return {"psnr_db": 29.25, "ssim": 0.875, "parameters": parameters, "macs": 10 * parameters,
            "latency_ms": 2.0, "bytes": 4000, "zip_bytes": 3000, "iterations": 12}  # fmt: skip


def summary(selected: str = "step1") -> dict[str, Any]:
    return {
        "selected": selected, "reason": "because <of this>", "share_removed": 0.6,
        "lost_psnr_db": 0.125, "gained_psnr_db": 1.0, "device": "cpu",
        "dense": model(12345), "pruned": model(4938), "bicubic": {"psnr_db": 28.25, "ssim": 0.75},
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _theme() -> Iterator[None]:
    use_theme()
    yield
    plt.close("all")


def assert_drawn(figure: Figure, path: Path) -> None:
    """The figure can be saved, is closed then, and is not blank."""
    assert isinstance(figure, Figure)
    before = len(plt.get_fignums())
    save(figure, path)
    assert len(plt.get_fignums()) == before - 1
    pixels = np.asarray(Image.open(path).convert("L"))
    assert pixels.shape > (100, 100)
    assert len(np.unique(pixels)) > 10


def lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines}


STEPS = [
    {"step1": record(1)},
    {"step1": record(1), "step2": record(2)},
    {"step1": record(1), "step2": record(1, passed_on=True)},
]


@pytest.mark.parametrize("records", STEPS)
def test_quality_is_drawn_for_the_steps_that_ran(tmp_path: Path, records: dict[str, Any]) -> None:
    figure = quality_figure(records, "Y-PSNR (dB)", 30.9, "bicubic")
    (axes,) = figure.axes
    ran = [step for step, one in records.items() if not one["passed_on"]]
    recovered = lines(axes)["after recovery"]
    assert list(recovered.get_xdata()) == [1.0] + [records[step]["share_left"] for step in ran]
    assert list(recovered.get_ydata()) == [31.0] + [records[step]["quality"] for step in ran]
    assert [text.get_text() for text in axes.texts] == ran
    assert lines(axes)["criterion"].get_ydata()[0] == 30.9
    low, high = axes.get_ylim()
    assert low < min(25, records["step1"]["quality"] - 5)
    assert high > 31
    assert_drawn(figure, tmp_path / "quality.png")


def test_channels_are_drawn_for_all_groups(tmp_path: Path) -> None:
    figure = channels_figure(["first", "second", "third"], [8, 4, 2], [5, 4, 0])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second", "third"]
    assert [bar.get_width() for bar in axes.patches] == [5, 4, 0, 3, 0, 2]
    assert [text.get_text().strip() for text in axes.texts] == ["5 of 8", "4 of 4", "0 of 2"]
    assert_drawn(figure, tmp_path / "channels.png")


def test_curves_follow_each_other(tmp_path: Path) -> None:
    histories = [("finetune", "dense", ROWS), ("sparsify", "step1", ROWS), ("recover", "a", ROWS)]
    figure = curves_figure(curves_from(histories, "psnr_db"), "Y-PSNR")
    above, below = figure.axes
    named = lines(above)
    assert [list(named[kind].get_xdata()) for kind, _, _ in histories] == [
        [0, 5, 10], [10, 15, 20], [20, 25, 30],
    ]  # fmt: skip
    assert list(named["recover"].get_ydata()) == [20.5, 29.5, 30.5]
    losses = [line for line in below.lines if list(line.get_ydata()) == [0.1, 0.05]]
    assert [list(line.get_xdata()) for line in losses] == [[5, 10], [15, 20], [25, 30]]
    assert_drawn(figure, tmp_path / "training.png")


def test_phases_without_epochs_have_no_loss_to_draw(tmp_path: Path) -> None:
    figure = curves_figure(curves_from([("finetune", "dense", ROWS[:1])], "psnr_db"), "Y-PSNR")
    below = figure.axes[1]
    assert not [line for line in below.lines if len(line.get_xdata()) == 1]
    assert ".-" not in [label.get_text() for label in below.get_yticklabels()]
    assert_drawn(figure, tmp_path / "training.png")


def test_phases_are_drawn_in_the_order_of_training(workspace: Path) -> None:
    artifacts.write_csv(artifacts.DENSE_MODEL / artifacts.HISTORY, ROWS)
    steps = {"step1": record(1), "step2": record(2), "step3": record(2, passed_on=True)}
    for step, one in steps.items():
        artifacts.write_json(artifacts.step_metrics(step), one)
    read = {step: artifacts.read_json(artifacts.step_metrics(step)) for step in steps}
    assert [(kind, step) for kind, step, _ in plot._histories(read)] == [
        ("finetune", "dense"),
        *[(kind, step) for step in ("step1", "step2") for kind in ("sparsify", "recover")],
    ]


class Bare(nn.Module):
    """A parameter of the network itself, and a normalisation that has no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 1, 3)
        self.norm = nn.BatchNorm2d(4, affine=False)
        self.scale = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.scale * self.norm(self.first(x))))


class Unsaved(nn.Module):
    """A layer that holds nothing but a buffer that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.shift = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 1, 3), nn.Module()
        self.shift.register_buffer("by", torch.ones(1, 4, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x) + self.shift.by))


@pytest.mark.parametrize("network", [ESPCN(4), Bare(), Unsaved()], ids=["espcn", "bare", "unsaved"])
def test_dependencies_are_drawn_from_the_graph_file(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages import graph as stage

    monkeypatch.chdir(tmp_path)
    about = About("espcn", {}, (1, 1, 8, 8))
    monkeypatch.setattr(stage, "load_network", lambda _: (network, about))
    stage.main()
    figure = dependency_figure(artifacts.read_json(artifacts.GRAPH))
    groups = graph_to_json(build_graph(network, about.example_shape))["groups"]
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == [f"{group['name']} ({group['units']})" for group in groups] + ["frozen"]
    assert_drawn(figure, tmp_path / "dependencies.png")


def test_crops_show_every_item_as_every_model_made_it(tmp_path: Path) -> None:
    columns, notes = ("bicubic", "dense", "original"), {("dense", "b"): "30.10 dB"}
    for item in "ab":
        (tmp_path / "crops" / item).mkdir(parents=True)
        for number, column in enumerate(columns):
            grey = np.full((20, 20), 20000 * number, np.uint16)
            Image.fromarray(grey).save(tmp_path / f"crops/{item}/{column}.png")
    figure = crops_figure(tmp_path / "crops", columns, notes)
    assert len(figure.axes) == 6
    shown = [float(axes.images[0].get_array().mean()) for axes in figure.axes]
    assert shown == pytest.approx([0, 20000 / 65535, 40000 / 65535] * 2, abs=1e-3)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "", "", "30.10 dB", ""]
    assert_drawn(figure, tmp_path / "crops.png")


def test_of_many_items_crops_show_some(tmp_path: Path) -> None:
    for number in range(MOST + 1):
        (tmp_path / f"{number}").mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{number}/dense.png")
    figure = crops_figure(tmp_path, ["dense"], {})
    assert [axes.get_ylabel() for axes in figure.axes] == ["0", "2", "4", "6", "8"]


def test_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "other.png"):
        save(channels_figure(["first"], [8], [5]), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


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
        "Steps": steps_table(STEPS[2]),
    }
    opening = lead(summary(selected), QUALITY, "bicubic")
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
                  "because <of this>", "0.40 of", "1.00 of"):  # fmt: skip
        assert words in shown, words
    assert "lead failed" not in text


def test_the_report_says_in_words_what_was_gained() -> None:
    opening = lead(summary() | {"lost_psnr_db": -0.023}, QUALITY, "bicubic")
    assert "which cost nothing: it gained 0.023 dB of Y-PSNR" in opening
    assert "-0.023" not in opening


def test_the_report_says_when_the_criterion_failed(tmp_path: Path) -> None:
    text, page = make_page(tmp_path, "dense")
    shown = "".join(page.shown)
    assert "criterion did not hold" in shown
    assert "because <of this>" in shown
    assert "criterion held" not in shown
    assert "lead failed" in text


DECISION: dict[str, Any] = {
    "decided": True, "rule": "largest", "score": "synflow", "sparsity": 0.75, "weights": 1000,
    "zeros": 750, "reason": "synflow keeps it up to 0.75", "refused": {"magnitude": "up to 0.5"},
    "quality": 30.0, "quality_recovered": None, "keeps_criterion": True, "verdict": "30 is enough",
}  # fmt: skip


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
    small = {"psnr_db": 28.5, "ssim": 0.8, "bytes": 900, "zip_bytes": 777, "latency_ms": 1.0}
    told = zeros_text(both | {"sparse_8bit": small}, QUALITY)
    for words in ("8 bits", "777", "28.500 dB"):
        assert words in told, words


def test_the_tables_hold_every_model_and_step() -> None:
    head, rows = models_table(summary(), QUALITY, METRICS, MODELS)
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    assert [cell["model"] for cell in cells] == ["bicubic", "dense", "pruned"]
    assert (cells[0]["parameters"], cells[1]["parameters"]) == ("", "12,345")
    assert (cells[1]["psnr_db"], cells[1]["ssim"]) == ("29.250", "0.8750")
    head, rows = steps_table(STEPS[2])
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    assert [cell["keeps the criterion"] for cell in cells] == ["true", "passed on"]
    assert (cells[0]["after removal"], cells[1]["after removal"]) == ("25.000", "")
