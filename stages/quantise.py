"""Quantise the sparse network to 8 bits: what zeros and small numbers are worth together."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.utils.data import DataLoader

from stages import artifacts
from stages.errors import UserError
from stages.networks.saved import About, load_network
from stages.running import run_stage
from stages.settings import load_settings
from stages.tasks.task import Task, task_of

BATCHES = 10  # that ranges of activations are taken from


def main() -> None:
    """Write the quantised sparse network, or why there is none."""
    settings = load_settings()
    reason = artifacts.why_nothing(artifacts.SPARSE_MODEL)
    if not reason:
        network, about = load_network(artifacts.SPARSE_MODEL, settings.trusted)
        try:
            _quantise(network, about, task_of(settings))
        except UserError as error:  # what is only reported must not stop the pipeline
            reason = str(error)
    if reason:
        artifacts.write_nothing(artifacts.QUANTISED_MODEL, reason)
        print(f"no quantised network: {reason}")


def _quantise(network: nn.Module, about: About, task: Task) -> None:
    from stages.exporting.eight_bit import quantise
    from stages.exporting.onnx_file import export_onnx

    with artifacts.fresh_folder(artifacts.QUANTISED_MODEL) as folder:
        exported = folder / "float.onnx"
        export_onnx(network, about.example_shape, task.dynamic_axes, exported)
        quantise(exported, folder / artifacts.ONNX, _samples(task))
        exported.unlink()
    size = (artifacts.QUANTISED_MODEL / artifacts.ONNX).stat().st_size
    print(f"quantised the sparse network: {size} bytes")


def _samples(task: Task) -> Iterator[Tensor]:
    """Training inputs, to take the ranges of activations from."""
    samples = task.samples(BATCHES * task.batch_size, "quantise")
    return (inputs for inputs, _ in DataLoader(samples, batch_size=task.batch_size))


if __name__ == "__main__":
    run_stage(main)
