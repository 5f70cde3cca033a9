"""Figures and tables of filters behind codecs show the numbers that were measured."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest

from stages.figures.codec_report import STANDARD, codec_lead, delta_table, standard_table
from stages.figures.codecs import codec_drawings, delta_figure, rate_figure
from stages.figures.theme import save, use_theme
from stages.measuring.rate_distortion import deltas, shown_case

GAINS = {"bicubic": 0.0, "lanczos": 0.1, "dense": 0.6, "pruned": 0.4}
CASES = [(c, m) for c in ("hevc", "vvc") for m in ("low_delay", "random_access")]


def points(**changed: float) -> list[dict[str, str]]:
    """Rows as a CSV file gives them."""
    return [
        {"sequence": sequence, "codec": codec, "mode": mode, "qp": str(qp), "filter": name,
         "rate_kbps": str(2000 / qp**1.5 * (1 + (codec == "hevc"))),
         "psnr_db": str(50 - qp / 2 + gain), "vmaf": str(100 - qp + gain)}
        for sequence in ("coffee", "walk")
        for codec, mode in CASES
        for qp in (22, 27, 32, 37)
        for name, gain in (GAINS | changed).items()
    ]  # fmt: skip


def told(rows: Any) -> list[dict[str, Any]]:
    """Deltas as a CSV file gives them."""
    return [{k: "" if v is None else str(v) for k, v in row.items()} for row in deltas(rows)]


@pytest.fixture(autouse=True)
def _theme() -> Iterator[None]:
    use_theme()
    yield
    plt.close("all")


def test_a_curve_is_drawn_for_every_filter_sequence_and_mode() -> None:
    figure = rate_figure(points(), "vvc")
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "coffee, low delay", "coffee, random access", "walk, low delay", "walk, random access",
    ]  # fmt: skip
    for axes in figure.axes:
        lines = {line.get_label(): line for line in axes.lines}
        assert set(lines) == set(GAINS)
        assert list(lines["dense"].get_ydata()) == [32.1, 34.6, 37.1, 39.6]
        assert list(lines["dense"].get_xdata()) == sorted(lines["dense"].get_xdata())


def test_bars_are_the_mean_deltas() -> None:
    rows = told(points())
    (axes,) = delta_figure(rows).axes
    means = {(r["codec"], r["mode"], r["filter"]): float(r["bd_rate"])
             for r in rows if r["sequence"] == "mean"}  # fmt: skip
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [means[*case, name] for name in ("dense", "pruned") for case in CASES]
    assert next(t.get_text() for t in axes.get_xticklabels()) == "HEVC\nlow delay"


def test_the_table_is_in_the_standards_form() -> None:
    head, rows = standard_table(told(points()))
    assert head[1:] == ["HEVC LD", "VVC LD", "HEVC RA", "VVC RA"]
    assert [row[0] for row in rows[:-1]] == ["lanczos", "dense", "pruned"]
    assert rows[-1][1:] == ["-0.122", "-0.138", "-0.173", "-0.225"]
    assert len(STANDARD) == 4
    assert all(float(cell) < 0 for row in rows for cell in row[1:])
    head, rows = standard_table([r for r in told(points()) if r["codec"] == "vvc"])
    assert rows[0][1] == rows[0][3] == ""


def test_the_lead_says_what_pruning_cost() -> None:
    assert "not less than the 0.01" in codec_lead(told(points()))
    assert ": less than the 0.01" in codec_lead(told(points(pruned=0.59)))
    assert "not known" in codec_lead(told(points(pruned=90)))


def test_where_the_dense_filter_was_selected_nothing_is_said_of_pruning(tmp_path: Path) -> None:
    """Then `codec` writes no rows of a pruned filter."""
    rows = [row for row in told(points()) if row["filter"] != "pruned"]
    lead = codec_lead(rows)
    assert "dense filter, which was selected" in lead
    assert "Pruning" not in lead
    assert "pruned" not in lead
    (axes,) = delta_figure(rows).axes
    assert len(axes.patches) == len(CASES)
    assert "pruned" not in [row[0] for row in standard_table(rows)[1]]


def test_crops_are_named_by_what_they_are_of(tmp_path: Path) -> None:
    write_crops(tmp_path / "crops")
    drawing = codec_drawings(points(), told(points()), tmp_path / "crops")["coded_crops"]
    for text in (drawing.caption, drawing.figure.get_suptitle()):
        assert "HEVC, random access, QP 32" in text
    assert shown_case(["vvc"], ["low_delay"], [47, 22, 42]) == ("vvc", "low_delay", 42)
    dense = [row for row in points() if row["filter"] != "pruned"]
    figure = codec_drawings(dense, told(dense), tmp_path / "crops")["coded_crops"].figure
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["bicubic", "dense", "original"]


def test_the_legend_is_off_the_bars() -> None:
    figure = delta_figure(told(points()))
    assert [axes.get_legend() for axes in figure.axes] == [None]
    (legend,) = figure.legends
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_all_sequences_are_told_and_the_mean_comes_last() -> None:
    _, rows = delta_table(told(points()))
    assert [row[0] for row in rows] == ["coffee"] * 12 + ["walk"] * 12 + ["mean"] * 12
    _, unknown = delta_table(told(points(pruned=90)))
    assert [row[4] for row in unknown if row[3] == "pruned"] == [""] * 12


def write_crops(folder: Path) -> None:
    for name in ("bicubic", "dense", "pruned", "original"):
        for sequence in ("coffee", "walk"):
            path = folder / sequence / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((20, 20), 90, np.uint8))


def test_every_figure_can_be_saved(tmp_path: Path) -> None:
    write_crops(tmp_path / "crops")
    drawings = codec_drawings(points(), told(points(pruned=90)), tmp_path / "crops")
    assert set(drawings) == {"rate_hevc", "rate_vvc", "bd_rate", "coded_crops"}
    for name, drawing in drawings.items():
        save(drawing.figure, tmp_path / f"{name}.png")
        assert drawing.caption.endswith(".")
