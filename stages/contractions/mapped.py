"""Fitting a layer that has too many inputs times taps: one map of channels, shared by all taps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.contractions.calls import Call
from stages.contractions.fit import ROWS, ROWS_PER_COLUMN, Fit, Solve
from stages.contractions.matrices import as_matrices, input_rows
from stages.contractions.sums import Sums, with_ones
from stages.contractions.used import Used


@dataclass(frozen=True)
class Channels:
    """Columns of a layer by channel and tap (channels, taps), before some channels went and after.

    `kept` says which of those before are left, in the order they are in now.
    """

    before: Tensor
    now: Tensor
    kept: Tensor


class Mapped(Fit):
    """What the channels were is fitted to what is left of them, by one map for all taps.

    The map goes into the weights: each tap's are those of the teacher after it ("GRAIL: post-hoc
    compensation by linear reconstruction for compressed networks", 2026). A bias takes what the
    map adds, as if no tap lay outside of the input.
    """

    def __init__(
        self,
        network: nn.Module,
        used: Used,
        outputs: Tensor,
        inputs: Sequence[Tensor],
        channels: Channels,
        weight: Tensor,
        bias: Tensor | None,
    ):
        """`weight` and `bias` are the teacher's, of this layer."""
        super().__init__(network, used, outputs, inputs)
        self.channels = channels
        self.whole = as_matrices(weight, self.layer.geometry)[0, outputs].double().cpu()
        self.shift = torch.zeros(len(outputs)).double()
        if self.bias is not None and bias is not None:
            self.shift = bias.detach()[outputs].double().cpu()
        count, taps = channels.before.shape
        rows = max(ROWS, ROWS_PER_COLUMN * count)
        self.rows = -(-rows // (taps * len(inputs) * len(used.calls)))

    @property
    def target_bytes(self) -> int:
        places = self.rows * len(self.inputs) * len(self.used.calls)
        return 2 * 4 * places * self.channels.before.numel()  # with the inputs now

    def wanted(self, call: Call) -> Tensor:
        return input_rows(call, self.positions(call))[0]

    def run(self, targets: Sequence[Tensor], solve: Solve) -> bool:
        inputs: list[Tensor] = []
        self._each_call(lambda call: inputs.append(self.wanted(call)))
        near = torch.zeros(len(self.channels.kept), len(self.channels.before)).double()
        near[torch.arange(len(near)), self.channels.kept] = 1
        if self.bias is not None:
            near = torch.cat([near, torch.zeros(1, near.shape[1]).double()])
        sums = Sums.empty(1, *near.shape)
        for now, before in zip(inputs, targets, strict=True):
            rows = now[:, self.channels.now].mT.flatten(0, 1)[None]
            rows = with_ones(rows) if self.bias is not None else rows
            sums.add(rows, before[:, self.channels.before].mT.flatten(0, 1)[None])
        weights = self._weights(solve(self.used, sums, near.unsqueeze(0))[0])
        errors = (self._error(w, inputs, targets) for w in (weights, self._matrices()[0]))
        nearer = next(errors) < next(errors)
        if nearer:
            self._write(weights.unsqueeze(0).to(self.weight.dtype))
        return nearer

    def _weights(self, channel_map: Tensor) -> Tensor:
        """The layer's weights (columns, outputs), its bias last, after a map of channels."""
        kept, by_channel = len(self.channels.kept), self.whole[:, self.channels.before]
        mapped = torch.einsum("oct,kc->kto", by_channel, channel_map[:kept])
        weights = torch.empty(self.channels.now.numel(), len(self.outputs)).double()
        weights[self.channels.now] = mapped
        if self.bias is None:
            return weights
        added = torch.einsum("oct,c->o", by_channel, channel_map[kept])
        return torch.cat([weights, (self.shift + added).unsqueeze(0)])

    def _error(self, weights: Tensor, inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> float:
        """Sum of squares of what weights give, less what the teacher gives."""
        error = 0.0
        for now, before in zip(inputs, targets, strict=True):
            rows = now.double().cpu()
            rows = with_ones(rows) if self.bias is not None else rows
            wanted = before.double().cpu() @ self.whole.T + self.shift
            error += float((rows @ weights - wanted).square().sum())
        return error
