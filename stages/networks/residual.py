"""Compact residual classifiers of signals and of pictures (He et al., CVPR 2016)."""

from collections.abc import Sequence

from torch import Tensor, nn


class ResidualClassifier(nn.Module):
    """Scores of classes, (N, classes), for (N, C, L) or (N, C, H, W), as `input_shape` says.

    The stem has `widths[0]` channels and a stride of `strides[0]`; the residual blocks that follow
    have the others. Then the mean over all positions, and one linear layer.
    """

    def __init__(
        self,
        classes: int,
        input_shape: Sequence[int],
        widths: Sequence[int],
        strides: Sequence[int],
        kernel: int,
    ):
        super().__init__()
        if len(widths) != len(strides):
            raise ValueError(f"{len(widths)} widths need as many strides, not {len(strides)}")
        flat = len(input_shape) == 2
        self.stem = Convolution(flat, input_shape[0], widths[0], kernel, strides[0])
        self.relu = nn.ReLU()
        self.blocks = nn.Sequential(
            *(
                Block(flat, inside, outside, kernel, stride)
                for inside, outside, stride in zip(widths, widths[1:], strides[1:], strict=False)
            )
        )
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        features = self.blocks(self.relu(self.stem(x)))
        return self.head(features.flatten(2).mean(2))  # type: ignore[no-any-return]


class Convolution(nn.Sequential):
    """A convolution and its batch normalisation, over one axis (`flat`) or two."""

    def __init__(self, flat: bool, inside: int, outside: int, kernel: int, stride: int):
        conv, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        super().__init__(
            conv(inside, outside, kernel, stride, kernel // 2, bias=False), norm(outside)
        )


class Block(nn.Module):
    """Two convolutions beside the input, or beside a 1x1 convolution where the shape changes."""

    def __init__(self, flat: bool, inside: int, outside: int, kernel: int, stride: int):
        super().__init__()
        self.first = Convolution(flat, inside, outside, kernel, stride)
        self.second = Convolution(flat, outside, outside, kernel, 1)
        same = inside == outside and stride == 1
        self.skip = nn.Identity() if same else Convolution(flat, inside, outside, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.relu(self.first(x)))
        return self.relu(y + self.skip(x))  # type: ignore[no-any-return]


def residual_signal(
    classes: int,
    input_shape: Sequence[int],
    widths: Sequence[int] = (24, 24, 24),
    strides: Sequence[int] = (1, 2, 2),
    kernel: int = 9,
) -> ResidualClassifier:
    """A residual classifier of sequences (C, L): few strides and a wide kernel."""
    return ResidualClassifier(classes, input_shape, widths, strides, kernel)


def residual_picture(
    classes: int,
    input_shape: Sequence[int],
    widths: Sequence[int] = (16, 24, 32, 48),
    strides: Sequence[int] = (2, 2, 2, 2),
    kernel: int = 3,
) -> ResidualClassifier:
    """A residual classifier of pictures or spectrograms (C, H, W)."""
    return ResidualClassifier(classes, input_shape, widths, strides, kernel)
