"""Small networks with the habits that make synthesis hard."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import beholder as bh


class SmallNet(nn.Module):
    """An in-place ReLU after a convolution, a functional ReLU after a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.late = nn.Conv2d(6, 8, 3, stride=2)
        self.head = nn.Linear(8, 4)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = F.relu(self.conv2(x) + x)
        x = self.late(x).relu()
        return self.head(x.mean((2, 3)))


class SoundNet(nn.Module):
    """Two convolutions over samples."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv1 = nn.Conv1d(1, 8, 9, stride=2)
        self.conv2 = nn.Conv1d(8, 8, 9, stride=2)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.conv2(F.relu(self.conv1(x[:, None])))).mean(2))


def make_model(size: int = 16, network: nn.Module | None = None) -> bh.Model:
    """The small network, or another, pictures in [0, 1]."""
    return bh.wrap(
        network or SmallNet(), normalize=lambda x: (x - 0.5) / 0.25, input_range=(0.0, 1.0), input_shape=(3, size, size)
    )


def count_hooks(module: nn.Module) -> int:
    """Forward hooks on all modules."""
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())
