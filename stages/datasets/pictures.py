"""Pictures as luma: reading, resizing, and rounding to what a file can hold."""

import contextlib
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from stages.errors import UserError

Luma = NDArray[np.float32]

LARGEST = 2**27  # pixels of a picture, 11,585 x 11,585: while it becomes luma it takes some 5 GB
LARGEST_FILE = 10 * LARGEST  # bytes: four channels of 16 bits take 8 a pixel, uncompressed
Image.MAX_IMAGE_PIXELS = None  # `LARGEST` stands in its place

FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}

# ITU-R BT.601 luma, full range (as in JPEG), in the order that OpenCV reads: blue, green, red.
BGR_TO_LUMA = np.array([0.114, 0.587, 0.299])


def read_luma(path: Path) -> tuple[Luma, int]:
    """Read a PNG, JPEG or TIFF file of 8 or 16 bits per channel; returns its luma and its bits.

    Raises:
        UserError: if it cannot be decoded or has another depth.
    """
    pixels = decode_file(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(f"picture {path} holds {pixels.dtype}: give 8 or 16 bits per channel")
    bits = 8 * pixels.dtype.itemsize
    return on_grid((pixels @ BGR_TO_LUMA) / (2**bits - 1), bits), bits


def read_pixels(path: Path, channels: int | None) -> NDArray[np.uint8]:
    """Read a picture of 8 bits as (H, W) grey or (H, W, 3) red, green, blue; `None`: as it is.

    Raises:
        UserError: if it cannot be decoded or has another depth.
    """
    flags = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR, None: cv2.IMREAD_UNCHANGED}
    depth = 0 if channels is None else cv2.IMREAD_ANYDEPTH
    pixels: NDArray[np.uint8] = decode_file(path, flags[channels] | depth)
    if pixels.dtype != np.uint8:
        raise UserError(f"picture {path} holds {pixels.dtype}: give 8 bits per channel")
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, 2::-1])


def read_colours(path: Path) -> NDArray[np.uint8]:
    """Read a picture of any depth as (H, W, 3) red, green, blue of 8 bits.

    Raises:
        UserError: if it cannot be decoded.
    """
    pixels: NDArray[np.uint8] = decode_file(path, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(pixels[:, :, ::-1])


def write_pixels(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (H, W) grey or (H, W, 3) red, green, blue as a PNG of 8 bits."""
    write_png(path, pixels if pixels.ndim == 2 else pixels[:, :, ::-1])


def decode_file(path: Path, flags: int) -> NDArray[Any]:
    """What OpenCV reads of a picture with its `flags`.

    Raises:
        UserError: if it cannot be read or decoded.
    """
    # OpenCV reports a broken file on stderr in its own words; the error below says it once.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    pixels: Any = None
    with opened(path) as (file, head):
        if not _is_torn_png(file, head):
            file.seek(0)
            with contextlib.suppress(cv2.error):  # an empty file, or a size beyond all bounds
                pixels = cv2.imdecode(np.fromfile(file, dtype=np.uint8), flags)
    if pixels is None:
        raise UserError(f"picture {path} cannot be decoded: mend it or take it out of the folder")
    decoded: NDArray[Any] = pixels
    return decoded


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], Image.Image | None]]:
    """A picture's file, and its head as Pillow reads it; None where Pillow cannot.

    Raises:
        UserError: if it is no file, cannot be read, or is too large.
    """
    refuse_irregular(path)
    try:
        with path.open("rb") as file:
            head = _head(file)
            width, height = head.size if head else _tiff_sides(file)
            length = os.fstat(file.fileno()).st_size
            if width * height > LARGEST or length > LARGEST_FILE:
                raise UserError(
                    f"picture {path} is too large ({height} x {width} pixels, {length:,} bytes): "
                    f"at most {LARGEST:,} pixels are read; make it smaller or cut it into several"
                )
            yield file, head
    except OSError as error:
        raise UserError(f"picture {path} cannot be read: {error.strerror or error}") from error


def refuse_irregular(path: Path) -> None:
    """Refuse what is no file: reading a pipe or a device may never end.

    Raises:
        UserError: naming it.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is no file but a pipe, a device or a folder: take it away")


def _head(file: IO[bytes]) -> Image.Image | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return Image.open(file)
    except Exception:  # a damaged file raises almost anything, and OpenCV reads more kinds
        return None


def _tiff_sides(file: IO[bytes]) -> tuple[int, int]:
    """Width and height of a TIFF, of whatever kind its samples are; 0 of any other file."""
    try:
        file.seek(0)
        start = file.read(8)
        start += file.read(8) if 43 in start[2:4] else b""  # BigTIFF
        tags = ImageFileDirectory_v2(start)
        file.seek(tags.next)
        with warnings.catch_warnings(action="ignore"):
            tags.load(file)
        return int(tags[256]), int(tags[257])
    except Exception:  # as above
        return 0, 0


def _is_torn_png(file: IO[bytes], head: Image.Image | None) -> bool:
    """Whether a PNG is damaged: Pillow says it without the line that libpng prints of its own."""
    if head is None:
        file.seek(0)
        return file.read(4) == b"\x89PNG"
    try:
        if head.format == "PNG":
            head.verify()
    except (OSError, SyntaxError):  # either, on a broken chunk
        return True
    return False


def on_grid(values: NDArray[np.floating], bits: int) -> Luma:
    """Clip to [0, 1] and round to the levels of `bits` bits, as any stored picture is."""
    levels = 2**bits - 1
    rounded: Luma = (np.rint(np.clip(values, 0, 1) * levels) / levels).astype(np.float32)
    return rounded


def resize(luma: Luma, height: int, width: int, kernel: str) -> Luma:
    """Resize with Pillow's filters (bicubic with a = -0.5), widened when shrinking; not rounded."""
    image = Image.fromarray(luma).resize((width, height), FILTERS[kernel])
    return np.asarray(image, dtype=np.float32)


def write_luma(path: Path, luma: Luma, bits: int) -> None:
    """Write a grey PNG of 8 or 16 bits, without loss for values on that grid."""
    dtype = np.uint16 if bits > 8 else np.uint8
    levels = 2 ** (16 if bits > 8 else 8) - 1
    write_png(path, np.rint(luma * levels).astype(dtype))


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write pixels, as OpenCV orders colours, in their own depth."""
    done, buffer = cv2.imencode(".png", pixels)
    if not done:
        raise OSError(f"cannot encode {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer.tofile(path)
