"""Writing a network for other runtimes: each file is read back and compared before it is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from stages.errors import UserError
from stages.exporting.executorch_file import write_executorch
from stages.exporting.executorch_network import ExecutorchNetwork
from stages.exporting.onnx_file import write_onnx
from stages.exporting.program import load_program, save_program, traced
from stages.exporting.quiet import cause
from stages.exporting.runtimes import SUFFIXES, Opener, is_installed, of_onnx
from stages.exporting.verifying import Shape, runs_on, shapes_to_check, verified

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Inputs:
    """What inputs are like: a small one, axes of any length, one in use, and values of a shape."""

    shape: Shape
    dynamic_axes: Axes
    in_use: Shape
    make: Callable[[Shape], Tensor]

    def shape_for(self, axes: Axes) -> Shape:
        """The small one; axes that should be dynamic and are not have the length in use."""
        fixed = set(self.dynamic_axes) - set(axes)
        return tuple((self.in_use if i in fixed else self.shape)[i] for i in range(len(self.shape)))


@dataclass(frozen=True)
class Kept:
    """A file that was kept: a shape it takes, axes of any length, its error (see `verified`)."""

    shape: Shape
    dynamic_axes: Axes
    error: float


@dataclass(frozen=True)
class Exported:
    """What was kept of a network by runtime (`pt2` is `torch.export`), and why others are not.

    In an ExecuTorch program, dynamic axes have at most the length in use, or four times the small
    input's where that is more.
    """

    kept: dict[str, Kept] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def export_model(
    network: nn.Module, inputs: Inputs, stem: Path, facts: Mapping[str, Any]
) -> Exported:
    """Write `STEM.onnx`, `STEM.pt2`, and `STEM.pte` where ExecuTorch is installed.

    As many axes are left dynamic as the network allows. What cannot be written, or gives other
    values than the network, is not kept. `facts` go into the metadata of ONNX.
    """
    network = network.cpu().eval()
    program = cache(lambda axes: traced(network, inputs.shape_for(axes), dict.fromkeys(axes)))
    made = _Attempts(network, inputs, stem)
    made.keep("pt2", lambda axes, path: save_program(program(axes), path), load_program)
    made.keep("onnx", lambda axes, path: write_onnx(program(axes), path, facts), of_onnx()["onnx"])
    if "onnx" in made.exported.kept:  # what holds in ONNX Runtime may not hold elsewhere
        for name, read in of_onnx().items():
            if name != "onnx":
                made.check_onnx(name, read)
    if is_installed("executorch"):
        made.keep("executorch", made.write_executorch, ExecutorchNetwork)
    return made.exported


class _Attempts:
    """Files of one network, tried one after the other."""

    def __init__(self, network: nn.Module, inputs: Inputs, stem: Path):
        self.network, self.inputs, self.stem = network, inputs, stem
        self.exported = Exported()
        self.values = cache(self._values)

    def keep(self, name: str, write: Callable[[Axes, Path], None], read: Opener) -> None:
        """Try a file with all dynamic axes, then with the batch alone, then with none."""
        path = self.stem.with_suffix(SUFFIXES[name])
        all_axes = self.inputs.dynamic_axes
        for axes in dict.fromkeys((all_axes, tuple(axis for axis in all_axes if axis == 0), ())):
            try:
                write(axes, path)
                self.exported.kept[name] = self._checked(axes, path, read)
            except UserError as error:
                self.exported.refused.setdefault(name, str(error))
                path.unlink(missing_ok=True)
            else:
                self.exported.refused.pop(name, None)
                return

    def check_onnx(self, name: str, read: Opener) -> None:
        """Look at the ONNX file that is there in another runtime."""
        axes = self.exported.kept["onnx"].dynamic_axes
        path = self.stem.with_suffix(SUFFIXES["onnx"])
        try:
            self.exported.kept[name] = self._checked(axes, path, read)
        except UserError as error:
            self.exported.refused[name] = str(error)

    def write_executorch(self, axes: Axes, path: Path) -> None:
        """Memory is planned for inputs in use, or for what is compared where that is larger."""
        shape, in_use = self.inputs.shape, self.inputs.in_use
        longest = {axis: max(in_use[axis], 4 * shape[axis]) for axis in axes}
        write_executorch(self.network, self.inputs.shape_for(axes), longest, path)

    def _checked(self, axes: Axes, path: Path, read: Opener) -> Kept:
        try:
            network = read(path)
        except Exception as error:  # whatever a runtime may raise
            raise UserError(f"it cannot be opened: {cause(error)}") from error
        worst = verified(self.network, network, self.values(axes))
        return Kept(self.inputs.shape_for(axes), axes, worst)

    def _values(self, axes: Axes) -> list[Tensor]:
        make = self.inputs.make
        shapes = shapes_to_check(
            self.inputs.shape_for(axes), axes, lambda shape: runs_on(self.network, make(shape))
        )
        return [make(shape) for shape in shapes]
