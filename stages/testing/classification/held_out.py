"""Test samples: what every network takes them for, and one example per class."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stages import artifacts
from stages.datasets.classification.reading import Prepared, describe, read_labelled
from stages.inference.classification import predicted
from stages.settings import Settings
from stages.tasks.classification.measures import MEASURES
from stages.testing.classification.baseline import Majority

MOST_SNRS = 12  # that are told apart


class HeldOutSamples:
    """The test samples."""

    def __init__(self, settings: Settings):
        self.majority = Majority(settings)

    def rows(self, networks: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
        part = self._part
        made = {MEASURES.baseline: np.full(len(part), self.majority.label)}
        made |= {name: predicted(network, part) for name, network in networks.items()}
        names, snrs = self._classes, binned(part.snr_db)
        rows = []
        for model, labels in made.items():
            for item, (label, target) in enumerate(zip(labels, part.y, strict=True)):
                row = {"model": model, "item": item, "class": names[target]}
                row |= {"predicted": names[label], "accuracy": float(label == target)}
                rows.append(row | ({} if snrs is None else {"snr_db": float(snrs[item])}))
        return rows

    def show(self, networks: Mapping[str, nn.Module], folder: Path) -> None:
        """Write one test sample of every class, at the highest SNR if there are several."""
        part = self._part
        snrs = np.zeros(len(part)) if part.snr_db is None else part.snr_db
        chosen = [
            int(max(np.flatnonzero(part.y == label), key=lambda index: snrs[index]))
            for label in range(len(self._classes))
        ]
        x = np.stack([part[index] for index in chosen])
        np.savez(folder / artifacts.CLASS_EXAMPLES, x=x, classes=np.array(self._classes))

    @cached_property
    def _classes(self) -> list[str]:
        return list(describe(artifacts.PREPARED)["classes"])

    @cached_property
    def _part(self) -> Prepared:
        return read_labelled(artifacts.PREPARED, "test")


def binned(snr_db: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """SNRs as they are, or to the nearest 5 dB where there are too many to tell apart."""
    if snr_db is None or len(np.unique(snr_db)) <= MOST_SNRS:
        return snr_db
    return np.asarray(5 * np.round(snr_db / 5), np.float32)


InUse = HeldOutSamples  # what `held_out_of` looks for
