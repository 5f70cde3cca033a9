"""Writing a network as ONNX."""

import contextlib
import io
import logging
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from stages.errors import UserError


def export_onnx(network: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    """Write `network` for inputs (batch, ...) of a `shape` with any batch.

    Raises:
        UserError: if it cannot be exported.
    """
    example = torch.zeros((2, *shape[1:]))
    quiet = io.StringIO()  # the exporter reports its progress on stdout
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(quiet):
            torch.onnx.export(
                network.cpu().eval(),
                (example,),
                str(path),
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=({0: Dim("batch", min=1)},),
                dynamo=True,
                external_data=False,
            )
    except Exception as error:  # whatever the exporter or a user's own forward pass may raise
        raise UserError(f"the network cannot be exported to ONNX: {error}") from error
