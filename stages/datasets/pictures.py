"""Pictures as luma: reading, resizing, and rounding to what a file can hold."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.errors import UserError

Luma = NDArray[np.float32]

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}

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
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise UserError(f"picture {path} cannot be read: {error.strerror}") from error
    pixels: Any = None
    if not _is_torn_png(data):
        with contextlib.suppress(cv2.error):  # an empty file, or a size beyond all bounds
            pixels = cv2.imdecode(data, flags)
    if pixels is None:
        raise UserError(f"picture {path} cannot be decoded: mend it or take it out of the folder")
    decoded: NDArray[Any] = pixels
    return decoded


def _is_torn_png(data: NDArray[np.uint8]) -> bool:
    """Whether a PNG is damaged: Pillow says it without the line that libpng prints of its own."""
    content = data.tobytes()
    if not content.startswith(b"\x89PNG"):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            Image.open(io.BytesIO(content)).verify()
    except (OSError, SyntaxError):  # either, on a broken chunk
        return True
    except Image.DecompressionBombError:
        return False  # OpenCV has a bound of its own
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
