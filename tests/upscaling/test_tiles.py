"""Tiles give what the whole frame gives, in bounded memory, for any network that can."""

import pytest
import torch
from torch import Tensor, nn

from stages.inference.upsampling import run
from stages.upscaling.enlarger import Enlarger
from stages.upscaling.reach import reach_of
from stages.upscaling.tiles import Reach, over_tiles
from tests.upscaling.comparing import SAME, difference, frame, scale_by
from tests.upscaling.networks import ALL, AVERAGING, seeded

OTHER = 1e-4
SIZES = [(40, 76), (72, 52), (100, 100)]  # multiples of 4, which one of the networks needs, alone


@pytest.fixture(params=ALL)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return seeded(ALL[request.param]())


@pytest.mark.parametrize("tile", [16, 32, 48])
def test_tiles_equal_the_whole_frame(network: nn.Module, tile: int) -> None:
    scale = scale_by(network)
    enlarger = Enlarger(network, scale, tile)
    for size in SIZES:
        luma = frame(*size)
        whole = Enlarger(network, scale).enlarge(luma)
        assert whole.shape == (1, 1, scale * size[0], scale * size[1])
        assert difference(enlarger.enlarge(luma), whole) < SAME


@pytest.mark.parametrize("name", ["drln", "rcan", "espcn", "dilated"])
def test_sides_that_nothing_divides(name: str) -> None:
    network = seeded(ALL[name]())
    scale, luma = scale_by(network), frame(53, 97)
    made = Enlarger(network, scale, 16).enlarge(luma)
    assert difference(made, run(network, luma, scale)) < SAME


def test_a_control_without_overlap_differs(network: nn.Module) -> None:
    scale, luma = scale_by(network), frame(64, 96)
    found = reach_of(network, scale)
    assert found.margin > 0
    alone = over_tiles(network, luma, scale, 32, Reach(0, found.alignment, found.means))
    assert difference(alone, run(network, luma, scale)) > OTHER


@pytest.mark.parametrize("name", AVERAGING)
def test_a_control_with_the_means_of_tiles_differs(name: str) -> None:
    network = seeded(AVERAGING[name]())
    scale, luma = scale_by(network), frame(72, 100)
    found = reach_of(network, scale)
    assert found.over_frame
    own = Reach(found.margin, found.alignment, (None,) * len(found.means))
    assert difference(over_tiles(network, luma, scale, 32, own), run(network, luma, scale)) > OTHER


def test_a_batch_goes_at_once_and_each_frame_keeps_its_own_means(network: nn.Module) -> None:
    scale, luma = (
        scale_by(network),
        frame(72, 52, batch=3) * torch.tensor([1, 0.5, 0.1])[:, None, None, None],
    )
    enlarger = Enlarger(network, scale, 32)
    fed = shapes_fed(network)
    together = enlarger.enlarge(luma)
    assert {shape[0] for shape in fed[-4:]} == {3}
    for number in range(3):
        alone = run(network, luma[number : number + 1], scale)
        assert difference(together[number : number + 1], alone) < SAME


def test_memory_is_bounded_by_the_tile(network: nn.Module) -> None:
    scale = scale_by(network)
    enlarger = Enlarger(network, scale, 32)
    most = 32 + 2 * enlarger.reach.margin
    fed = shapes_fed(network)
    enlarger.enlarge(frame(32, 320))
    assert len(fed) == 10 * (1 + len(enlarger.reach.over_frame))
    assert max(max(shape[2:]) for shape in fed) == most
    fed.clear()
    enlarger.enlarge(frame(32, 28))
    assert fed == [(1, 1, 32, 28)], "a frame no larger than a tile goes whole"


def shapes_fed(network: nn.Module) -> list[tuple[int, ...]]:
    """A list that grows by the shape of every input."""
    shapes: list[tuple[int, ...]] = []
    network.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    return shapes


def test_a_gpu_would_not_round_to_tf32() -> None:
    seen = []

    class Noting(nn.Upsample):
        def forward(self, x: Tensor) -> Tensor:
            seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cudnn.enabled))
            return super().forward(x)

    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.enabled
    run(Noting(scale_factor=2), torch.zeros(1, 1, 4, 4), 2)
    assert seen == [(False, before[1])]
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.enabled) == before
