"""Quantisation to 8 bits after training, with ONNX Runtime."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from stages.errors import UserError
from stages.exporting.onnx_network import INPUT
from stages.exporting.quiet import cause, quiet


def quantise(source: Path, target: Path, samples: Iterable[Tensor]) -> None:
    """Write `target`: weights (a scale per channel) and activations of `source` in 8 bits.

    Weights take 7 of them, so that every processor gives the same.

    Ranges of activations are those that `samples`, batches of inputs, give. What has no 8-bit
    form stays as it is.

    Raises:
        UserError: if it cannot be quantised.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = target.with_suffix(".prepared.onnx")
    try:
        with quiet():
            quant_pre_process(str(source), str(prepared))
            quantize_static(
                str(prepared),
                str(target),
                _Calibration(samples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                # Processors without VNNI add products of 8 bits in 16, and saturate: 7 do not.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    except Exception as error:  # whatever the quantiser may raise
        raise UserError(f"the network cannot be quantised: {cause(error)}") from error
    finally:
        prepared.unlink(missing_ok=True)


class _Calibration:
    """Hands one batch after the other to the quantiser."""

    def __init__(self, samples: Iterable[Tensor]):
        self.batches: Iterator[Tensor] = iter(samples)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self.batches, None)
        return None if batch is None else {INPUT: batch.numpy()}
