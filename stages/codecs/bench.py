"""Up-sampling filters behind real codecs: what they make of decoded streams."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from stages.codecs.streams import whole_stream
from stages.codecs.vmaf import vmaf
from stages.datasets.pictures import Luma, resize
from stages.datasets.upsampling.samples import Picture
from stages.measuring.rate_distortion import shown_case
from stages.settings import Settings
from stages.tasks.upsampling.quality import psnr_db
from stages.testing.upsampling.crops import write_crops
from stages.upscaling.enlarger import Enlarger
from stages.video.encoders import frames_of, rate_kbps
from stages.video.frames import Format, Frame, Plane, as_fractions, as_samples, in_bits
from stages.video.sequences import VideoSequence, read_sequences
from stages.video.y4m import save_y4m

Lumas = NDArray[np.float32]  # (frames, H, W), fractions of the peak
Filter = Callable[[Lumas], Iterator[Luma]]
TILE = 1024  # side of a low-resolution tile: frames of 960 x 540 go through a network whole
BATCH = 2**17  # low-resolution pixels that go through at once, or a single frame
INTERPOLATIONS = ("bicubic", "lanczos")


@dataclass(frozen=True)
class Stream:
    """A coded sequence: what tables say of it, its frames, and the original in as many bits."""

    columns: Mapping[str, Any]
    form: Format
    lumas: Lumas
    whole: Format
    original: list[Frame]


class Bench:
    """What the `codec` section asks for, over the test sequences of the data."""

    def __init__(self, settings: Settings):
        self.codec, self.scale = settings.codec, settings.data.upsampling.scale

    def measure(
        self, networks: Mapping[str, nn.Module], sequences: Path, coded: Path, crops: Path
    ) -> list[dict[str, Any]]:
        """A row per stream and filter: rate, Y-PSNR and VMAF; and crops at a low rate.

        One sequence is held at a time, as a codec gives it, and what one filter makes of it.
        """
        filters = {kernel: self._interpolation(kernel) for kernel in INTERPOLATIONS}
        filters |= {name: self._through(network) for name, network in networks.items()}
        every = read_sequences(sequences)
        streams = tqdm(self._streams(every, coded), "filters", len(every) * len(self._points()),
                       unit="stream", disable=None)  # fmt: skip
        rows = []
        for stream in streams:
            made, middles = self._judged(stream, filters)
            rows += made
            if self._is_shown(stream):
                _crop(stream, middles, crops)
        return rows

    def _judged(
        self, stream: Stream, filters: Mapping[str, Filter]
    ) -> tuple[list[dict[str, Any]], dict[str, Plane]]:
        """Rows of a stream, and its middle frame as each filter makes it."""
        rows, middles = [], {}
        with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
            original = Path(name) / "original.y4m"
            if self.codec.vmaf:
                save_y4m(original, stream.whole, stream.original)
            scores: dict[str, Future[float]] = {}
            for label, enlarge in filters.items():
                made = [as_samples(luma, stream.form) for luma in enlarge(stream.lumas)]
                middles[label] = made[len(made) // 2]
                rows.append({**stream.columns, "filter": label, "psnr_db": _psnr_db(made, stream)})
                if self.codec.vmaf:
                    path = Path(name) / f"{label}.y4m"
                    pairs = zip(made, stream.original, strict=True)
                    save_y4m(path, stream.whole, ((luma, *frame[1:]) for luma, frame in pairs))
                    scores[label] = pool.submit(vmaf, path, original)
            for row in rows:
                row["vmaf"] = scores[row["filter"]].result() if scores else ""
        return rows, middles

    def _points(self) -> list[tuple[str, str, int]]:
        return list(product(self.codec.codecs, self.codec.modes, sorted(self.codec.qps)))

    def _streams(self, sequences: list[VideoSequence], coded: Path) -> Iterator[Stream]:
        for sequence in sequences:
            originals = {sequence.form: sequence.original()}
            for codec, mode, qp in self._points():
                path = whole_stream(coded / f"qp{qp}", sequence.name, codec, mode)
                form, frames = frames_of(path, sequence.frames)
                whole = replace(sequence.form, bits=form.bits)
                if whole not in originals:
                    original = originals[sequence.form]
                    originals[whole] = [in_bits(frame, sequence.form, whole) for frame in original]
                yield Stream(
                    {"sequence": sequence.name, "codec": codec, "mode": mode, "qp": qp,
                     "rate_kbps": rate_kbps(path, sequence.frames, sequence.form.rate)},
                    form,
                    np.stack([as_fractions(frame[0], form) for frame in frames]),
                    whole,
                    originals[whole],
                )  # fmt: skip

    def _interpolation(self, kernel: str) -> Filter:
        def enlarge(lumas: Lumas) -> Iterator[Luma]:
            height, width = (self.scale * side for side in lumas.shape[1:])
            return (resize(luma, height, width, kernel) for luma in lumas)

        return enlarge

    def _through(self, network: nn.Module) -> Filter:
        enlarger = Enlarger(network, self.scale, TILE)

        def enlarge(lumas: Lumas) -> Iterator[Luma]:
            batch = max(1, BATCH // lumas[0].size)
            for part in torch.from_numpy(lumas)[:, None].split(batch):
                yield from enlarger.enlarge(part)[:, 0].numpy()

        return enlarge

    def _is_shown(self, stream: Stream) -> bool:
        """One stream a sequence."""
        shown = shown_case(self.codec.codecs, self.codec.modes, self.codec.qps)
        return tuple(stream.columns[key] for key in ("codec", "mode", "qp")) == shown


def _psnr_db(planes: list[Plane], stream: Stream) -> float:
    """Mean Y-PSNR of the frames, as reference software reports it."""
    pairs = zip(planes, stream.original, strict=True)
    values = [
        psnr_db(as_fractions(made, stream.whole), as_fractions(frame[0], stream.whole))
        for made, frame in pairs
    ]
    return float(np.mean(values))


def _crop(stream: Stream, middles: Mapping[str, Plane], folder: Path) -> None:
    """Write the most detailed part of the middle frame as each filter makes it."""
    lumas = {name: as_fractions(plane, stream.whole) for name, plane in middles.items()}
    original = as_fractions(stream.original[len(stream.original) // 2][0], stream.whole)
    picture = Picture(str(stream.columns["sequence"]), original, stream.whole.bits)
    write_crops(folder, picture, {**lumas, "original": original})
