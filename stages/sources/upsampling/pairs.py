"""Pairs of a target picture and its down-sampled version, as the standard's training uses them."""

from dataclasses import replace

from stages.datasets.pictures import on_grid, resize
from stages.datasets.upsampling.samples import Picture
from stages.errors import UserError

SMALLEST_SIDE = 16  # of a low-resolution picture: below, borders dominate its PSNR


def as_pair(picture: Picture, scale: int, kernel: str, even: bool = False) -> Picture:
    """Return the picture with height and width cut to multiples of `scale`, and its `low` version.

    With `even`, the sides of `low` are even, so that it can be coded as 4:2:0. A given
    low-resolution version is kept; otherwise it is made with the filter `kernel` and rounded to the
    picture's bits, as a decoder would hand it over.

    Raises:
        UserError: if the picture is too small, or a given pair's sizes do not fit `scale`.
    """
    height, width = (side // scale for side in picture.high.shape)
    if even:
        height, width = height // 2 * 2, width // 2 * 2
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"picture {picture.name} is too small ({_size(picture.high.shape)}): "
            f"needs at least {scale * SMALLEST_SIDE} pixels per side"
        )
    if picture.low is not None:
        if picture.high.shape != tuple(scale * side for side in picture.low.shape):
            raise UserError(
                f"pair {picture.name}: high is {_size(picture.high.shape)}, which is not "
                f"{scale} times low ({_size(picture.low.shape)}); see data.upsampling.scale"
            )
        high, low = picture.high[: height * scale, : width * scale], picture.low[:height, :width]
        return replace(picture, high=high, low=low)
    high = picture.high[: height * scale, : width * scale]
    low = on_grid(resize(high, height, width, kernel), picture.bits)
    return replace(picture, high=high, low=low)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} x {shape[1]}"
