"""What up-sampling learns from and is tested on: pictures or video, by part."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from stages.datasets.pictures import read_colours
from stages.datasets.upsampling.samples import Picture
from stages.datasets.writing.upsampling import write_pairs
from stages.settings import Settings
from stages.sources.upsampling.folder import folder_pictures
from stages.sources.upsampling.motion import pan_and_zoom
from stages.sources.upsampling.pairs import as_pair
from stages.sources.upsampling.photographs import photographs
from stages.sources.upsampling.stills import coded_stills
from stages.sources.upsampling.videos import opened, video_files, video_pairs
from stages.video.frames import Format, Frame
from stages.video.resizing import SMALLEST, cut_to, whole_multiples
from stages.video.sequences import write_sequences


class PictureSource:
    """Pictures or video."""

    no_sequences = "test pictures are too small for a sequence"

    def __init__(self, settings: Settings):
        self.seed, self.folder = settings.seed, settings.data.folder
        self.data = settings.data.upsampling

    def write_samples(self, folder: Path) -> str:
        data = self.data
        about = data.model_dump(mode="json", include={"scale", "filter", "coded"})
        counts = write_pairs(folder, self.pairs(), about)
        text = ", ".join(f"{count} {part}" for part, count in counts.items())
        return f"{text} pairs, made {data.scale} times smaller by {data.filter}"

    def write_sequences(self, folder: Path) -> list[str]:
        return write_sequences(folder, self.sequences(), self.data.scale, self.data.filter)

    def pairs(self) -> dict[str, Iterable[Picture]]:
        """Pairs by part, made as they are asked for."""
        if self.data.source == "video":
            return {part: self._from_videos(paths) for part, paths in self._videos().items()}
        return {part: self._from_stills(stills) for part, stills in self._stills.items()}

    def sequences(self) -> Iterator[tuple[str, Format, Iterator[Frame]]]:
        """Name, format and frames of each test sequence; of pictures, a pan and zoom.

        Pictures that are too small for one give none. Sides can be halved once they are `scale`
        times smaller.
        """
        data, most = self.data, self.data.sequence_frames
        if data.source == "video":
            for path in self._videos()["test"]:
                with opened(path, data.video) as (whole, frames):
                    form = whole_multiples(whole, data.scale, str(path))
                    yield path.stem, form, (cut_to(frame, form) for frame in islice(frames, most))
            return
        for picture in self._stills["test"]:
            assert picture.path is not None
            if min(picture.high.shape) < data.scale * SMALLEST:
                continue
            colours = read_colours(picture.path)
            yield picture.name, *pan_and_zoom(colours, most, data.scale)

    @cached_property
    def _stills(self) -> dict[str, list[Picture]]:
        if self.data.source == "photographs":
            return photographs()
        return folder_pictures(self.folder, self.data.validation, self.data.test, self.seed)

    def _videos(self) -> dict[str, list[Path]]:
        return video_files(self.folder, self.data.validation, self.data.test, self.seed)

    def _from_videos(self, paths: list[Path]) -> Iterator[Picture]:
        for path in paths:
            yield from video_pairs(path, self.data)

    def _from_stills(self, stills: list[Picture]) -> Iterator[Picture]:
        data, even = self.data, bool(self.data.coded.qps)
        pairs = (as_pair(still, data.scale, data.filter, even) for still in stills)
        return coded_stills(pairs, data.coded)


InUse = PictureSource  # what `source_of` looks for
