"""A small network that the values of other packages in these tests were made with."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def make_network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(288, 6))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.15, generator=generator)
    return network.requires_grad_(False).eval()


def make_problem(n: int = 16) -> tuple[nn.Module, Tensor, Tensor]:
    """The network, pictures and its own answers to them as labels."""
    network = make_network()
    x = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return network, x, network(x).argmax(1)


def write_code(is_wrong: Tensor) -> str:
    """1 a stimulus that is answered wrongly."""
    return "".join(str(int(each)) for each in is_wrong)
