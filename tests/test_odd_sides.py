"""Pictures with odd sides: pairs keep them unless they are coded; sequences are always even."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import artifacts, prepare
from stages.datasets.upsampling.reading import read_pairs
from stages.video.sequences import read_sequences
from tests.test_sources import save, texture

SIDES = {2: (270, 303), 3: (201, 310), 4: (260, 333)}  # of the pictures, by scale
LOW = {2: (135, 151), 3: (67, 103), 4: (65, 83)}  # of what is made of them


def prepare_odd(folder: Path, tree: dict[str, Any], write_params: Any, scale: int) -> None:
    for part in ("train", "validation", "test"):
        save(folder / f"own/{part}/{part}.png", *SIDES[scale])
    tree["data"]["folder"] = str(folder / "own")
    tree["data"]["upsampling"]["scale"] = scale
    write_params(tree)
    prepare.main()


@pytest.mark.parametrize("scale", SIDES)
def test_without_coding_odd_sides_are_kept(
    tree: dict[str, Any], write_params: Any, workspace: Path, scale: int
) -> None:
    tree["data"]["upsampling"]["coded"]["qps"] = []
    prepare_odd(workspace, tree, write_params, scale)
    for part in ("train", "validation", "test"):
        (pair,) = read_pairs(artifacts.PREPARED, part)
        assert pair.low is not None
        assert (pair.coding, pair.low.shape) == ("clean", LOW[scale])
        whole = texture(*SIDES[scale])[: pair.high.shape[0], : pair.high.shape[1]]
        assert pair.high.shape == tuple(scale * side for side in LOW[scale])
        assert np.abs(pair.high - whole).max() <= 1 / 255
    (sequence,) = read_sequences(artifacts.SEQUENCES)
    for frames in (sequence.low(), sequence.original()):
        luma, *chroma = frames[0]
        assert [tuple(2 * side for side in plane.shape) for plane in chroma] == [luma.shape] * 2


def test_coding_cuts_them_to_even(tree: dict[str, Any], write_params: Any, workspace: Path) -> None:
    prepare_odd(workspace, tree, write_params, 2)
    pairs = read_pairs(artifacts.PREPARED, "test")
    assert [pair.low.shape for pair in pairs if pair.low is not None] == [(134, 150)] * 2
