"""Small networks with the habits that make capturing hard."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InPlaceNet(nn.Module):
    """In-place ReLUs after convolutions, one ReLU called three times, a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(6, 4)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        y = self.relu(self.conv2(x))
        y += x
        x = self.pool(self.relu(y))
        return self.head(x.mean((2, 3)))


class TokenNet(nn.Module):
    """A transformer that keeps its tokens first and its batch second."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 8, 4, stride=4)
        self.attn = nn.MultiheadAttention(8, 2)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).permute(2, 0, 1)
        mixed, _ = self.attn(tokens, tokens, tokens, need_weights=False)
        return self.head(self.norm(tokens + mixed).mean(0))


class LoopNet(nn.Module):
    """A recurrent network whose cell returns a tuple, and a branch that never runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(4, 3, batch_first=True)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x)
        return self.head(out[:, -1])
