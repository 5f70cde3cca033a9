"""What a classifier learns from and is tested on: the source that the settings name."""

from pathlib import Path

import numpy as np

from stages.datasets.classification.samples import Labelled, Split
from stages.datasets.writing.classification import write_labelled
from stages.settings import Settings
from stages.sources.classification.arrays import array_files
from stages.sources.classification.class_folders import class_folders, resized
from stages.sources.classification.digits import digits
from stages.sources.classification.radio import radio_signals
from stages.sources.classification.splitting import split_labelled


class LabelledSource:
    """Labelled samples."""

    no_sequences = "only up-sampling makes video"

    def __init__(self, settings: Settings):
        self.seed, self.folder = settings.seed, settings.data.folder
        self.data = settings.data.classification

    def write_samples(self, folder: Path) -> str:
        data, split = self._read()
        split = split or split_labelled(data, self.data.validation, self.data.test, self.seed)
        write_labelled(folder, data, split, self.data.pictures.channels)
        counts = ", ".join(f"{len(indices)} {part}" for part, indices in split.items())
        return f"{counts} samples of {len(data.classes)} classes"

    def write_sequences(self, folder: Path) -> list[str]:
        return []

    def _read(self) -> tuple[Labelled, Split | None]:
        if self.data.source == "modulations":
            return radio_signals(self.data.modulations, self.seed), None
        if self.data.source == "digits":
            data, side = digits(), self.data.pictures.side
            sized = np.stack([resized(data.x[index], side) for index in range(len(data.x))])
            return Labelled(sized, data.y, data.classes), None
        if self.data.source == "folder":
            return class_folders(self.folder, self.data.pictures)
        return array_files(self.folder)


InUse = LabelledSource  # what `source_of` looks for
