"""What operators do not show of the user's code: sizes that it reads, tensors that it spells out,
which axis of a view it leaves open, and RMS norms."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from stages.dependency.flow import Flow
from stages.dependency.widths import Width, counting

SHAPE = Tensor.shape.__get__  # type: ignore[attr-defined]
SPELLED_OUT = torch.tensor, torch.as_tensor, Tensor.new_tensor
VIEWS = frozenset({Tensor.view, Tensor.reshape, torch.reshape})
LIKE = frozenset({Tensor.view_as, Tensor.reshape_as})
UNFLATTEN = frozenset({Tensor.unflatten, torch.unflatten})
RMS_NORM = ("input", "normalized_shape", "weight", "eps")  # its parameters


class UserCode(TorchFunctionMode):
    """Sees the functions that code calls on tensors, with what it gives them.

    Most devices take an RMS norm apart; it is shown as the layer norm that couples the same.
    """

    def __init__(self, flow: Flow):
        super().__init__()
        self.flow = flow

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func == SHAPE or func is Tensor.size:
            return self._marked(args, func(*args, **kwargs), kwargs)
        if func is Tensor.numel or func is torch.numel:
            return math.prod(self._marked(args, args[0].shape, {}))
        if func in SPELLED_OUT and not any(isinstance(a, Tensor) for a in args[-1:]):
            self.flow.constants.append((func, repr((args[-1:], kwargs))))
        if func in VIEWS or func in LIKE or func in UNFLATTEN:
            with self._opened(_open_axes(func, self._sizes(func, args, kwargs), args, kwargs)):
                return func(*args, **kwargs)
        if func is not functional.rms_norm:
            return func(*args, **kwargs)
        named = dict(zip(RMS_NORM, args, strict=False)) | kwargs
        return functional.layer_norm(named["input"], named["normalized_shape"], named.get("weight"))

    def _marked(self, args: Sequence[Any], given: Any, kwargs: dict[str, Any]) -> Any:
        """Sizes, those of them that count channels as such numbers."""
        if not isinstance(given, torch.Size):
            return self._width(args[0], args[1] if len(args) > 1 else kwargs["dim"], given)
        sizes = [self._width(args[0], axis, size) for axis, size in enumerate(given)]
        return torch.Size(sizes) if any(type(size) is Width for size in sizes) else given

    def _width(self, tensor: Tensor, axis: int, size: int) -> int:
        nodes = self.flow.nodes_along(tensor, axis) if size > 1 else None
        return size if nodes is None else counting(nodes, size, self.flow.asked)

    def _sizes(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The sizes that a view is to have, as code gives them."""
        if func in LIKE:
            other = args[1] if len(args) > 1 else kwargs["other"]
            sizes: Sequence[Any] = self._marked([other], other.shape, {})
            return sizes
        named = kwargs.get("sizes", kwargs.get("shape", kwargs.get("size")))
        given = args[2:] if func in UNFLATTEN else args[1:]
        found = [*given, *([named] if named is not None else [])]
        return found[0] if len(found) == 1 and isinstance(found[0], list | tuple) else found

    @contextmanager
    def _opened(self, axes: set[int]) -> Iterator[None]:
        self.flow.open_axes = axes
        try:
            yield
        finally:
            self.flow.open_axes = set()


def _open_axes(
    func: Any, sizes: Sequence[Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> set[int]:
    """The axes of a view whose lengths follow from channels: by a size, or by what is left."""
    first = 0
    if func in UNFLATTEN:
        first = args[1] if len(args) > 1 else kwargs["dim"]
        first = first % args[0].dim() if isinstance(first, int) else 0
    counted = {first + axis for axis, size in enumerate(sizes) if type(size) is Width}
    left = {first + axis for axis, size in enumerate(sizes) if type(size) is int and size == -1}
    return counted or left
