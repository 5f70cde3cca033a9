"""Networks composed at random. Every choice is the caller's: a seed makes it, or hypothesis."""

import torch
from torch import Tensor, nn

from tests.dependency.networks_under_test import conv, lively
from tests.dependency.random_operators import OPERATORS, TAILS, WIDEST, WIDTHS, Choose

SHAPE = (2, 4, 8, 8)
COUNTS = range(3, 11)  # of operators between head and tail

Step = tuple[nn.Module, int | None]  # a layer, and the earlier value that it reads too, if any


class Composed(nn.Module):
    """Steps, each of which reads the latest value, and some an earlier one too."""

    def __init__(self, width: int):
        super().__init__()
        self.head, self.tail = conv(SHAPE[1], width), nn.Identity()
        self.steps = nn.ModuleList()
        self.reads: list[int | None] = []

    def append(self, layer: nn.Module, earlier: int | None) -> None:
        self.steps.append(layer)
        self.reads.append(earlier)

    def values(self, x: Tensor) -> list[Tensor]:
        """Return the input, and what the head and each step make."""
        values = [x, self.head(x)]
        for layer, earlier in zip(self.steps, self.reads, strict=True):
            also = () if earlier is None else (values[earlier],)
            values.append(layer(values[-1], *also))
        return values

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.values(x)[-1])

    def extra_repr(self) -> str:
        return f"earlier values that steps read: {self.reads}"


class Meeting(nn.Module):
    """What is made of the latest value and an earlier one, whose channels a layer may change."""

    def __init__(self, how: str, own: nn.Module):
        super().__init__()
        self.how, self.own = how, own

    def forward(self, x: Tensor, earlier: Tensor) -> Tensor:
        other = self.own(earlier)
        if self.how == "concatenate":
            return torch.cat([x, other], 1)
        return x + other if self.how == "add" else x * other.sigmoid()

    def extra_repr(self) -> str:
        return self.how


def compose(choose: Choose) -> Composed:
    """Compose a network that runs on `SHAPE`, with parameters such that every channel matters.

    It is in double precision, so that rounding is not taken for a fault.
    """
    network, example = Composed(choose(WIDTHS)), torch.zeros(SHAPE)
    with torch.no_grad():
        for _ in range(choose(COUNTS)):
            network.append(*_step(network, network.values(example), choose))
        last = network.values(example)[-1]
    network.tail = TAILS[choose(list(TAILS))](last.shape[1], last.shape[-1])
    torch.manual_seed(0)
    return lively(network).double()


def _step(network: Composed, values: list[Tensor], choose: Choose) -> Step:
    """Choose one more step among those that can follow the latest value."""
    channels, size = values[-1].shape[1:3]
    fitting = {name: [known] for name, known in OPERATORS.items() if known.fits(channels, size)}
    kinds = fitting | _meetings(values) | _reusable(network, values)
    kind = choose([name for name, options in kinds.items() if options])
    option = choose(kinds[kind])
    if kind in fitting:
        return option.make(channels, choose), None
    if kind == "again":
        return option, None
    if kind in ("tied", "mirrored"):
        return _tied(option, kind == "mirrored"), None
    width = values[option].shape[1]
    fits = kind == "concatenate" or width == channels
    return Meeting(kind, nn.Identity() if fits else nn.Conv2d(width, channels, 1)), option


def _meetings(values: list[Tensor]) -> dict[str, list[int]]:
    """The places of the earlier values that the latest can be joined with, by how it can."""
    latest = values[-1].shape
    near = [place for place, v in enumerate(values[:-1]) if v.shape[2:] == latest[2:]]
    thin = [place for place in near if values[place].shape[1] + latest[1] <= WIDEST]
    return {"add": near, "multiply": near, "concatenate": thin}


def _reusable(network: Composed, values: list[Tensor]) -> dict[str, list[nn.Module]]:
    """Earlier layers that can be called again, and those whose weight another can have too."""
    shape = values[-1].shape
    known = zip(network.steps, network.reads, values[1:], strict=False)
    again = [step for step, earlier, given in known if earlier is None and given.shape == shape]
    plain = [
        step
        for step in network.steps
        if isinstance(step, nn.Conv2d) and step.groups == 1 and step.stride == (1, 1)
    ]
    return {
        "again": [step for step in again if any(True for _ in step.parameters())],
        "tied": [step for step in plain if step.in_channels == shape[1]],
        "mirrored": [step for step in plain if step.out_channels == shape[1]],
    }


def _tied(layer: nn.Conv2d, mirrored: bool) -> nn.Module:
    """A layer with a bias of its own and the weight of another, which it may use backwards."""
    made: nn.Conv2d | nn.ConvTranspose2d
    inputs, outputs = layer.in_channels, layer.out_channels
    if mirrored:
        made = nn.ConvTranspose2d(outputs, inputs, layer.kernel_size, padding=layer.padding)
    else:
        made = nn.Conv2d(inputs, outputs, layer.kernel_size, padding=layer.padding)
    made.weight = layer.weight
    return made
