"""Bicubic enlargement, the baseline of up-sampling."""

from stages import artifacts
from stages.datasets.pictures import Luma, on_grid, resize
from stages.datasets.upsampling.reading import read_pairs
from stages.datasets.upsampling.samples import Picture
from stages.settings import Settings
from stages.tasks.upsampling.quality import mean_psnr_db


class Bicubic:
    """Bicubic enlargement (a = -0.5) of pairs."""

    def __init__(self, settings: Settings):
        self.scale = settings.data.upsampling.scale

    def enlarge(self, pair: Picture) -> Luma:
        """The enlargement of a pair's low-resolution luma, rounded to the pair's bits."""
        assert pair.low is not None
        height, width = pair.high.shape
        return on_grid(resize(pair.low, height, width, "bicubic"), pair.bits)

    def validate(self) -> float:
        """Mean Y-PSNR in dB over the validation pictures."""
        pairs = read_pairs(artifacts.PREPARED, "validation")
        return mean_psnr_db([self.enlarge(pair) for pair in pairs], pairs, self.scale)


InUse = Bicubic  # what `baseline_of` looks for
