"""PSNR and SSIM against their definitions and against scikit-image."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from stages.tasks.upsampling.quality import psnr_db, ssim

Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(params=[0.003, 0.05, 0.4])
def pair(request: Any) -> Pair:
    rng = np.random.default_rng(0)
    original = gaussian_filter(rng.random((48, 61)), 1).astype(np.float32)
    noise = request.param * rng.standard_normal(original.shape)
    return np.clip(original + noise, 0, 1).astype(np.float32), original


def by_definition(luma: np.ndarray, original: np.ndarray) -> float:
    """SSIM after Wang et al.: 11 x 11 Gaussian window, K1 = 0.01, K2 = 0.03, borders left out."""
    x, y = luma.astype(float), original.astype(float)

    def mean(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, 1.5, truncate=3.5)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    values = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(values[5:-5, 5:-5].mean())


@pytest.mark.parametrize("border", [0, 1, 4])
def test_psnr_is_that_of_scikit_image(pair: Pair, border: int) -> None:
    luma, original = (side[border : 48 - border, border : 61 - border] for side in pair)
    wanted = peak_signal_noise_ratio(original.astype(float), luma.astype(float), data_range=1)
    assert psnr_db(*pair, border=border) == pytest.approx(wanted, abs=1e-9)


def test_psnr_by_hand() -> None:
    original = np.zeros((10, 10), np.float32)
    assert psnr_db(original + np.float32(0.5), original) == pytest.approx(20 * np.log10(2))
    assert psnr_db(original + np.float32(1), original) == pytest.approx(0)


def test_psnr_of_equal_pictures_is_finite_and_beyond_all_others() -> None:
    original = np.random.default_rng(0).random((20, 20), np.float32)
    off_by_one = original.copy()
    off_by_one[0, 0] += 1 / 65535
    assert psnr_db(original, original) == 100
    assert psnr_db(off_by_one, original) <= 100


@pytest.mark.parametrize("measure", [psnr_db, ssim])
def test_the_border_is_left_out(measure: Any) -> None:
    original = np.random.default_rng(0).random((40, 40), np.float32)
    framed = original.copy()
    framed[:2], framed[-2:], framed[:, :2], framed[:, -2:] = 0, 1, 0, 1
    whole = measure(original, original)
    assert measure(framed, original, border=2) == whole
    assert measure(framed, original, border=1) < whole
    assert measure(framed, original) < whole


@pytest.mark.parametrize("border", [0, 3])
def test_ssim_is_that_of_the_definition_and_of_scikit_image(pair: Pair, border: int) -> None:
    luma, original = (side[border : 48 - border, border : 61 - border] for side in pair)
    given = ssim(*pair, border=border)
    assert given == pytest.approx(by_definition(luma, original), abs=2e-5)
    same_settings = structural_similarity(
        luma,
        original,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert given == pytest.approx(same_settings, abs=1e-6)


def test_ssim_is_one_for_equal_pictures_and_symmetric(pair: Pair) -> None:
    luma, original = pair
    assert ssim(original, original) == pytest.approx(1, abs=1e-6)
    assert ssim(luma, original) < 1
    assert ssim(luma, original) == pytest.approx(ssim(original, luma), abs=1e-6)
