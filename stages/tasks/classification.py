"""Classification: cross entropy, accuracy, the majority class as the baseline."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages import artifacts
from stages.settings import Settings
from stages.sources.arrays import array_files
from stages.sources.classes import class_folders, resized
from stages.sources.digits import digits
from stages.sources.labelled import Labelled, Split, split_labelled
from stages.sources.labelled_files import Prepared, describe, read_labelled, write_labelled
from stages.sources.radio import radio_signals
from stages.tasks.fit import refuse_misfit
from stages.tasks.labelled_samples import LabelledSamples
from stages.tasks.task import Drawing, Frames, Quality, Rows, Table
from stages.training.device import device_of

BATCH = 128  # samples at once where nothing is trained
MOST_SNRS = 12  # that are told apart
EXAMPLES = "examples.npz"


class Classification:
    """Standardised samples (N, C, L) or (N, C, H, W) to scores of classes (N, classes)."""

    quality = Quality("accuracy", "accuracy", "", higher_is_better=True, digits=4)
    baseline_name = "majority"
    metrics = ("accuracy",)
    free_axes = (0,)
    new_head = True
    video = None

    def __init__(self, settings: Settings):
        self.seed = settings.seed
        self.data, self.folder = settings.data.classification, settings.data.folder
        self.batches = settings.batches.classification
        self.batch_size = self.batches.size
        self.evaluation = settings.evaluation.classification

    @property
    def example_shape(self) -> tuple[int, ...]:
        return (1, *self._about["shape"])

    @property
    def frames(self) -> Frames:
        latency = (self.evaluation.latency_batch, *self._about["shape"])
        return Frames(self.example_shape, latency, self.evaluation.latency_runs)

    def offers(self) -> dict[str, Any]:
        return {"classes": len(self._about["classes"]), "input_shape": self._about["shape"]}

    def prepare(self, folder: Path) -> str:
        data, split = self._read_source()
        split = split or split_labelled(data, self.data.validation, self.data.test, self.seed)
        write_labelled(folder, data, split, self.data.pictures.channels)
        counts = ", ".join(f"{len(indices)} {part}" for part, indices in split.items())
        return f"{counts} samples of {len(data.classes)} classes"

    def _read_source(self) -> tuple[Labelled, Split | None]:
        if self.data.source == "modulations":
            return radio_signals(self.data.modulations, self.seed), None
        if self.data.source == "digits":
            data, side = digits(), self.data.pictures.side
            sized = np.stack([resized(data.x[index], side) for index in range(len(data.x))])
            return Labelled(sized, data.y, data.classes), None
        if self.data.source == "folder":
            return class_folders(self.folder, self.data.pictures)
        return array_files(self.folder)

    def check(self, network: nn.Module) -> None:
        classes = len(self._about["classes"])
        shape = (2, *self._about["shape"])
        refuse_misfit(network, shape, (2, classes), f"{classes} classes need")

    def samples(self, count: int, phase: str) -> LabelledSamples:
        return LabelledSamples(self._part("train"), self.batches, count, (self.seed, phase))

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        """Cross entropy of scores (N, classes) against labels (N)."""
        return cross_entropy(output, wanted)

    def validate(self, network: nn.Module) -> float:
        """Share of validation samples whose highest score is the right class."""
        return float(np.mean(predicted(network, self._validation) == self._validation.y))

    def validate_baseline(self) -> float:
        return float(np.mean(self._validation.y == self._majority))

    def test(self, networks: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
        part = self._part("test")
        made = {self.baseline_name: np.full(len(part), self._majority)}
        made |= {name: predicted(network, part) for name, network in networks.items()}
        names, snrs = self._about["classes"], _binned(part.snr_db)
        rows = []
        for model, labels in made.items():
            for item, (label, wanted) in enumerate(zip(labels, part.y, strict=True)):
                row = {"model": model, "item": item, "class": names[wanted]}
                row |= {"predicted": names[label], "accuracy": float(label == wanted)}
                rows.append(row | ({} if snrs is None else {"snr_db": float(snrs[item])}))
        return rows

    def show(self, networks: Mapping[str, nn.Module], folder: Path) -> None:
        """Write one test sample of every class, at the highest SNR if there are several."""
        part = self._part("test")
        snrs = np.zeros(len(part)) if part.snr_db is None else part.snr_db
        chosen = [
            int(max(np.flatnonzero(part.y == label), key=lambda index: snrs[index]))
            for label in range(len(self._about["classes"]))
        ]
        x = np.stack([part[index] for index in chosen])
        np.savez(folder / EXAMPLES, x=x, classes=np.array(self._about["classes"]))

    def draw(self, rows: Rows, examples: Path) -> dict[str, Drawing]:
        from stages.figures.classes import class_drawings  # imports matplotlib

        with np.load(examples / EXAMPLES) as stored:
            return class_drawings(rows, stored["classes"].tolist(), stored["x"])

    def tables(self, rows: Rows) -> dict[str, Table]:
        """Accuracy of every model at every SNR, where samples have one."""
        snrs = sorted({float(row["snr_db"]) for row in rows if "snr_db" in row})
        if not snrs:
            return {}
        models = list(dict.fromkeys(row["model"] for row in rows))
        head = ["model", *(f"{snr:g} dB" for snr in snrs)]
        return {
            "Accuracy on the test part by SNR": (
                head,
                [[m, *(f"{_accuracy_at(rows, m, snr):.3f}" for snr in snrs)] for m in models],
            )
        }

    @cached_property
    def _about(self) -> dict[str, Any]:
        return describe(artifacts.PREPARED)

    def _part(self, part: str) -> Prepared:
        return read_labelled(artifacts.PREPARED, part)

    @cached_property
    def _validation(self) -> Prepared:
        return self._part("validation")

    @cached_property
    def _majority(self) -> int:
        return int(np.argmax(np.bincount(self._part("train").y)))


def predicted(network: nn.Module, part: Prepared) -> NDArray[np.int64]:
    """The class of the highest score for every sample of a part."""
    device = device_of(network)
    network.eval()
    labels = []
    with torch.no_grad():
        for start in range(0, len(part), BATCH):
            samples = [part[index] for index in range(start, min(start + BATCH, len(part)))]
            scores = network(torch.from_numpy(np.stack(samples)).to(device))
            labels.append(scores.argmax(1).cpu())
    found: NDArray[np.int64] = torch.cat(labels).numpy()
    return found


def _binned(snr_db: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """SNRs as they are, or to the nearest 5 dB where there are too many to tell apart."""
    if snr_db is None or len(np.unique(snr_db)) <= MOST_SNRS:
        return snr_db
    return np.asarray(5 * np.round(snr_db / 5), np.float32)


def _accuracy_at(rows: Rows, model: str, snr_db: float) -> float:
    of_model = [row for row in rows if row["model"] == model and float(row["snr_db"]) == snr_db]
    return sum(float(row["accuracy"]) for row in of_model) / len(of_model)
