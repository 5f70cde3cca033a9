"""Writing a network as ONNX."""

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from stages.errors import UserError


def export_onnx(
    network: nn.Module, shape: tuple[int, ...], free_axes: Sequence[int], path: Path
) -> None:
    """Write `network` for inputs of a `shape`, of which `free_axes` may have any length.

    Raises:
        UserError: if it cannot be exported.
    """
    example = torch.zeros((2, *shape[1:]))
    free = {axis: Dim(f"axis{axis}", min=1) for axis in free_axes}
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
                dynamic_shapes=(free,),
                dynamo=True,
                external_data=False,
            )
    except Exception as error:  # whatever the exporter or a user's own forward pass may raise
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"the network cannot be exported to ONNX: {reason}") from error
