"""A network that enlarges luma of any size."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from stages.device import device_of
from stages.errors import UserError
from stages.inference.upsampling import run
from stages.upscaling.reach import reach_of
from stages.upscaling.tiles import Reach, over_tiles


@dataclass(frozen=True)
class Enlarger:
    """A network, how many times larger it makes luma each way, and the side of a tile.

    The side is in low-resolution pixels, without the overlap, and is cut to a multiple of the
    network's alignment; None: frames go through the network whole. `original` is the network in
    PyTorch, where it runs elsewhere.
    """

    network: nn.Module
    scale: int
    tile: int | None = None
    original: nn.Module | None = None

    @cached_property
    def reach(self) -> Reach:
        """How far the network looks: found once, for all frames.

        Raises:
            UserError: if it cannot run over tiles.
        """
        return reach_of(self.network, self.scale, self.original)

    def enlarge(self, luma: Tensor) -> Tensor:
        """Luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W) on the CPU.

        The batch goes through the network at once; a frame larger than a tile goes in tiles, with
        the result of the whole frame.

        Raises:
            UserError: if the network fails, or cannot run over tiles.
        """
        if self.tile is None or max(luma.shape[2:]) <= self.tile:
            return run(self.network, luma, self.scale)
        return over_tiles(self.network, luma, self.scale, self.tile, self.reach)


def scale_of(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many times larger a network makes luma each way, read off its output on a shape.

    Raises:
        UserError: if it does not take luma, or what it makes is no enlargement.
    """
    if len(shape) != 4 or shape[1] != 1:
        raise UserError(
            f"the network takes {shape}, not luma (N, 1, H, W): name an up-sampling one"
        )
    try:
        with torch.no_grad():
            output = network.eval()(torch.zeros(shape, device=device_of(network)))
    except Exception as error:  # whatever a user's own forward pass may raise
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"the network does not take inputs of shape {shape}: {reason}") from error
    if not torch.isfinite(output).all():
        raise UserError("the network makes values that are no numbers: train it again")
    made = tuple(output.shape)
    scale = int(made[-1]) // shape[-1]
    if not scale or made != (*shape[:2], scale * shape[2], scale * shape[3]):
        raise UserError(f"the network turns {shape} into {made}: give one that enlarges luma")
    return scale
