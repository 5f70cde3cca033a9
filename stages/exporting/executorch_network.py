"""Running an ExecuTorch program where a network is asked for."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.exporting.quiet import quiet


class ExecutorchNetwork(nn.Module):
    """An ExecuTorch program as a network."""

    def __init__(self, path: Path):
        super().__init__()
        with quiet():
            from executorch.runtime import Runtime

            self.program: Any = Runtime.get().load_program(path)
            self.method: Any = self.program.load_method("forward")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.method.execute([x.cpu().contiguous()])[0]
        return torch.clone(output)  # it lives in memory that the next run writes over
