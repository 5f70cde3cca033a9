"""Prices of a network's tensors: MACs and bytes of each element (see `stages.channels.prices`)."""

from collections import Counter
from typing import Any

from torch import nn

from stages.measuring.macs import macs_of


def network_prices(
    network: nn.Module, saved_bytes: int, shape: tuple[int, ...]
) -> dict[str, dict[str, Any]]:
    """MACs for an input of `shape`, and bytes of a file of `saved_bytes`, by element and tensor."""
    macs, state = macs_of(network, shape), network.state_dict(keep_vars=True)
    names = {id(t): name for name, t in (*network.named_buffers(), *network.named_parameters())}
    count = Counter[str]()  # of multiplications, of what is shared under its first name
    for name, multiplied in macs.by_tensor.items():
        count[names[id(network.get_parameter(name))]] += multiplied
    times = Counter(
        names[id(tensor)] for tensor in state.values()
    )  # shared ones are saved as often
    sizes = {name: state[name].element_size() * times[name] for name in times}
    stored = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    return {
        "macs": {
            "shape": list(shape),
            "elements": {n: c / network.get_parameter(n).numel() for n, c in count.items()},
            "rest": macs.count - sum(macs.by_tensor.values()),
        },
        "bytes": {"elements": sizes, "rest": saved_bytes - stored},
    }
