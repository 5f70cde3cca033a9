"""The runtimes at hand on this machine beside PyTorch, and a model's files in each."""

import importlib.util
from collections.abc import Callable, Collection
from pathlib import Path

import torch
from torch import nn

from stages.exporting.executorch_network import ExecutorchNetwork
from stages.exporting.onnx_network import OnnxNetwork, OpenVinoNetwork

Opener = Callable[[Path], nn.Module]

SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "executorch": ".pte"}  # of files, by their kind
ACCELERATORS = {"onnx_cuda": "CUDAExecutionProvider", "onnx_tensorrt": "TensorrtExecutionProvider"}


def of_onnx() -> dict[str, Opener]:
    """What opens an ONNX file, by name of the runtime: those that are at hand."""
    import onnxruntime

    found: dict[str, Opener] = {"onnx": OnnxNetwork}
    there = set(onnxruntime.get_available_providers())
    for name, provider in ACCELERATORS.items():
        if provider in there and torch.cuda.is_available():
            found[name] = _on(provider)
    if is_installed("openvino"):
        found["openvino"] = OpenVinoNetwork
    return found


def opened(stem: Path, names: Collection[str]) -> dict[str, nn.Module]:
    """A model's files, `STEM.onnx` and `STEM.pte`, in the runtimes of these names at hand."""
    found = {
        name: opener(stem.with_suffix(SUFFIXES["onnx"]))
        for name, opener in of_onnx().items()
        if name in names
    }
    if "executorch" in names and is_installed("executorch"):
        found["executorch"] = ExecutorchNetwork(stem.with_suffix(SUFFIXES["executorch"]))
    return found


def is_installed(package: str) -> bool:
    """Whether a package that is an extra is there."""
    return importlib.util.find_spec(package) is not None


def _on(provider: str) -> Opener:
    return lambda path: OnnxNetwork(path, provider)
