"""The value before the rectifier, whatever way a network rectifies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import beholder as bh
from beholder.models import Unit
from beholder.synthesis.gradients._before_rectifier import find_before_rectifier
from beholder.synthesis.gradients._network import Network


class Fire(nn.Module):
    """Two branches, rectified and joined."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.relu(self.one(x)), self.relu(self.three(x))], 1)


class Habits(nn.Module):
    """Modules and functions, in place or not, with a ceiling, of tokens, of a sum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)
        self.fire = Fire()
        self.conv2, self.norm, self.relu6 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6()
        self.tokens = nn.Linear(8, 8)
        self.join = nn.Identity()
        self.smooth = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.fire(self.relu(self.conv1(x)))
        x = self.relu6(8 * self.norm(self.conv2(x)) + x)
        x = self.join(F.relu(self.tokens(x.flatten(2).transpose(1, 2)) - 0.2))
        return self.smooth(x)


@pytest.fixture(scope="module")
def model() -> bh.Model:
    return bh.wrap(Habits().eval(), input_shape=(3, 8, 8))


def look(model: bh.Model, unit: Unit) -> Unit | None:
    generator = torch.Generator().manual_seed(1)
    images = 2 * torch.randn(4, 3, 8, 8, generator=generator)
    return find_before_rectifier(model, Network(model, [unit.layer], images[:1]), unit, images)


@pytest.mark.parametrize(
    ("layer", "channel", "expected"),
    [
        ("relu", 2, ("relu:in", 2)),
        ("fire", 1, ("fire.one", 1)),
        ("fire", 6, ("fire.three", 2)),
        ("fire.relu@2", 3, ("fire.relu@2:in", 3)),
        ("relu6", 5, ("relu6:in", 5)),
    ],
)
def test_it_is_found(model: bh.Model, layer: str, channel: int, expected: tuple[str, int]) -> None:
    found = look(model, Unit(layer, channel))
    assert found == Unit(*expected)
    assert found is not None
    images = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
    _, layers = bh.capture(model, images, [layer, found.layer])
    ceiling = 6 if layer == "relu6" else None
    rectified = layers[found.layer][:, found.channel].clamp(0, ceiling)
    torch.testing.assert_close(rectified, layers[layer][:, channel], rtol=0, atol=0)


@pytest.mark.parametrize("layer", ["conv1", "norm", "smooth", "join"])
def test_what_is_not_rectified_or_has_no_name_is_not_found(model: bh.Model, layer: str) -> None:
    assert look(model, Unit(layer, 1)) is None


def test_hooks_are_gone(model: bh.Model) -> None:
    look(model, Unit("relu", 0))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.module.modules())
