"""Writing a network as ONNX."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.export import ExportedProgram

from stages.errors import UserError
from stages.exporting.onnx_network import INPUT
from stages.exporting.program import traced
from stages.exporting.quiet import cause, quiet

OUTPUT = "output"
AXES = (
    "batch",
    "channels",
    "height",
    "width",
)  # what dynamic axes are called; of signals, `length`
OPSET = 20


def export_onnx(
    network: nn.Module, shape: tuple[int, ...], dynamic_axes: Sequence[int], path: Path
) -> None:
    """Write `network` for inputs of a `shape`, of which `dynamic_axes` may have any length.

    Raises:
        UserError: if it cannot be exported so.
    """
    write_onnx(traced(network, shape, dict.fromkeys(dynamic_axes)), path)


def write_onnx(
    program: ExportedProgram, path: Path, facts: Mapping[str, Any] | None = None
) -> None:
    """Write a traced network; `facts` go into the file's metadata, as JSON where they are no text.

    Raises:
        UserError: if it has an operator that ONNX does not know.
    """
    try:
        with quiet():
            made = torch.onnx.export(
                program, input_names=[INPUT], output_names=[OUTPUT], opset_version=OPSET
            )
    except Exception as error:  # whatever the exporter may raise
        raise UserError(f"the network cannot be exported to ONNX: {cause(error)}") from error
    assert made is not None
    model = made.model_proto
    _forget_sources(model)
    _name_axes(model)
    for key, value in sorted((facts or {}).items()):
        text = value if isinstance(value, str) else json.dumps(value)
        model.metadata_props.add(key=key, value=text)
    onnx.save(model, str(path))


def _forget_sources(model: onnx.ModelProto) -> None:
    """Drop the traces of source lines that the exporter leaves: they would count as bytes."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _name_axes(model: onnx.ModelProto) -> None:
    """Call dynamic axes by what they are, in place of the tracer's symbols."""
    axes = model.graph.input[0].type.tensor_type.shape.dim
    names = AXES if len(axes) != 3 else (*AXES[:2], "length")
    symbols = dict[str, str]()
    for axis, name in zip(axes, names, strict=False):
        if axis.dim_param.isidentifier():
            symbols[axis.dim_param] = name
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = re.sub(
                    r"\b[a-z]\w*\b", lambda m: symbols.get(m[0], m[0]), axis.dim_param
                )
