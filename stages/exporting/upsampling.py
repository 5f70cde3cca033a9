"""An exported up-sampling network: luma as it is."""

from typing import Any

import torch
from torch import Tensor, nn

from stages import artifacts
from stages.settings import Settings


class LumaConsumer:
    """Hands luma over."""

    dynamic_axes = (0, 2, 3)

    def __init__(self, settings: Settings):
        self.scale = settings.data.upsampling.scale
        self.in_use = (1, 1, *settings.evaluation.upsampling.latency_frame)

    def wrapped(self, network: nn.Module) -> nn.Module:
        return network

    def raw(self, inputs: Tensor) -> Tensor:
        return inputs

    def values(self, shape: tuple[int, ...]) -> Tensor:
        return torch.rand(shape, generator=torch.Generator().manual_seed(0))

    def facts(self) -> dict[str, Any]:
        parts = artifacts.read_json(artifacts.PREPARED / artifacts.DESCRIPTION)["parts"]
        bits = {b for part in parts.values() for one in part.values() for b in one["bits"].values()}
        side = f"{self.scale} x"
        return {
            "task": "upsampling",
            "scale": self.scale,
            "input": "luma (batch, 1, height, width), float32",
            "output": f"luma (batch, 1, {side} height, {side} width), float32, to be clipped to "
            "[0, 1] and rounded to the picture's bits",
            "luma": "BT.601, full range, [0, 1]",
            "bits": sorted(bits),
        }


InUse = LumaConsumer  # what `consumer_of` looks for
