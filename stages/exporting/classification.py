"""An exported classifier: it standardises its inputs itself."""

from typing import Any

import torch
from torch import Tensor, nn

from stages import artifacts
from stages.settings import Settings


class Standardising(nn.Module):
    """A classifier after standardisation, (x - mean) / deviation by channel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, deviation: Tensor):
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.network((x - self.mean) / self.deviation)
        return output


class SampleConsumer:
    """Hands samples over as the data have them: channels first, pictures in [0, 1]."""

    dynamic_axes = (0,)

    def __init__(self, settings: Settings):
        self.about = artifacts.read_json(artifacts.PREPARED / artifacts.DESCRIPTION)
        self.in_use = (settings.evaluation.classification.latency_batch, *self.about["shape"])
        by_channel = (-1, *([1] * (len(self.about["shape"]) - 1)))
        self.mean, self.deviation = (
            torch.tensor(self.about[name], dtype=torch.float32).reshape(by_channel)
            for name in ("mean", "deviation")
        )

    def wrapped(self, network: nn.Module) -> nn.Module:
        return Standardising(network, self.mean, self.deviation)

    def raw(self, inputs: Tensor) -> Tensor:
        return inputs.cpu() * self.deviation + self.mean

    def values(self, shape: tuple[int, ...]) -> Tensor:
        return self.raw(torch.randn(shape, generator=torch.Generator().manual_seed(0)))

    def facts(self) -> dict[str, Any]:
        named = {name: self.about[name] for name in ("classes", "mean", "deviation")}
        return {
            "task": "classification",
            "input": f"samples (batch, {', '.join(map(str, self.about['shape']))}), float32, as "
            "the data have them (pictures in [0, 1]): they are standardised inside",
            "output": "scores (batch, classes); the highest is the class",
            **named,
        }


InUse = SampleConsumer  # what `consumer_of` looks for
