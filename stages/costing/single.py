"""A single layer as a network of its own, in a runtime."""

from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from stages.costing.layers import Contraction, Lengths
from stages.exporting.onnx_file import OPSET, OUTPUT
from stages.exporting.onnx_network import INPUT
from stages.exporting.runtimes import IN_TORCH, of_onnx

WEIGHT, BIAS = "weight", "bias"
IR_VERSION = 10  # of ONNX's format: what all runtimes of today read


def single_layer(
    contraction: Contraction, lengths: Lengths, runtime: str
) -> tuple[nn.Module, Tensor]:
    """A layer of these lengths, with random numbers, in PyTorch or in a runtime of ONNX; an input.

    The input is in the order of channels that the layer before would give.
    """
    inputs = torch.rand(contraction.input_shape(lengths))
    if runtime not in IN_TORCH:
        return of_onnx()[runtime](_onnx_of(contraction, lengths).SerializeToString()), inputs
    network = _InTorch(contraction, lengths)
    if runtime == "torch_channels_last" and inputs.dim() == 4:
        network.to(memory_format=torch.channels_last)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return network, inputs


class _InTorch(nn.Module):
    def __init__(self, contraction: Contraction, lengths: Lengths):
        super().__init__()
        self.weight, self.bias = map(nn.Parameter, _numbers(contraction, lengths))
        self.geometry, self.groups = contraction.geometry, contraction.groups_at(lengths)

    def forward(self, x: Tensor) -> Tensor:
        moves = self.geometry
        if moves is None:
            return nn.functional.linear(x, self.weight, self.bias)
        return torch.convolution(
            x, self.weight, self.bias, moves.stride, moves.padding, moves.dilation,
            moves.transposed, moves.output_padding, self.groups,
        )  # fmt: skip


def _numbers(contraction: Contraction, lengths: Lengths) -> tuple[Tensor, Tensor]:
    generator, shape = torch.Generator().manual_seed(0), contraction.weight_shape(lengths)
    weight = torch.rand(shape, generator=generator) - 0.5
    moves = contraction.geometry
    outputs = shape[1] * moves.groups if moves and moves.transposed else shape[0]
    return weight, torch.rand(outputs, generator=generator)


def _onnx_of(contraction: Contraction, lengths: Lengths) -> onnx.ModelProto:
    weight, bias = _numbers(contraction, lengths)
    moves, inputs = contraction.geometry, [INPUT, WEIGHT, BIAS]
    if moves is None:
        node = helper.make_node("Gemm", inputs, [OUTPUT], transB=1)
    else:
        kind = "ConvTranspose" if moves.transposed else "Conv"
        extra: dict[str, Any] = {"output_padding": moves.output_padding} if moves.transposed else {}
        node = helper.make_node(
            kind, inputs, [OUTPUT], strides=moves.stride, pads=2 * moves.padding,
            dilations=moves.dilation, group=contraction.groups_at(lengths), **extra,
        )  # fmt: skip
    shape = contraction.input_shape(lengths)
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None] * len(shape))],
        [_constant(WEIGHT, weight), _constant(BIAS, bias)],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _constant(name: str, tensor: Tensor) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(tensor.numpy()), name)
