"""Finding how far a network looks: values that are no numbers spread through all that reads them.

That holds for any operator and any weights, so nothing needs to be known of the network.
"""

from fractions import Fraction

import torch
from torch import Tensor, nn

from stages.errors import UserError
from stages.inference.upsampling import run
from stages.upscaling.tiles import NoTilesError, Ratio, Reach, over_tiles

# Tiles start at multiples of one of these: strides of powers of two, then windows of 24, 7 and 14.
ALIGNMENTS = (16, 32, 64, 24, 56)
LENGTH = 512  # of the strips on which it is seen, in pixels: half of it is as far as a margin goes
SAME = 1e-4  # relative error above which tiles do not give the whole frame's result


def reach_of(network: nn.Module, scale: int, original: nn.Module | None = None) -> Reach:
    """How far a network looks, proven on a frame of noise.

    Means over all positions count as known: `over_tiles` puts them in place. In other runtimes
    values that are no numbers may get lost, so there they spread in the `original`, in PyTorch.

    Raises:
        NoTilesError: if it looks at the whole frame at once, or tiles give another result.
    """
    with torch.backends.cudnn.flags(enabled=False):  # its transforms spread farther than they read
        for alignment in ALIGNMENTS:
            try:
                reach = _spread(original or network, scale, alignment)
                if reach is not None:
                    _prove(network, scale, reach)
            except UserError as error:
                reason = error
                continue
            if reach is None:
                raise NoTilesError("it looks at the whole frame at once")
            return reach
    raise reason if isinstance(reason, NoTilesError) else NoTilesError(str(reason))


def _spread(network: nn.Module, scale: int, alignment: int) -> Reach | None:
    """The reach as it is seen on strips, or None where it goes to their ends.

    They are long from the start: what reads far away, and nothing between, would jump over the
    ends of short ones.
    """
    found = [_along(network, scale, alignment, axis) for axis in (2, 3)]
    margins = [margin for margin, _ in found if margin is not None]
    if len(margins) < len(found):
        return None
    if found[0][1] != found[1][1]:
        raise NoTilesError("what it averages does not grow with the frame")
    return Reach(-(-max(margins) // alignment) * alignment, alignment, tuple(found[0][1]))


def _along(
    network: nn.Module, scale: int, alignment: int, axis: int
) -> tuple[int | None, list[Ratio | None]]:
    """How far a spoilt block spreads along an axis (None: to the end), and the means on the way.

    A narrow strip does, and spares memory where positions attend to each other.
    """
    start, means = LENGTH // (2 * alignment) * alignment, list[Ratio | None]()
    shape = [1, 1, 2 * alignment, 2 * alignment]
    shape[axis] = 2 * start
    luma = _noise(shape)
    luma.narrow(axis, start, alignment).fill_(torch.nan)

    def take(number: int, tensor: Tensor) -> Tensor | None:
        if not tensor.isnan().any():
            means.append(None)
            return None
        means.append((Fraction(tensor.shape[2], shape[2]), Fraction(tensor.shape[3], shape[3])))
        return tensor.nanmean((2, 3))

    spoilt = run(network, luma, scale, take).isnan().any(dim=5 - axis).flatten().nonzero()
    if not len(spoilt):
        return 0, means
    first, last = int(spoilt[0]), int(spoilt[-1])
    if first == 0 or last == 2 * scale * start - 1:
        return None, means
    return max(start - first // scale, last // scale + 1 - start - alignment, 0), means


def _prove(network: nn.Module, scale: int, reach: Reach) -> None:
    """Compare tiles with a whole frame; the second tile starts at an odd multiple of alignment."""
    tile, multiple = reach.margin + reach.alignment, 4 * reach.alignment
    side = -(-2 * tile // multiple) * multiple
    luma = _noise([1, 1, side, side])
    whole = run(network, luma, scale)
    tiled = over_tiles(network, luma, scale, tile, reach)
    error = float((tiled - whole).abs().max() / whole.abs().max().clamp(min=1e-12))
    if not error <= SAME:
        raise NoTilesError(f"on a frame of noise they are off by {error:.1e} of the largest value")


def _noise(shape: list[int]) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))
