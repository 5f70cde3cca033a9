"""Writing a network as ONNX."""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.export import Dim

from stages.errors import UserError

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def export_onnx(
    network: nn.Module, shape: tuple[int, ...], dynamic_axes: Sequence[int], path: Path
) -> None:
    """Write `network` for inputs of a `shape`, of which `dynamic_axes` may have any length.

    Raises:
        UserError: if it cannot be exported so.
    """
    example = torch.zeros((2, *shape[1:]))
    dynamic = {axis: Dim(f"axis{axis}", min=1) for axis in dynamic_axes}
    try:
        with _quiet():
            program = torch.onnx.export(
                network.cpu().eval(),
                (example,),
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=(dynamic,),
                dynamo=True,
            )
    except Exception as error:  # whatever the exporter or a user's own forward pass may raise
        raise UserError(f"the network cannot be exported to ONNX: {_cause(error)}") from error
    assert program is not None
    model = program.model_proto
    fixed = [
        a for a in dynamic_axes if model.graph.input[0].type.tensor_type.shape.dim[a].dim_value
    ]
    if fixed:
        raise UserError(
            f"the network cannot be exported to ONNX: it runs with one length of axis "
            f"{fixed[0]} only"
        )
    _forget_sources(model)
    onnx.save(model, str(path))


@contextlib.contextmanager
def _quiet() -> Any:
    """Silence the exporter, which reports its progress in many lines."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.fx", "torch.export")]
    levels = [logger.level for logger in loggers]
    nowhere = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _cause(error: BaseException) -> str:
    """The first line of what was raised first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return COLOURS.sub("", str(error)).strip().split("\n")[0]


def _forget_sources(model: onnx.ModelProto) -> None:
    """Drop the traces of source lines that the exporter leaves: they would count as bytes."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
