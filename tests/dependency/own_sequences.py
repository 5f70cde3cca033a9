"""Networks of signals, text and tokens: recurrent ones and transformers."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.dependency.networks_under_test import chain


class Recurrent(nn.Module):
    """A convolution, a recurrent layer, and a linear one that reads its last step."""

    def __init__(self, layer: type[nn.RNNBase], **options: int):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(2, 8, 3, padding=1), nn.BatchNorm1d(8)
        self.layer = layer(8, 6, batch_first=True, **options)
        self.tail = nn.Linear(6 * (1 + self.layer.bidirectional), 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        return self.tail(self.layer(x.transpose(1, 2))[0][:, -1])


class LastStates(nn.Module):
    """Reads the last hidden states of both directions of the last of two layers, time first."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 5)
        self.layer = nn.LSTM(5, 6, num_layers=2, dropout=0.1, bidirectional=True)
        self.tail = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.layer(self.embed(x.transpose(0, 1)))
        return self.tail(torch.cat([hidden[-2], hidden[-1]], 1))


class CellLoop(nn.Module):
    """An LSTMCell stepped by hand, from states of zeros."""

    def __init__(self, states: int | None = None):
        super().__init__()
        self.embed, self.cell, self.states = nn.Linear(4, 5), nn.LSTMCell(5, 6), states
        self.tail = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[0], self.states or self.cell.hidden_size)
        for step in x.unbind(1):
            h, c = self.cell(F.relu(self.embed(step)), (h, c))
        return self.tail(h)


class Text(nn.Module):
    """Words looked up, then an LSTM or their mean. The input holds whole numbers, as floats."""

    def __init__(self, recurrent: bool, long: bool = True):
        super().__init__()
        self.embed, self.recurrent, self.long = nn.Embedding(11, 8), recurrent, long
        self.layer = nn.LSTM(8, 6, batch_first=True) if recurrent else nn.Linear(8, 6)
        self.tail = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        words = self.embed(x.long() if self.long else x)
        if self.recurrent:
            return self.tail(self.layer(words)[0].mean(1))
        return self.tail(F.relu(self.layer(words.mean(1))))


class ViT(nn.Module):
    """Patches, a class token, places, blocks, and a head that reads the class token."""

    def __init__(self, blocks: nn.Module):
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 4, stride=4)
        self.token = nn.Parameter(torch.empty(1, 1, 8))
        self.places = nn.Parameter(torch.empty(1, 5, 8))
        self.blocks, self.norm, self.head = blocks, nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


class Attending(nn.Module):
    """A block with nn.MultiheadAttention, normalised before."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class ByHand(nn.Module):
    """Three heads of four by F.scaled_dot_product_attention; the scale is its own, or given.

    What is written in the code is the number of heads or, if that is open, their size.
    """

    def __init__(self, scale: float | None, open_heads: bool = False, queries: int = 12):
        super().__init__()
        self.scale, self.open_heads, self.norm = scale, open_heads, nn.LayerNorm(8)
        self.q, self.kv = nn.Linear(8, queries), nn.Linear(8, 24)
        self.out = nn.Linear(queries, 8)

    def _heads(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        shape = (n, length, -1, 4) if self.open_heads else (n, length, 3, width // 3)
        return x.view(shape).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = (self._heads(part) for part in (self.q(y), *self.kv(y).chunk(2, -1)))
        y = F.scaled_dot_product_attention(q, k, v, scale=self.scale, enable_gqa=self.open_heads)
        return x + self.out(y.transpose(1, 2).flatten(2))


class GatedMLP(nn.Module):
    """The MLP of language models, normalised before by its root mean square."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.down = nn.RMSNorm(8), nn.Linear(12, 8, bias=False)
        self.up, self.gate = nn.Linear(8, 12, bias=False), nn.Linear(8, 12, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def gated_mlp() -> nn.Module:
    return chain(embed=nn.Linear(5, 8), block=GatedMLP(), norm=nn.RMSNorm(8), head=nn.Linear(8, 3))


def encoder(norm_first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
