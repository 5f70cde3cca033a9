"""Up-sampling of luma: patches, Charbonnier loss, Y-PSNR of whole pictures."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from stages import artifacts
from stages.datasets.upsampling.reading import read_pairs
from stages.datasets.upsampling.samples import Picture
from stages.inference.upsampling import upsample
from stages.settings import Settings
from stages.tasks.task import CostShapes, Fit
from stages.tasks.upsampling.measures import MEASURES
from stages.tasks.upsampling.quality import mean_psnr_db
from stages.tasks.upsampling.samples import PatchSamples

CHARBONNIER_EPSILON = 1e-3


class Upsampling:
    """Low-resolution luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W)."""

    quality = MEASURES.quality
    allows_new_head = False
    example_shape: tuple[int, ...] = (1, 1, 16, 16)

    def __init__(self, settings: Settings):
        self.seed, self.scale = settings.seed, settings.data.upsampling.scale
        self.batches = settings.batches.upsampling
        self.batch_size = self.batches.batch
        self.evaluation = settings.evaluation.upsampling

    @property
    def cost_shapes(self) -> CostShapes:
        costs = self.evaluation
        return CostShapes(
            (1, 1, *costs.macs_frame), (1, 1, *costs.latency_frame), costs.latency_runs
        )

    def factory_arguments(self) -> dict[str, Any]:
        return {"scale": self.scale}

    @property
    def fit(self) -> Fit:
        shape = self.example_shape
        larger = (*shape[:2], *(self.scale * side for side in shape[2:]))
        return Fit(shape, larger, f"data.upsampling.scale {self.scale} needs")

    def samples(self, count: int, phase: str) -> PatchSamples:
        return PatchSamples(
            read_pairs(artifacts.PREPARED, "train"), self.batches, count, (self.seed, phase)
        )

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Charbonnier: the mean of sqrt(difference^2 + epsilon^2) (Lai et al., CVPR 2017)."""
        return torch.sqrt((output - target) ** 2 + CHARBONNIER_EPSILON**2).mean()

    def validate(self, network: nn.Module, every: int = 1) -> float:
        """Mean Y-PSNR in dB over the validation pictures, or some of them."""
        pairs = self._validation[::every]
        made = [upsample(network, pair, self.scale) for pair in pairs]
        return mean_psnr_db(made, pairs, self.scale)

    @cached_property
    def _validation(self) -> list[Picture]:
        return read_pairs(artifacts.PREPARED, "validation")


InUse = Upsampling  # what `task_of` looks for
