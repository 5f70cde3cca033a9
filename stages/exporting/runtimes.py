"""The runtimes at hand on this machine beside PyTorch, and a model's files in each."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from stages.errors import UserError
from stages.exporting.executorch_network import ExecutorchNetwork
from stages.exporting.onnx_network import OnnxNetwork, OpenVinoNetwork

Opener = Callable[[Path], nn.Module]
OnnxOpener = Callable[[Path | bytes], nn.Module]

IN_TORCH = ("torch", "torch_channels_last")  # PyTorch itself, by the order of channels in memory
SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "executorch": ".pte"}  # of files, by their kind
ACCELERATORS = {"onnx_cuda": "CUDAExecutionProvider", "onnx_tensorrt": "TensorrtExecutionProvider"}


def of_onnx() -> dict[str, OnnxOpener]:
    """What opens an ONNX file, or its bytes, by name of the runtime: those that are at hand."""
    import onnxruntime

    found: dict[str, OnnxOpener] = {"onnx": OnnxNetwork}
    there = set(onnxruntime.get_available_providers())
    for name, provider in ACCELERATORS.items():
        if provider in there and torch.cuda.is_available():
            found[name] = _on(provider)
    if is_installed("openvino"):
        found["openvino"] = OpenVinoNetwork
    return found


def at_hand() -> list[str]:
    """Names of the runtimes on this machine."""
    return [*of_onnx(), *(["executorch"] if is_installed("executorch") else [])]


def open_in(runtime: str, stem: Path) -> nn.Module:
    """A model's file, `STEM.onnx` or `STEM.pte`, in a runtime at hand."""
    if runtime == "executorch":
        return ExecutorchNetwork(stem.with_suffix(SUFFIXES[runtime]))
    return of_onnx()[runtime](stem.with_suffix(SUFFIXES["onnx"]))


def refuse_missing(runtime: str) -> None:
    """Refuse a runtime of ONNX that is not at hand (`UserError`); PyTorch always is."""
    if runtime not in IN_TORCH and runtime not in (found := of_onnx()):
        extra = ", or install its extra" if runtime == "openvino" else ""
        raise UserError(
            f"costs.runtime {runtime} is not on this machine: take one of torch, "
            f"torch_channels_last, {', '.join(found)}{extra}"
        )


def is_installed(package: str) -> bool:
    """Whether a package that is an extra is there."""
    return importlib.util.find_spec(package) is not None


def _on(provider: str) -> OnnxOpener:
    return lambda model: OnnxNetwork(model, provider)
