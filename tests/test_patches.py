"""Training patches: where they are cut, that both resolutions agree, how they are varied."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stages.datasets.upsampling.samples import Picture, detail
from stages.settings import UpsamplingBatches
from stages.tasks.upsampling.samples import PatchSamples, cut, vary

SEED = (1, "phase")


def batches(**changes: Any) -> UpsamplingBatches:
    plain = {"batch": 2, "patch": 4, "choose": "random", "rotate": False, "mirror": False}
    return UpsamplingBatches(**(plain | {"noise": 0.0} | changes))


def coded(height: int, width: int, scale: int = 2, first: int = 0) -> Picture:
    """A pair whose every low-resolution pixel is another value, and `high` its enlargement."""
    codes = np.arange(first, first + height * width, dtype=np.float32).reshape(height, width) / 4096
    high = np.kron(codes, np.ones((scale, scale), np.float32))
    return Picture(f"coded{first}", high, 16, codes)


def samples(pairs: list[Picture], count: int = 200, **changes: Any) -> PatchSamples:
    return PatchSamples(pairs, batches(**changes), count, SEED)


def places(made: PatchSamples, width: int) -> set[tuple[int, int]]:
    corners = [round(float(low[0, 0, 0]) * 4096) for low, _ in iterate(made)]
    return {divmod(corner, width) for corner in corners}


def iterate(made: PatchSamples) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [made[index] for index in range(len(made))]


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_sample_depends_on_the_seed_and_its_number_alone() -> None:
    pairs, varied = [coded(9, 11), coded(8, 8, first=99)], {"rotate": True, "noise": 0.1}
    made = PatchSamples(pairs, batches(**varied), 10, SEED)
    forwards = iterate(made)
    backwards = [made[index] for index in reversed(range(10))][::-1]
    longer = PatchSamples(pairs, batches(**varied), 50, SEED)
    loaded = list(DataLoader(made, batch_size=None, num_workers=0))
    torch.manual_seed(7)
    np.random.seed(7)
    for index in range(10):
        for other in (backwards[index], longer[index], loaded[index], made[index]):
            assert same(forwards[index], other)


@pytest.mark.parametrize("seed", [(2, "phase"), (1, "another phase")])
def test_another_seed_or_phase_gives_other_samples(seed: tuple[int, str]) -> None:
    pairs = [coded(20, 20)]
    one, other = PatchSamples(pairs, batches(), 20, SEED), PatchSamples(pairs, batches(), 20, seed)
    differing = sum(not same(one[index], other[index]) for index in range(20))
    assert differing > 15


def test_samples_end() -> None:
    made = samples([coded(8, 8)], count=3)
    assert len(made) == len(list(made)) == 3
    for index in (3, -1):
        with pytest.raises(IndexError):
            made[index]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("varied", [False, True])
def test_both_resolutions_show_the_same_place(scale: int, varied: bool) -> None:
    pairs = [coded(9, 13, scale), coded(7, 6, scale, first=500)]
    for low, high in iterate(samples(pairs, rotate=varied, mirror=varied)):
        assert (low.dtype, low.shape, high.shape) == (
            torch.float32, (1, 4, 4), (1, 4 * scale, 4 * scale),
        )  # fmt: skip
        enlarged = low.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        assert torch.equal(high, enlarged)


def test_every_place_of_every_picture_is_cut() -> None:
    assert places(samples([coded(5, 6)]), 6) == {(y, x) for y in range(2) for x in range(3)}
    both = iterate(samples([coded(5, 6), coded(4, 4, first=100)], count=400))
    seconds = sum(float(low[0, 0, 0]) * 4096 >= 100 for low, _ in both)
    assert 400 / 7 * 0.6 < seconds < 400 / 7 * 1.5  # one of seven places


def test_a_cut_is_at_its_coordinates() -> None:
    pair = coded(9, 13, 3)
    low, high = cut(pair, 2, 5, 4)
    assert low[0, 0] * 4096 == 2 * 13 + 5
    assert np.array_equal(low, pair.low[2:6, 5:9])
    assert np.array_equal(high, pair.high[6:18, 15:27])


@pytest.mark.parametrize(
    ("rotate", "mirror", "count"),
    [(False, False, 1), (False, True, 2), (True, False, 4), (True, True, 8)],
)
def test_patches_are_turned_and_mirrored_as_asked(rotate: bool, mirror: bool, count: int) -> None:
    made = iterate(samples([coded(4, 4)], rotate=rotate, mirror=mirror))  # one place only
    assert len({tuple(low.flatten().tolist()) for low, _ in made}) == count


def test_turning_and_mirroring() -> None:
    patch = np.array([[1, 2], [3, 4]], np.float32)
    assert vary(patch, 0, False).tolist() == [[1, 2], [3, 4]]
    assert vary(patch, 0, True).tolist() == [[2, 1], [4, 3]]
    assert len({vary(patch, turns, m).tobytes() for turns in range(4) for m in (0, 1)}) == 8


def half_textured() -> Picture:
    """The left half of the picture is flat, the right half is not."""
    low = np.full((40, 80), 0.5, np.float32)
    low[:, 40:] = np.random.default_rng(0).random((40, 40), np.float32)
    return Picture("half", np.kron(low, np.ones((2, 2), np.float32)), 16, low)


def share_flat(choose: str) -> float:
    made = iterate(samples([half_textured()], count=1500, choose=choose))
    return float(np.mean([float(low.std()) == 0 for low, _ in made]))


def test_detail_makes_flat_patches_rare_but_not_absent() -> None:
    expected = 37 / 77  # of all columns that a patch of 4 may start in
    assert abs(share_flat("random") - expected) < 0.05
    assert 0 < share_flat("detail") < 0.12


def test_detail_is_the_energy_of_gradients() -> None:
    luma = np.random.default_rng(1).random((12, 15), np.float32)
    vertical, horizontal = np.gradient(luma.astype(float))
    energy = vertical**2 + horizontal**2
    by_hand = np.array([[energy[y : y + 5, x : x + 5].sum() for x in range(11)] for y in range(8)])
    made = detail(luma, 5)
    assert made.shape == (8, 11)
    assert np.allclose(made - made.min(), by_hand - by_hand.min())
    assert (detail(np.full((12, 15), 0.5, np.float32), 5) > 0).all()


def test_noise_touches_low_resolution_alone() -> None:
    flat = Picture(
        "flat", np.full((80, 80), 0.5, np.float32), 8, np.full((40, 40), 0.5, np.float32)
    )
    made = iterate(samples([flat], count=20, patch=32, noise=0.05))
    lows = torch.stack([low for low, _ in made])
    assert abs(float(lows.std()) - 0.05) < 0.005
    assert abs(float(lows.mean()) - 0.5) < 0.005
    assert all(bool((high == 0.5).all()) for _, high in made)
    white = Picture("white", np.ones((8, 8), np.float32), 8, np.ones((4, 4), np.float32))
    noisy = torch.stack([low for low, _ in iterate(samples([white], noise=0.5))])
    assert 0 <= float(noisy.min()) < float(noisy.max()) == 1


def test_without_noise_the_values_are_exact() -> None:
    pair = half_textured()
    known = {float(value) for value in pair.low.flat}
    for low, high in iterate(samples([pair], rotate=True, mirror=True, choose="detail")):
        assert {*low.flatten().tolist(), *high.flatten().tolist()} <= known


def test_a_picture_smaller_than_a_patch_is_refused(refused: Any) -> None:
    assert len(iterate(samples([coded(4, 9)]))) == 200
    with refused("coded7", "3 x 9", "patch"):
        samples([coded(4, 9), coded(3, 9, first=7)])
