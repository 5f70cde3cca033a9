"""Quality of luma against its original."""

from collections.abc import Sequence

import numpy as np

from stages.datasets.pictures import Luma
from stages.datasets.upsampling.samples import Picture


def mean_psnr_db(made: Sequence[Luma], pairs: Sequence[Picture], border: int) -> float:
    """Mean Y-PSNR in dB of what was made of pairs, `border` pixels left out."""
    values = [psnr_db(luma, pair.high, border) for luma, pair in zip(made, pairs, strict=True)]
    return float(np.mean(values))


def psnr_db(luma: Luma, original: Luma, border: int = 0) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W) arrays in [0, 1], `border` pixels left out.

    Equal pictures give 100 dB, so that a mean stays finite.
    """
    inner = slice(border, -border or None)
    difference = luma[inner, inner].astype(np.float64) - original[inner, inner]
    error = float(np.mean(difference**2))
    return 100.0 if error < 1e-10 else -10 * float(np.log10(error))


def ssim(luma: Luma, original: Luma, border: int = 0) -> float:
    """Structural similarity (Wang et al., IEEE TIP 2004): Gaussian window, sigma 1.5."""
    from skimage.metrics import structural_similarity

    inner = slice(border, -border or None)
    return float(
        structural_similarity(
            luma[inner, inner],
            original[inner, inner],
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
