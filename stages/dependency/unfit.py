"""Networks that can be told to be unfit for pruning before anything is tried on them."""

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.prune import BasePruningMethod

from stages.errors import UserError


def refuse_unfit(network: nn.Module) -> None:
    """Refuse TorchScript, lazy layers, masks of `torch.nn.utils.prune`, and half precision.

    Raises:
        UserError: naming the layer, and what to do.
    """
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise UserError(
                f"{name or 'the network'} is TorchScript: give the nn.Module that it was made from"
            )
        hooks = module._forward_pre_hooks.values()
        if any(isinstance(hook, BasePruningMethod) for hook in hooks):
            raise UserError(
                f"{name} is masked by torch.nn.utils.prune: call its `remove` on it first, which "
                "leaves plain parameters"
            )
    lazy = [n for n, t in network.named_parameters() if is_lazy(t)]
    if lazy:
        raise UserError(
            f"{lazy[0]} has no shape yet: let the factory run the network on an input, or give its "
            "sizes"
        )
    half = [n for n, p in network.named_parameters() if p.dtype in (torch.float16, torch.bfloat16)]
    if half:
        raise UserError(
            f"the network is in half precision ({half[0]}): call .float() on it first, for what is "
            "removed is compared exactly"
        )
