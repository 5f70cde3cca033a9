"""Small networks that between them use every rule; `cases.py` says how each is prunable."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

torch.set_num_threads(1)  # networks so small run several times faster without threads

Step = nn.Module | Callable[[Tensor], Tensor]


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Join(nn.Module):
    """What a function makes of the input and of what a branch makes of it."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor], *branch: nn.Module):
        super().__init__()
        self.join, self.c = join, nn.Sequential(*branch)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x, self.c(x))


class Halves(nn.Module):
    """Two parts of the channels, each to a convolution of its own."""

    def __init__(self, split: Callable[[Tensor], tuple[Tensor, ...]], first: int, second: int):
        super().__init__()
        self.split, self.a, self.b = split, conv(first, 3), conv(second, 3)

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.split(x)
        return self.a(one) + self.b(other)


class LearnedScale(nn.Module):
    """A parameter of a module that no one knows: a factor for each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def conv(inputs: int, outputs: int, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)  # type: ignore[arg-type]


def up(inputs: int, outputs: int, groups: int = 1) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2, groups=groups)


def chain(**steps: Step) -> nn.Sequential:
    layers = {n: s if isinstance(s, nn.Module) else Apply(s) for n, s in steps.items()}
    return nn.Sequential(OrderedDict(layers))


def between(*middle: Step, width: int = 8, out: int | None = None) -> nn.Sequential:
    """`head` makes `width` channels, `tail` reads `out`; in between `m0`, `m1`, ... are tried."""
    steps = {f"m{number}": step for number, step in enumerate(middle)}
    return chain(head=conv(2, width), **steps, tail=conv(out or width, 3))


def halves(
    split: Callable[[Tensor], tuple[Tensor, ...]], first: int, second: int, width: int = 8
) -> nn.Module:
    return chain(head=conv(2, width), halves=Halves(split, first, second))


def shared() -> nn.Module:
    """Two layers with one weight and one bias."""
    network = between(conv(8, 8), relu, conv(8, 8), relu)
    network.m2.weight, network.m2.bias = network.m0.weight, network.m0.bias
    return network


def twice() -> nn.Module:
    """One layer that is called twice."""
    layer = conv(8, 8)
    return between(layer, relu, layer, relu)


def shuffled(x: Tensor) -> Tensor:
    return x.view(x.shape[0], 2, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


def windows(x: Tensor) -> Tensor:
    """Cut padded 12x12 positions into 4x4 windows, channels last, as window attention does."""
    x = pad(x, (4, 0, 4, 0)).permute(0, 2, 3, 1)
    return x.reshape(-1, 3, 4, 3, 4, x.shape[-1]).transpose(2, 3).reshape(-1, 16, x.shape[-1])


def joined(x: Tensor) -> Tensor:
    c = x.shape[-1]
    return x.view(-1, 3, 3, 4, 4, c).transpose(2, 3).reshape(-1, 12, 12, c).permute(0, 3, 1, 2)


def gate_of(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return one * torch.sigmoid(other)


def attention() -> nn.Module:
    gate = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1)]
    return between(Join(torch.mul, *gate, nn.Sigmoid()))


def dense() -> nn.Module:
    def grow(n: int) -> nn.Module:
        return Join(lambda x, y: torch.cat([x, y], 1), conv(n, 4), nn.ReLU())

    return between(grow(4), grow(8), width=4, out=12)


def residual(*body: nn.Module) -> nn.Module:
    return Join(torch.add, *body)


def signal() -> nn.Module:
    return chain(head=nn.Conv1d(2, 8, 5), norm=nn.BatchNorm1d(8), act=relu, pool=nn.MaxPool1d(2),
                 next=nn.Conv1d(8, 6, 3), prelu=nn.PReLU(6), mean=nn.AdaptiveAvgPool1d(1),
                 flat=nn.Flatten(), tail=nn.Linear(6, 3))  # fmt: skip


def flattened() -> nn.Module:
    return chain(head=conv(2, 6), act=relu, flat=nn.Flatten(), hidden=nn.Linear(6 * 16, 10),
                 act2=relu, tail=nn.Linear(10, 3))  # fmt: skip


def padded(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([y, torch.zeros_like(x)], 1)


def asserting(x: Tensor) -> Tensor:
    """Stop without a word at any other width, as a bare `assert` does outside of pytest."""
    if x.shape[1] != 8:
        raise AssertionError
    return x


def lively(network: nn.Module) -> nn.Module:
    """Draw all parameters and statistics so that every channel matters, in eval mode."""
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.dim() > 1:
                tensor.normal_(0, (2 / max(1, tensor[:1].numel())) ** 0.5)
            elif tensor.dim() == 1:
                tensor.uniform_(*((0, 1) if name.endswith("bias") else (0.5, 1.5)))
    return network.eval()
