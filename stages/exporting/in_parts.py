"""An ONNX file cut at its means over all positions, which tiles of a frame do not know.

PyTorch takes these means itself, so that whoever runs the network over tiles can put those of the
whole frame in their place (`Means`), as in a network of PyTorch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from stages.exporting.onnx_network import compiled_of, session_of

Arrays = dict[str, NDArray[Any]]
Runs = Callable[[Arrays], Arrays]  # one part in a runtime


@dataclass(frozen=True)
class Mean:
    """A mean over height and width: what it is of, what it is called, whether both axes stay."""

    of: str
    name: str
    keeps_axes: bool


class OnnxInParts(nn.Module):
    """An ONNX file as a network, in ONNX Runtime or in OpenVINO; PyTorch takes its means."""

    def __init__(self, path: Path, runtime: str):
        super().__init__()
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
        self.given, self.made = model.graph.input[0].name, model.graph.output[0].name
        self.means = means_of(model)
        start = {"onnx": _in_onnx_runtime, "openvino": _in_openvino}[runtime]
        self.parts = [
            start(part) if part.graph.node else _nothing for part in parts_of(model, self.means)
        ]

    def forward(self, x: Tensor) -> Tensor:
        known = {self.given: x.cpu().numpy()}
        for number, part in enumerate(self.parts):
            known |= part(known)
            if number < len(self.means):
                mean = self.means[number]
                taken = torch.from_numpy(known[mean.of]).mean((2, 3), keepdim=mean.keeps_axes)
                known[mean.name] = taken.numpy()
        return torch.from_numpy(known[self.made])


def means_of(model: onnx.ModelProto) -> list[Mean]:
    """The means over height and width of a model, in the order in which they run."""
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "GlobalAveragePool":
            found.append(Mean(node.input[0], node.output[0], keeps_axes=True))
        elif node.op_type == "ReduceMean" and len(node.input) > 1:
            axes = sorted(np.atleast_1d(constants.get(node.input[1], [])).tolist())
            if axes in ([2, 3], [-2, -1]):
                keeps = bool(options.get("keepdims", 1))
                found.append(Mean(node.input[0], node.output[0], keeps))
    return found


def parts_of(model: onnx.ModelProto, means: Sequence[Mean]) -> list[onnx.ModelProto]:
    """What runs before the first mean, then up to each next one, and after the last.

    A part takes what earlier ones made and means before it, and gives what later ones need.
    """
    graph, places = model.graph, {mean.name: number + 1 for number, mean in enumerate(means)}
    part_of, nodes = dict[str, int](), [list[Any]() for _ in range(len(means) + 1)]
    for node in graph.node:
        if node.output[0] in places:
            part_of[node.output[0]] = places[node.output[0]]
            continue
        number = max((part_of.get(name, 0) for name in node.input), default=0)
        nodes[number].append(node)
        part_of |= dict.fromkeys(node.output, number)
    needed = {graph.output[0].name, *(mean.of for mean in means)}
    parts = []
    for chosen in reversed(nodes):
        made = {name for node in chosen for name in node.output}
        taken = {name for node in chosen for name in node.input if name} - made
        parts.append(_part(model, chosen, taken, made & needed))
        needed |= taken
    return parts[::-1]


def _part(
    model: onnx.ModelProto, nodes: Sequence[Any], taken: set[str], made: set[str]
) -> onnx.ModelProto:
    graph = model.graph
    kinds = {one.name: one for one in (*graph.input, *graph.value_info, *graph.output)}
    constants = [one for one in graph.initializer if one.name in taken]
    inputs = [kinds[name] for name in sorted(taken - {one.name for one in constants})]
    outputs = [kinds[name] for name in sorted(made)]
    part = onnx.helper.make_graph(nodes, graph.name, inputs, outputs, constants)
    return onnx.helper.make_model(
        part,
        ir_version=model.ir_version,
        opset_imports=model.opset_import,
        functions=model.functions,
    )


def _nothing(known: Arrays) -> Arrays:
    """A part without operators: two means of what one part made."""
    return {}


def _in_onnx_runtime(part: onnx.ModelProto) -> Runs:
    session = session_of(part.SerializeToString())
    inputs = [one.name for one in session.get_inputs()]
    outputs = [one.name for one in session.get_outputs()]

    def run(known: Mapping[str, Any]) -> Arrays:
        made = session.run(outputs, {name: known[name] for name in inputs})
        return dict(zip(outputs, made, strict=True))

    return run


def _in_openvino(part: onnx.ModelProto) -> Runs:
    compiled = compiled_of(part.SerializeToString())
    inputs = [one.name for one in part.graph.input]
    outputs = [one.name for one in part.graph.output]

    def run(known: Mapping[str, Any]) -> Arrays:
        made = compiled({name: known[name] for name in inputs})
        return {name: made[compiled.output(name)].copy() for name in outputs}

    return run
