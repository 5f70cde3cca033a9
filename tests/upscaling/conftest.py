"""Fixtures of these tests: saved models, and frames with detail."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stages import upsample
from stages.networks.build import build_network
from stages.networks.saved import About, save_network
from stages.video.frames import Format, Frame
from stages.video.y4m import save_y4m

SaveModel = Callable[..., Path]
Upsample = Callable[..., str]


@pytest.fixture
def save_model(tmp_path: Path) -> SaveModel:
    """Save what a factory makes, as the pipeline does; returns the folder."""

    def save(factory: str, **arguments: object) -> Path:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        about = About(factory, arguments, (1, 1, 16, 16))
        save_network(folder, build_network(factory, arguments), about)
        return folder

    return save


@pytest.fixture
def repeating(save_model: SaveModel) -> Path:
    """A model that makes every pixel 2 x 2 pixels, so that every output is known."""
    return save_model("torch.nn:Upsample", scale_factor=2)


@pytest.fixture
def command(
    repeating: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Upsample:
    """Run the command with a model that repeats pixels, unless another is named."""

    def call(*arguments: object, model: Path = repeating) -> str:
        words = ["upsample", "--model", str(model), "--trust", "torch.nn", "--device", "cpu"]
        words += map(str, arguments)
        monkeypatch.setattr("sys.argv", words)
        upsample.main()
        return capsys.readouterr().out

    return call


def some_frames(bits: int, count: int = 5, width: int = 54, height: int = 38) -> list[Frame]:
    """Noise over a ramp, within the peak; all bits are used."""
    rng, peak = np.random.default_rng(bits), 255 << (bits - 8)

    def plane(rows: int, columns: int) -> np.ndarray:
        ramp = np.linspace(0.2, 0.8, columns) + rng.normal(0, 0.03, (rows, columns))
        return np.clip(np.rint(peak * ramp), 0, peak).astype(np.uint16)

    halves = height // 2, width // 2
    return [(plane(height, width), plane(*halves), plane(*halves)) for _ in range(count)]


def a_format(bits: int, width: int = 54, height: int = 38) -> Format:
    return Format(width, height, bits, Fraction(30000, 1001))


def write_source(path: Path, bits: int = 8) -> list[Frame]:
    frames, form = some_frames(bits), a_format(bits)
    save_y4m(path, form, frames)
    return frames
