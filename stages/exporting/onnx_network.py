"""Running an ONNX file where a network is asked for: in ONNX Runtime or in OpenVINO."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

INPUT = "input"  # what the one input of our files is called
CPU = "CPUExecutionProvider"


class OnnxNetwork(nn.Module):
    """An ONNX file, or its bytes, as a network, in ONNX Runtime.

    It takes as many threads as PyTorch does, so that their times compare.
    """

    def __init__(self, model: Path | bytes, provider: str = CPU):
        super().__init__()
        self.session = session_of(_opened(model), provider)

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run(None, {INPUT: x.cpu().numpy()})[0])


class OpenVinoNetwork(nn.Module):
    """An ONNX file, or its bytes, as a network, in OpenVINO on the CPU, in single precision."""

    def __init__(self, model: Path | bytes):
        super().__init__()
        self.compiled = compiled_of(_opened(model))

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.compiled(x.cpu().numpy())[0].copy())


def _opened(model: Path | bytes) -> str | bytes:
    return model if isinstance(model, bytes) else str(model)


def session_of(model: str | bytes, provider: str = CPU) -> Any:
    """A session of ONNX Runtime for a file or its bytes.

    Threads of a session stay awake after a run unless they are told not to. Of several sessions
    that take turns they kept each other from working: a network of 7 ms took 36.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(
        model, options, providers=list(dict.fromkeys((provider, CPU)))
    )


def compiled_of(model: str | bytes) -> Any:
    """A model of OpenVINO for an ONNX file or its bytes.

    Where the processor has bfloat16, OpenVINO takes it unless it is told not to.
    """
    import openvino

    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    runtime = openvino.Core()
    return runtime.compile_model(runtime.read_model(model), "CPU", hints)
