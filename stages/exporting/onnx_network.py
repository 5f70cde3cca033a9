"""Running an ONNX file where a network is asked for."""

from pathlib import Path

import torch
from torch import Tensor, nn


class OnnxNetwork(nn.Module):
    """An ONNX file as a network, on the CPU."""

    def __init__(self, path: Path):
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run(None, {"input": x.cpu().numpy()})[0])
