"""Folders of pictures made larger: luma by a network, chroma by bicubic."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stages.datasets.picture_files import look_through, picture_files
from stages.datasets.pictures import BGR_TO_LUMA, Luma, decode_file, resize, write_png
from stages.errors import UserError
from stages.upscaling.enlarger import Enlarger

Pixels = NDArray[Any]  # (H, W) grey or (H, W, 3) blue, green, red; 8 or 16 bits unsigned


def picture_names(folder: Path) -> list[Path]:
    """Pictures of a folder and those in it, by their paths in it.

    Raises:
        UserError: if there is none, one cannot be opened, or what is made of two would have the
            same name.
    """
    paths = picture_files(folder, "folder")
    names = [path.relative_to(folder) for path in paths]
    _refuse_doubles(folder, names)
    look_through(paths)
    return names


def _refuse_doubles(folder: Path, names: Sequence[Path]) -> None:
    counts = Counter(name.with_suffix("") for name in names)
    for name in names:
        if counts[name.with_suffix("")] > 1:
            raise UserError(f"folder {folder} holds {name} with several suffixes: rename one")


def enlarge_picture(source: Path, target: Path, enlarger: Enlarger) -> None:
    """Write what is made of a picture as a PNG of as many bits; transparency is left out.

    Raises:
        UserError: if it cannot be decoded or has neither 8 nor 16 bits, or the network fails.
    """
    pixels = decode_file(source, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(f"picture {source} holds {pixels.dtype}: give 8 or 16 bits per channel")
    write_png(target, enlarged_pixels(pixels, enlarger))


def enlarged_pixels(pixels: Pixels, enlarger: Enlarger) -> Pixels:
    """Pixels `scale` times larger each way; between, nothing is rounded."""
    peak = np.iinfo(pixels.dtype).max
    values = pixels.astype(np.float32) / np.float32(peak)
    made = _of_luma(values, enlarger) if values.ndim == 2 else _of_colours(values, enlarger)
    rounded: Pixels = np.rint(np.clip(made, 0, 1) * peak).astype(pixels.dtype)
    return rounded


def _of_luma(luma: Luma, enlarger: Enlarger) -> Luma:
    made: Luma = enlarger.enlarge(torch.from_numpy(luma)[None, None])[0, 0].numpy()
    return made


def _of_colours(values: Luma, enlarger: Enlarger) -> Luma:
    """Differences from luma are chroma but for a factor, which an interpolation lets through."""
    blue, green, red = (values[:, :, channel] for channel in range(3))
    of_blue, of_green, of_red = BGR_TO_LUMA.astype(np.float32)
    luma = of_red * red + of_green * green + of_blue * blue
    height, width = (enlarger.scale * side for side in luma.shape)
    bluer, redder = (resize(c - luma, height, width, "bicubic") for c in (blue, red))
    made = _of_luma(luma, enlarger)
    greener = -(of_blue * bluer + of_red * redder) / of_green
    return np.stack([made + bluer, made + greener, made + redder], axis=2)
