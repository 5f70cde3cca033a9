"""Quantise the pruned and the sparse network to 8 bits: what small numbers are worth besides."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor
from torch.utils.data import DataLoader

from stages import artifacts
from stages.errors import UserError
from stages.exporting.consumer import Consumer, consumer_of
from stages.networks.saved import load_network
from stages.running import run_stage
from stages.settings import Settings, load_settings
from stages.tasks.task import Task, task_of

BATCHES = 10  # that ranges of activations are taken from


def main() -> None:
    """Write both in 8 bits, and why one is missing."""
    settings = load_settings()
    task, consumer = task_of(settings), consumer_of(settings)
    missing = dict[str, str]()
    with (
        artifacts.fresh_folder(artifacts.QUANTISED) as folder,
        tempfile.TemporaryDirectory() as tmp,
    ):
        for name in ("pruned", "sparse"):
            target = folder / artifacts.quantised_path(name).name
            try:
                _quantise(_in_float(name, consumer, settings, Path(tmp)), target, task, consumer)
            except UserError as error:  # what is only reported must not stop the pipeline
                missing[name] = str(error)
                print(f"no {name} network in 8 bits: {error}")
            else:
                print(f"{name} network in 8 bits: {target.stat().st_size} bytes")
        artifacts.write_json(folder / artifacts.QUANTISED_RECORD, {"missing": missing})


def _in_float(name: str, consumer: Consumer, settings: Settings, folder: Path) -> Path:
    """The network as ONNX: the pruned one is there, the sparse one is written to a folder.

    Raises:
        UserError: if there is none.
    """
    if name == "pruned":
        exported = artifacts.EXPORTED / name
        refused = artifacts.read_json(exported / artifacts.EXPORTED_RECORD)["refused"]
        if "onnx" in refused:
            raise UserError(refused["onnx"])
        return (exported / artifacts.EXPORTED_STEM).with_suffix(".onnx")
    if reason := artifacts.why_nothing(artifacts.SPARSE_MODEL):
        raise UserError(reason)
    from stages.exporting.onnx_file import export_onnx

    network, about = load_network(artifacts.SPARSE_MODEL, settings.trusted)
    path = folder / "sparse.onnx"
    export_onnx(consumer.wrapped(network), about.example_shape, consumer.dynamic_axes, path)
    return path


def _quantise(source: Path, target: Path, task: Task, consumer: Consumer) -> None:
    from stages.exporting.eight_bit import quantise

    samples = task.samples(BATCHES * task.batch_size, "quantise")
    batches = (inputs for inputs, _ in DataLoader(samples, batch_size=task.batch_size))
    raw: Iterator[Tensor] = map(consumer.raw, batches)
    quantise(source, target, raw)


if __name__ == "__main__":
    run_stage(main)
