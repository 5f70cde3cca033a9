"""The table of layers, and what is said of depth and type."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from stages.weights.layers import Layer, block_of, explain, layer_table, rank_correlation
from stages.weights.prunable import prunable


class Backwards(nn.Module):
    """Layers that are registered last to first."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)
        self.up = nn.ConvTranspose2d(5, 4, 1)
        self.stem = nn.Conv2d(2, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.up(self.stem(x)).mean(dim=(2, 3)))  # type: ignore[no-any-return]


def table() -> list[Layer]:
    network = Backwards()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1)
        network.stem.weight[1:3] = 0
        network.up.weight[:, 2] = 0
        network.head.weight[0, 0] = 0
    return layer_table(network, list(prunable(network)), torch.zeros(1, 2, 6, 6))


def test_layers_stand_in_the_order_in_which_they_run() -> None:
    assert [layer.layer for layer in table()] == ["stem", "up", "head"]
    assert [layer.depth for layer in table()] == [1, 2, 3]
    assert [layer.type for layer in table()] == ["convolution", "convolution", "linear"]
    assert [layer.block for layer in table()] == ["stem", "up", "head"]


def test_zeros_and_dead_channels_are_counted() -> None:
    stem, up, head = table()
    assert (stem.weights, stem.zeros, stem.channels, stem.dead_channels) == (90, 36, 5, 2)
    assert (up.weights, up.zeros, up.channels, up.dead_channels) == (20, 5, 4, 1)
    assert (head.weights, head.zeros, head.dead_channels) == (12, 1, 0)
    assert stem.sparsity == pytest.approx(0.4)
    assert sum(layer.share_of_zeros for layer in table()) == pytest.approx(1)
    assert stem.share_of_zeros == pytest.approx(36 / 42)


def layer(
    depth: int, sparsity: float, kind: str = "convolution", weights: int = 100, block: str = ""
) -> Layer:
    zeros, name = round(sparsity * weights), f"l{depth}"
    return Layer(depth, name, block or name, kind, weights, zeros, sparsity, 0.1, 8, 0)


def test_a_trend_with_depth_is_told_with_its_p_value() -> None:
    rising = [layer(depth, depth / 10) for depth in range(1, 9)]
    assert "Later layers became sparser (Spearman's rho +1.00, p = 5e-05" in explain(rising)
    falling = [layer(depth, 1 - depth / 10) for depth in range(1, 9)]
    assert "Earlier layers became sparser (Spearman's rho -1.00" in explain(falling)
    mixed = [layer(d, s) for d, s in enumerate([0.5, 0.2, 0.6, 0.4, 0.3, 0.5, 0.45], 1)]
    assert "neither clearly sparser nor denser" in explain(mixed)


def test_few_layers_have_an_exact_p_value() -> None:
    """Of the 24 orders of four layers, two are perfectly sorted."""
    assert rank_correlation([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.9]) == pytest.approx((1, 2 / 24))
    assert "neither" in explain([layer(d, s) for d, s in enumerate([0.1, 0.5, 0.2, 0.4, 0.3], 1)])
    reference = spearmanr(range(8), [3, 1, 2, 5, 4, 8, 6, 7])
    found = rank_correlation(range(8), [3, 1, 2, 5, 4, 8, 6, 7])
    assert found == pytest.approx((reference.statistic, reference.pvalue))


def test_types_are_compared() -> None:
    layers = [layer(d, 0.2 + d / 100) for d in range(1, 7)]
    layers += [layer(d, 0.9 + d / 1000, "linear") for d in range(7, 13)]
    told = explain(layers)
    assert "convolution 0.2" in told
    assert "linear 0.9" in told
    assert "a clear difference" in told


def test_no_rank_test_is_quoted_on_few_layers() -> None:
    few = [layer(depth, depth / 10) for depth in range(1, 5)]
    assert "p = " not in explain(few)
    assert "4 layers are too few" in explain(few)
    assert "p = " in explain([*few, layer(5, 0.5)])
    types = [layer(d, 0.2 + d / 100) for d in range(1, 10)]
    types += [layer(d, 0.9 + d / 1000, "linear") for d in range(10, 14)]
    assert "Mann-Whitney" not in explain(types)
    assert "linear 0.9" in explain(types)
    assert "Mann-Whitney" in explain([*types, layer(14, 0.9, "linear")])


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("layer1.0.downsample.0", "layer1.0"),
        ("features.3", "features"),
        ("features.3.block.1.0", "features.3"),
        ("encoder.layers.encoder_layer_0.mlp.3", "encoder.layers.encoder_layer_0"),
        ("features.denseblock1.denselayer2.conv1", "features.denseblock1"),
        ("stem.0", "stem"),
        ("conv1", "conv1"),
        ("fc", "fc"),
    ],
)
def test_a_layer_is_of_the_block_that_its_name_says(name: str, block: str) -> None:
    assert block_of(name) == block


def test_sparsity_is_told_by_block() -> None:
    layers = [layer(d, 0.1, block="blocks.0") for d in (1, 2)]
    layers += [layer(3, 0.9, block="blocks.1"), layer(4, 0.6, block="blocks.1", weights=300)]
    told = explain(layers)
    assert "by block (layers), in order of depth: blocks.0 0.100 (2), blocks.1 0.675 (2)" in told
    assert "the sparsest is blocks.1, the densest blocks.0" in told
    assert "by block" not in explain([layer(d, d / 10) for d in range(1, 5)])


def test_too_few_layers_tell_no_trend() -> None:
    assert "no trend" in explain([layer(1, 0.1), layer(2, 0.3)])
    assert "no trend" in explain([layer(depth, 0.5) for depth in range(1, 6)])


def test_layers_without_any_weight_are_named() -> None:
    network = Backwards()
    names = list(prunable(network))
    assert "No weight" not in explain(layer_table(network, names, torch.zeros(1, 2, 6, 6)))
    with torch.no_grad():
        network.up.weight.zero_()
    told = explain(layer_table(network, names, torch.zeros(1, 2, 6, 6)))
    assert told.endswith("No weight is left in up.")
