"""Up-sampling of luma: Charbonnier loss, Y-PSNR, bicubic as the baseline."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages import artifacts
from stages.enlarging.running import run
from stages.settings import Settings
from stages.sources.pictures import CLEAN, Luma, Picture, on_grid, resize
from stages.sources.prepared import read_pairs, write_pairs
from stages.tasks.behind_codecs import BehindCodecs
from stages.tasks.crops import write_crops
from stages.tasks.fit import refuse_misfit
from stages.tasks.patches import PatchSamples
from stages.tasks.picture_quality import psnr_db, ssim
from stages.tasks.task import Drawing, Frames, Quality, Rows, Table
from stages.video.stills import coding_name

CHARBONNIER_EPSILON = 1e-3


class Upsampling:
    """Low-resolution luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W)."""

    quality = Quality("psnr_db", "Y-PSNR", "dB", higher_is_better=True)
    baseline_name = "bicubic"
    metrics = ("psnr_db", "ssim")
    free_axes = (0, 2, 3)
    new_head = False
    example_shape: tuple[int, ...] = (1, 1, 16, 16)

    def __init__(self, settings: Settings):
        self.seed, self.data = settings.seed, settings.data.upsampling
        self.video = BehindCodecs(settings)
        self.batches = settings.batches.upsampling
        self.batch_size = self.batches.size
        asked = settings.evaluation.upsampling
        self.frames = Frames(
            (1, 1, *asked.macs_frame), (1, 1, *asked.latency_frame), asked.latency_runs
        )

    def offers(self) -> dict[str, Any]:
        return {"scale": self.data.scale}

    def prepare(self, folder: Path) -> str:
        data = self.data
        about = data.model_dump(mode="json", include={"scale", "filter", "coded"})
        counts = write_pairs(folder, self.video.material.pairs(), about)
        told = ", ".join(f"{count} {part}" for part, count in counts.items())
        return f"{told} pairs, made {data.scale} times smaller by {data.filter}"

    def check(self, network: nn.Module) -> None:
        shape, scale = self.example_shape, self.data.scale
        wanted = (*shape[:2], *(scale * side for side in shape[2:]))
        refuse_misfit(network, shape, wanted, f"data.upsampling.scale {scale} needs")

    def samples(self, count: int, phase: str) -> PatchSamples:
        return PatchSamples(
            read_pairs(artifacts.PREPARED, "train"), self.batches, count, (self.seed, phase)
        )

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        """Charbonnier: the mean of sqrt(difference^2 + epsilon^2) (Lai et al., CVPR 2017)."""
        return torch.sqrt((output - wanted) ** 2 + CHARBONNIER_EPSILON**2).mean()

    def validate(self, network: nn.Module) -> float:
        """Mean Y-PSNR in dB over the validation pictures."""
        return self._mean_psnr_db([self.upsample(network, pair) for pair in self._validation])

    def validate_baseline(self) -> float:
        return self._mean_psnr_db([self.upsample_baseline(pair) for pair in self._validation])

    def test(self, networks: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for pair in read_pairs(artifacts.PREPARED, "test"):
            made = {self.baseline_name: self.upsample_baseline(pair)}
            made |= {name: self.upsample(network, pair) for name, network in networks.items()}
            for name, luma in made.items():
                psnr = psnr_db(luma, pair.high, border=self.data.scale)
                similarity = ssim(luma, pair.high, border=self.data.scale)
                row = {"model": name, "item": pair.name, "coding": pair.coding}
                rows.append({**row, "psnr_db": psnr, "ssim": similarity})
        return rows

    def show(self, networks: Mapping[str, nn.Module], folder: Path) -> None:
        """Write the crop of every test picture where the original has most detail."""
        for pair in read_pairs(artifacts.PREPARED, "test"):
            if pair.coding != self._shown:
                continue
            made = {self.baseline_name: self.upsample_baseline(pair)}
            made |= {name: self.upsample(network, pair) for name, network in networks.items()}
            write_crops(folder, pair, made | {"original": pair.high})

    def draw(self, rows: Rows, examples: Path) -> dict[str, Drawing]:
        from stages.figures.crops import crops_figure  # imports matplotlib

        quality = self.quality
        notes = {
            (r["model"], r["item"]): f"{float(r[quality.name]):.2f} {quality.unit}"
            for r in rows
            if r["coding"] == self._shown
        }
        columns = (self.baseline_name, "dense", "pruned", "original")
        how = "not coded" if self._shown == CLEAN else f"coded as {self._shown}"
        caption = f"Details of test pictures, {how}; below each, quality over the whole one."
        return {"crops": Drawing(crops_figure(examples, columns, notes), caption)}

    def tables(self, rows: Rows) -> dict[str, Table]:
        """Mean quality of every model by how the low-resolution pictures were coded."""
        codings, models = (list(dict.fromkeys(row[k] for row in rows)) for k in ("coding", "model"))
        if len(codings) < 2:
            return {}
        values = {(m, c): _mean_of(rows, m, c, self.quality.name) for m in models for c in codings}
        table = [[m, *(self.quality.number(values[m, c]) for c in codings)] for m in models]
        return {f"{self.quality.label} on the test part by coding": (["model", *codings], table)}

    def upsample(self, network: nn.Module, pair: Picture) -> Luma:
        """What `network` makes of a pair's low-resolution luma, rounded to the pair's bits."""
        assert pair.low is not None
        output = run(network, torch.from_numpy(pair.low)[None, None], self.data.scale)
        return on_grid(output[0, 0].numpy(), pair.bits)

    def upsample_baseline(self, pair: Picture) -> Luma:
        """Bicubic (a = -0.5) enlargement, rounded to the pair's bits."""
        assert pair.low is not None
        height, width = pair.high.shape
        return on_grid(resize(pair.low, height, width, "bicubic"), pair.bits)

    @property
    def _shown(self) -> str:
        """The coding of the test pictures that figures show: none, if there are such."""
        coded = self.data.coded
        return CLEAN if coded.clean else coding_name(coded.codec, coded.qps[0])

    @cached_property
    def _validation(self) -> list[Picture]:
        return read_pairs(artifacts.PREPARED, "validation")

    def _mean_psnr_db(self, made: list[Luma]) -> float:
        values = [
            psnr_db(luma, pair.high, border=self.data.scale)
            for luma, pair in zip(made, self._validation, strict=True)
        ]
        return float(np.mean(values))


def _mean_of(rows: Rows, model: str, coding: str, metric: str) -> float:
    of_both = [float(r[metric]) for r in rows if (r["model"], r["coding"]) == (model, coding)]
    return sum(of_both) / len(of_both)
