"""Frames of 4:2:0 video as planes, and luma as the networks take it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.datasets.pictures import Luma
from stages.errors import UserError

Plane = NDArray[np.uint16]
Frame = tuple[Plane, Plane, Plane]  # Y (H, W), U and V (H/2, W/2)

BITS = (8, 10)


@dataclass(frozen=True)
class Format:
    """Size of a frame's luma in pixels, bits per sample (8 or 10), frames per second.

    Raises:
        UserError: if a side is odd, which 4:2:0 has no chroma for.
    """

    width: int
    height: int
    bits: int
    rate: Fraction

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2:
            raise UserError(
                f"frames are {self.width} x {self.height}: 4:2:0 needs even sides; cut them first"
            )

    @property
    def peak(self) -> int:
        """What a sample of 255 at 8 bits is at these bits."""
        return 255 << (self.bits - 8)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.bits == 8 else "<u2")

    @property
    def frame_bytes(self) -> int:
        return self.width * self.height * 3 // 2 * self.dtype.itemsize


def from_bytes(content: bytes, form: Format) -> Frame:
    """The planes of one frame, as they lie in a raw file."""
    samples = np.frombuffer(content, form.dtype).astype(np.uint16)
    luma, chroma = form.width * form.height, form.width * form.height // 4
    halves = form.height // 2, form.width // 2
    return (
        samples[:luma].reshape(form.height, form.width),
        samples[luma : luma + chroma].reshape(halves),
        samples[luma + chroma :].reshape(halves),
    )


def to_bytes(frame: Frame, form: Format) -> bytes:
    """What `from_bytes` reads."""
    return b"".join(plane.astype(form.dtype).tobytes() for plane in frame)


def as_fractions(plane: Plane, form: Format) -> Luma:
    """Samples as fractions of the peak; with 10 bits, three of them lie above 1."""
    values: Luma = plane.astype(np.float32) / np.float32(form.peak)
    return values


def as_samples(values: Luma, form: Format) -> Plane:
    """Fractions of the peak as samples, rounded and kept in range."""
    samples: Plane = np.clip(np.rint(values * form.peak), 0, 2**form.bits - 1).astype(np.uint16)
    return samples


def in_bits(frame: Frame, before: Format, after: Format) -> Frame:
    """The same frame with at least as many bits: exact."""
    factor = np.uint16(1 << (after.bits - before.bits))
    return frame[0] * factor, frame[1] * factor, frame[2] * factor
