"""Test pictures: quality of every network and of bicubic, and crops of what they make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from stages import artifacts
from stages.datasets.pictures import Luma
from stages.datasets.upsampling.reading import read_pairs
from stages.datasets.upsampling.samples import CLEAN, Picture, coding_name
from stages.inference.upsampling import upsample
from stages.settings import Settings
from stages.tasks.upsampling.measures import MEASURES
from stages.tasks.upsampling.quality import psnr_db, ssim
from stages.testing.upsampling.baseline import Bicubic
from stages.testing.upsampling.crops import write_crops


class HeldOutPictures:
    """The test pictures, clean and coded."""

    def __init__(self, settings: Settings):
        self.scale, self.bicubic = settings.data.upsampling.scale, Bicubic(settings)
        coded = settings.data.upsampling.coded
        self.shown = CLEAN if coded.clean else coding_name(coded.codec, coded.qps[0])

    def rows(self, networks: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for pair in read_pairs(artifacts.PREPARED, "test"):
            for name, luma in self._made(networks, pair).items():
                psnr = psnr_db(luma, pair.high, border=self.scale)
                similarity = ssim(luma, pair.high, border=self.scale)
                row = {"model": name, "item": pair.name, "coding": pair.coding}
                rows.append({**row, "psnr_db": psnr, "ssim": similarity})
        return rows

    def show(self, networks: Mapping[str, nn.Module], folder: Path) -> None:
        """Write `CODING/NAME/MODEL.png` of one coding: none, if there are such test pictures.

        Each is the crop where the original has most detail.
        """
        for pair in read_pairs(artifacts.PREPARED, "test"):
            if pair.coding == self.shown:
                made = self._made(networks, pair) | {"original": pair.high}
                write_crops(folder / self.shown, pair, made)

    def _made(self, networks: Mapping[str, nn.Module], pair: Picture) -> dict[str, Luma]:
        """What bicubic and every network make of a pair."""
        made = {MEASURES.baseline: self.bicubic.enlarge(pair)}
        return made | {name: upsample(net, pair, self.scale) for name, net in networks.items()}


InUse = HeldOutPictures  # what `held_out_of` looks for
