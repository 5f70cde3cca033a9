"""Networks that put values in order, take sizes from layers, or ask how wide they are."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.dependency.networks_under_test import Step, between, chain, conv

QUARTILES = torch.tensor([0.25, 0.75])

# Over positions, channels keep apart.
IN_ORDER: dict[str, Callable[[Tensor], Tensor]] = {
    "sort": lambda x: x.sort(dim=2)[0],
    "stable sort": lambda x: torch.sort(x, dim=-1, descending=True, stable=True).values,
    "sort of the last": lambda x: x.sort(stable=True)[0],
    "order": lambda x: x.gather(2, x.argsort(dim=2, stable=True)),
    "topk": lambda x: x.topk(3, dim=2)[0],
    "topk of the last": lambda x: x.topk(3)[0],
    "median": lambda x: x * x.median(2, keepdim=True)[0],
    "median, not a number": lambda x: x * x.nanmedian(dim=3, keepdim=True)[0],
    "median of all positions": lambda x: x * x.flatten(2).median(-1)[0][..., None, None],
    "quantile": lambda x: x * x.quantile(0.3, dim=2, keepdim=True),
    "quantiles": lambda x: x * x.quantile(QUARTILES.to(x), dim=2, keepdim=True).sum(0),
    "quantile, not a number": lambda x: x * x.nanquantile(0.3, dim=3, keepdim=True),
    "quantile of all positions": lambda x: x * x.flatten(2).quantile(0.3, -1)[..., None, None],
    "third smallest": lambda x: x * x.kthvalue(3, 2, keepdim=True)[0],
    "largest so far": lambda x: x.cummax(2)[0],
    "range": lambda x: x * (x.aminmax(dim=2, keepdim=True)[1]),
    "numbers for all channels": lambda x: x.gather(
        2, torch.arange(8, device=x.device).flip(0).view(1, 1, 8, 1).expand(x.shape)),
    "moved in place": lambda x: x * (x + 1).transpose_(1, 3).transpose(1, 3),
}  # fmt: skip

# Over channels, all of them go into each value.
OVER_CHANNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "stable sort": lambda x: x.sort(stable=True, dim=1)[0],
    "topk": lambda x: x.topk(8, dim=1)[0],
    "median": lambda x: x * x.median(1, keepdim=True)[0],
    "median of all": lambda x: x * x.median(),
    "quantile": lambda x: x * x.quantile(0.3, dim=1, keepdim=True),
    "quantile of all": lambda x: x * x.quantile(0.3),
}  # fmt: skip


def numbers_by_place(x: Tensor) -> Tensor:
    """Picks other positions for each channel, by the channel's place."""
    numbers = torch.arange(512, device=x.device).view(1, 8, 8, 8) % 7
    return x.gather(2, numbers[:, : x.shape[1]].repeat(x.shape[0], 1, 1, 1))


class FromCode(nn.Module):
    """Makes a small picture with as many channels as the next layer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.conv, self.tail = nn.Linear(5, 72), conv(8, 6), conv(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.conv(self.head(x).view(len(x), self.conv.in_channels, 3, 3)))


class NoChannels(nn.Module):
    """A layer of no channels beside others."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.none, self.tail = conv(2, 8), nn.Linear(8, 0), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        none = self.none(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.tail(torch.cat([x, none], 1))


def unflattened(*sizes: int) -> nn.Module:
    return chain(head=nn.Linear(5, 128), apart=nn.Unflatten(1, sizes), tail=conv(8, 3))


class Asking(nn.Module):
    """Two layers, and what is made of both by their widths."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor], made: int = 6, read: int = 6):
        super().__init__()
        self.head, self.next, self.tail, self.join = conv(2, 8), conv(8, made), conv(read, 3), join

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return self.tail(self.join(x, self.next(x)))


class AskingLayers(nn.Module):
    """Compares sizes that layers hold."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.next, self.tail = conv(2, 8), conv(8, 6), conv(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.next(self.head(x))
        return self.tail(x.relu() if self.next.in_channels == self.next.out_channels else x)


def added_where_equal(x: Tensor, y: Tensor) -> Tensor:
    return y + x if y.shape == x.shape else y


def doubled(x: Tensor, where: bool) -> Tensor:
    return 2 * x if where else x


def alone(*steps: Step) -> Callable[[], nn.Module]:
    return lambda: between(*steps)


# Each of them is another function at some widths: where it is, what stays must keep it away.
TURNING: dict[str, Callable[[], nn.Module]] = {
    "added where equal": lambda: Asking(added_where_equal),
    "added where equal, wider": lambda: Asking(added_where_equal, 12, 12),
    "doubled where as wide": lambda: Asking(lambda x, y: doubled(y, x.shape[1] == y.shape[1])),
    "doubled where twice as wide": lambda: Asking(
        lambda x, y: doubled(y, x.size(1) == 2 * y.size(1))),
    "order by width": lambda: Asking(
        lambda x, y: torch.cat([x, y] if len(y[0]) < x.shape[1] else [y, x], 1), read=14),
    "layers of equal widths": AskingLayers,
    "one width": alone(lambda x: doubled(x, x.shape[1] == 5)),
    "one width of several": alone(lambda x: doubled(x, x.shape[1] in (5, 9))),
    "a few channels": alone(lambda x: doubled(x, x.size(dim=1) <= 3)),
    "a single channel": alone(lambda x: doubled(x, x.shape[1] == 1)),
    "multiples": alone(lambda x: doubled(x, not x.shape[1] % 7)),
    "number of values": alone(lambda x: doubled(x, x.numel() == 2 * 64 * 3)),
    "larger of both": lambda: Asking(lambda x, y: doubled(y, max(x.shape[1], y.shape[1]) == 4)),
}  # fmt: skip

# These ask, and do the same whatever the answer is.
STEADY: dict[str, Callable[[Tensor], Tensor]] = {
    "asserts a channel": lambda x: x if x.shape[1] >= 1 else x.no_such_thing,
    "another name": lambda x: x.relu() if x.shape[1] == 5 else torch.relu(x),
    "at most a hundred": lambda x: x[:, : min(x.shape[1], 100)],
}
