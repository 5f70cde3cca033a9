"""Frames cut to a size that can be halved, and made smaller or larger plane by plane."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stages.datasets.pictures import resize
from stages.errors import UserError
from stages.video.frames import Format, Frame, Plane, as_fractions, as_samples

SMALLEST = 64  # side of a low-resolution frame: encoders and VMAF fail on smaller ones


def whole_multiples(form: Format, scale: int, name: str) -> Format:
    """The largest format within `form` that is still 4:2:0 once it is `scale` times smaller.

    Raises:
        UserError: if nothing of a useful size is left.
    """
    cut = 2 * scale
    width, height = form.width // cut * cut, form.height // cut * cut
    if min(width, height) < scale * SMALLEST:
        raise UserError(
            f"video {name} is too small ({form.width} x {form.height}): it needs at least "
            f"{scale * SMALLEST} pixels per side"
        )
    return replace(form, width=width, height=height)


def cut_to(frame: Frame, form: Format) -> Frame:
    """The upper left part of a frame."""
    luma, *chroma = frame
    small = [plane[: form.height // 2, : form.width // 2] for plane in chroma]
    return luma[: form.height, : form.width], small[0], small[1]


def resized_format(form: Format, numerator: int, denominator: int) -> Format:
    """The same with other sides."""
    width, height = (n * numerator // denominator for n in (form.width, form.height))
    return replace(form, width=width, height=height)


def shrunk(frames: Iterable[Frame], form: Format, scale: int, kernel: str) -> Iterator[Frame]:
    """Frames `scale` times smaller each way, by a filter of `FILTERS`, in the same bits."""
    small = resized_format(form, 1, scale)
    for luma, *chroma in frames:
        planes = [resized(plane, form, 1 / scale, kernel) for plane in (luma, *chroma)]
        assert planes[0].shape == (small.height, small.width)
        yield planes[0], planes[1], planes[2]


def resized(plane: Plane, form: Format, factor: float, kernel: str) -> Plane:
    """A plane with sides `factor` times as long, in the same bits."""
    height, width = (round(side * factor) for side in plane.shape)
    return as_samples(resize(as_fractions(plane, form), height, width, kernel), form)
