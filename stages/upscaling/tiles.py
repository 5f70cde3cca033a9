"""A frame through a network tile by tile, with the result of the whole frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import torch
from torch import Tensor, nn

from stages.errors import UserError
from stages.inference.upsampling import StoppedError, run


class NoTilesError(UserError):
    """A network does not do over tiles what it does over a frame."""

    def __init__(self, reason: str):
        super().__init__(
            f"this network cannot run over tiles: {reason}; frames within one tile go through it "
            "whole (stages.upsample: `--tile 0`)"
        )


Ratio = tuple[Fraction, Fraction]  # height and width of a tensor as multiples of the frame's


@dataclass(frozen=True)
class Reach:
    """How far a network looks, in low-resolution pixels.

    `margin` around a tile decide about it, and tiles start at multiples of `alignment`. `means`
    has an entry per mean over positions that the network takes, in the order in which they run: the
    resolution of what is averaged, or None where it does not depend on the frame's positions.
    """

    margin: int
    alignment: int
    means: tuple[Ratio | None, ...]

    @property
    def over_frame(self) -> tuple[int, ...]:
        """Numbers of the means that only all tiles together give."""
        return tuple(number for number, ratio in enumerate(self.means) if ratio)


@dataclass(frozen=True)
class Span:
    """Rows or columns of a tile: `first` to `last` its own, `start` to `end` with the margin.

    A tile at the frame's border ends there, so that the network's own padding is the same.
    """

    start: int
    first: int
    last: int
    end: int
    length: int  # of the frame

    def own(self, ratio: Fraction) -> slice:
        """Its own part of what the network made of `start` to `end` at a resolution.

        Raises:
            NoTilesError: if its borders lie between two positions there.
        """
        first, last = ((edge - self.start) * ratio for edge in (self.first, self.last))
        if self.last == self.length:  # with whatever the network padded the frame by
            last = Fraction(-1)
        if first.denominator > 1 or last.denominator > 1:
            raise NoTilesError(f"it averages at {ratio} of the frame's resolution")
        return slice(int(first), None if last < 0 else int(last))

    def place(self, scale: int) -> slice:
        """Where its own part is in the larger frame."""
        return slice(scale * self.first, scale * self.last)


def over_tiles(network: nn.Module, luma: Tensor, scale: int, tile: int, reach: Reach) -> Tensor:
    """Luma (N, 1, H, W) to (N, 1, scale*H, scale*W) on the CPU, in tiles of side `tile`.

    The side is cut to a multiple of the alignment. Tiles run once for every mean over the whole
    frame, up to it, and once more for the output.

    Raises:
        UserError: if the network fails.
        NoTilesError: if it does not do what `reach` says of it.
    """
    side = max(1, tile // reach.alignment) * reach.alignment
    height, width = luma.shape[2:]
    tiles = list(product(_spans(height, side, reach.margin), _spans(width, side, reach.margin)))
    known: list[Tensor] = []
    for _ in reach.over_frame:
        known.append(_next_mean(network, luma, scale, tiles, reach, known))
    output = torch.empty(len(luma), 1, scale * height, scale * width)
    larger = Fraction(scale)
    for rows, columns in tiles:
        made = run(network, _cut(luma, rows, columns), scale, _InPlace(reach, known))
        own = made[:, :, rows.own(larger), columns.own(larger)]
        output[:, :, rows.place(scale), columns.place(scale)] = own
    return output


def _spans(length: int, side: int, margin: int) -> Iterator[Span]:
    for first in range(0, length, side):
        last = min(first + side, length)
        yield Span(max(0, first - margin), first, last, min(length, last + margin), length)


def _cut(luma: Tensor, rows: Span, columns: Span) -> Tensor:
    return luma[:, :, rows.start : rows.end, columns.start : columns.end]


def _next_mean(
    network: nn.Module,
    luma: Tensor,
    scale: int,
    tiles: Sequence[tuple[Span, Span]],
    reach: Reach,
    known: Sequence[Tensor],
) -> Tensor:
    """The first mean that is not known yet, (N, C) in float64, over what is each tile's own."""
    ratio = reach.means[reach.over_frame[len(known)]]
    assert ratio is not None
    total, count = torch.zeros((), dtype=torch.float64), 0
    for rows, columns in tiles:
        try:
            run(network, _cut(luma, rows, columns), scale, _InPlace(reach, known))
        except StoppedError as stopped:
            own = stopped.tensor[:, :, rows.own(ratio[0]), columns.own(ratio[1])]
            total = total + own.cpu().sum((2, 3), dtype=torch.float64)
            count += own.shape[2] * own.shape[3]
        else:
            raise NoTilesError("it takes fewer means over tiles than over a frame")
    return total / count


class _InPlace:
    """Puts means that are known in place, and stops the network at the first that is not."""

    def __init__(self, reach: Reach, known: Sequence[Tensor]):
        self.reach, self.known = reach, known
        self.order = {number: place for place, number in enumerate(reach.over_frame)}

    def __call__(self, number: int, tensor: Tensor) -> Tensor | None:
        if number >= len(self.reach.means):
            raise NoTilesError("it takes more means over tiles than over a frame")
        if number not in self.order:
            return None
        if self.order[number] == len(self.known):
            raise StoppedError(tensor)
        return self.known[self.order[number]]
