"""Figures of small made-up results."""

from collections.abc import Iterator
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
from stages.figures.broken_axis import broken_axes
from stages.figures.channels import channels_figure
from stages.figures.crops import MOST, crops_figure
from stages.figures.curves import curves_figure, curves_from
from stages.figures.dependencies import dependency_figure
from stages.figures.quality import quality_figure
from stages.figures.sections import Results, _channels_drawing
from stages.figures.sensitivity import sensitivity_figure
from stages.figures.theme import save, use_theme
from stages.figures.weights import layers_figure
from stages.graph import described
from stages.networks.espcn import ESPCN
from stages.networks.saved import About
from stages.weights.layers import Layer
from tests.made_up_results import MEASURES, ROWS, record, summary

pytestmark = pytest.mark.slow


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
    ran = [step for step, one in records.items() if not one["passed_on"]]
    for axes in figure.axes:
        recovered = lines(axes)["after recovery"]
        assert list(recovered.get_xdata()) == [1.0] + [records[step]["share_left"] for step in ran]
        assert list(recovered.get_ydata()) == [31.0] + [records[step]["quality"] for step in ran]
        assert lines(axes)["criterion"].get_ydata()[0] == 30.9
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ran
    assert min(axes.get_ylim()[0] for axes in figure.axes) < records["step1"]["quality"] - 5
    assert max(axes.get_ylim()[1] for axes in figure.axes) > 31
    assert_drawn(figure, tmp_path / "quality.png")


def test_the_region_that_decides_has_most_of_the_axis() -> None:
    """Dense and criterion are 0.1 dB apart, and removal costs 5 dB."""
    figure = quality_figure({"step1": record(1)}, "Y-PSNR (dB)", 30.9, "bicubic")
    figure.draw_without_rendering()
    near, rest = figure.axes
    assert near.get_ylim()[0] < 30.9
    assert near.get_ylim()[1] - near.get_ylim()[0] < 0.2 * 5
    assert near.get_position().height > 2 * rest.get_position().height
    assert rest.get_ylim()[1] == near.get_ylim()[0], "no value is left out"


def test_an_axis_is_broken_only_where_that_helps() -> None:
    _, column = broken_axes((4, 4), [0.5, 1.0], [0.2, 0.9])
    assert len(column) == 1
    _, column = broken_axes((4, 4), [0.90, 0.91], [0.1, 0.95])
    ranges = [axes.get_ylim() for axes in column]
    assert len(ranges) == 3
    assert ranges[0][0] == ranges[1][1] > 0.91
    assert ranges[1][0] == ranges[2][1] < 0.90
    assert ranges[0][1] > 0.95
    assert ranges[2][0] < 0.1


def test_channels_are_drawn_for_all_groups(tmp_path: Path) -> None:
    figure = channels_figure(["first", "second", "third"], [8, 4, 2], [5, 4, 0])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second", "third"]
    assert [bar.get_width() for bar in axes.patches] == [5, 4, 0, 3, 0, 2]
    assert [text.get_text() for text in axes.texts] == ["5 of 8", "4 of 4", "0 of 2"]
    assert axes.get_xlabel() == "channels"
    assert_drawn(figure, tmp_path / "channels.png")


def test_widths_that_differ_much_are_drawn_as_shares() -> None:
    (axes,) = channels_figure(["first", "second"], [8, 512], [2, 384]).axes
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.75, 0.75, 0.25]
    assert [text.get_text() for text in axes.texts] == ["2 of 8", "384 of 512"]
    assert axes.get_xlim() == (0, 1)
    assert "share" in axes.get_xlabel()


def of_steps(selected: str) -> Results:
    channels = [{"layer": "first", "channels": "8", "kept": "8" if selected == "dense" else "4"}]
    records = {"step1": record(1), "step2": record(2), "step3": record(2, passed_on=True)}
    return Results(MEASURES, Any, records, [], [], summary(selected), {}, 30.9, {}, channels,
                   [], [], [])  # fmt: skip


def test_where_the_dense_model_was_selected_the_last_failing_step_is_drawn() -> None:
    """It lost four of eight channels; the step after it was passed on."""
    drawing = _channels_drawing(of_steps("dense"))
    (axes,) = drawing.figure.axes
    assert [bar.get_width() for bar in axes.patches] == [4, 4]
    for text in (axes.get_title(loc="left"), drawing.caption):
        assert "step2" in text
        assert "failed the criterion" in text
    selected = _channels_drawing(of_steps("step1"))
    assert "selected model" in selected.caption
    assert "failed" not in selected.caption


def layer_rows() -> list[dict[str, str]]:
    blocks = {"stem.0": "stem", "blocks.0.a": "blocks.0", "blocks.0.b": "blocks.0", "head": "head"}
    made = [
        Layer(depth, name, block, "linear" if name == "head" else "convolution", 100, 20 * depth,
              0.2 * depth, 0.1, 8, 0)
        for depth, (name, block) in enumerate(blocks.items(), 1)
    ]  # fmt: skip
    return [{key: str(value) for key, value in vars(one).items()} for one in made]


def test_sparsity_of_layers_ends_at_one_and_shows_blocks(tmp_path: Path) -> None:
    figure = layers_figure(layer_rows())
    (axes,) = figure.axes
    assert axes.get_xlim() == (0, 1)
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    (stroke,) = axes.lines
    assert list(stroke.get_xdata()) == [0.5, 0.5]
    assert list(stroke.get_ydata()) == [0.55, 2.45]
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    assert_drawn(figure, tmp_path / "layers.png")


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
def test_dependencies_are_drawn_from_the_graph_file(network: nn.Module, tmp_path: Path) -> None:
    about = About("espcn", {}, (1, 1, 8, 8))
    graph = graph_to_json(build_graph(network, about.example_shape))
    figure = dependency_figure(graph | {"network": described(network, about)})
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == [f"{group['name']} ({group['units']})" for group in graph["groups"]] + [
        "frozen"
    ]
    assert_drawn(figure, tmp_path / "dependencies.png")


def test_crops_show_every_item_as_every_model_made_it(tmp_path: Path) -> None:
    columns, notes = ("bicubic", "dense", "original"), {("dense", "b"): "30.10 dB"}
    for item in "ab":
        (tmp_path / "crops" / item).mkdir(parents=True)
        for number, column in enumerate(columns):
            grey = np.full((20, 20), 20000 * number, np.uint16)
            Image.fromarray(grey).save(tmp_path / f"crops/{item}/{column}.png")
    figure = crops_figure(tmp_path / "crops", columns, notes, "Test pictures")
    assert len(figure.axes) == 6
    shown = [float(axes.images[0].get_array().mean()) for axes in figure.axes]
    assert shown == pytest.approx([0, 20000 / 65535, 40000 / 65535] * 2, abs=1e-3)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "", "", "30.10 dB", ""]
    assert_drawn(figure, tmp_path / "crops.png")


def test_of_many_items_crops_show_some(tmp_path: Path) -> None:
    for number in range(MOST + 1):
        (tmp_path / f"{number}").mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{number}/dense.png")
    figure = crops_figure(tmp_path, ["dense"], {}, "")
    assert [axes.get_ylabel() for axes in figure.axes] == ["0", "2", "4", "6", "8"]


def test_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "other.png"):
        save(channels_figure(["first"], [8], [5]), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_the_heat_map_has_a_row_for_each_group_and_what_was_measured() -> None:
    groups = {"first": {"left": [2, 4, 8, 16], "drop": [0.4, 0.2, 0.05, 0.0]},
              "second": {"left": [1, 2], "drop": [0.3, 0.0]}}  # fmt: skip
    axes, bar = sensitivity_figure(groups, MEASURES.quality).axes
    told = [text.get_text() for text in axes.texts]
    assert told[:6] == ["0.012", "0.025", "0.050", "0.125", "0.200", "0.400"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    assert MEASURES.quality.unit in bar.get_ylabel()
