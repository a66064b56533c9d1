"""Real SqueezeNet: what is made beats the best of a thousand natural pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import beholder as bh
from beholder.synthesis import Channel, Fourier, synthesize

# Largest spatial mean over the 1,000 pictures of the sample, the module's own output.
NATURAL_MAXIMUM = {
    ("features.6", 52): 7.870,
    ("features.9", 17): 68.802,
    ("features.12", 9): 33.758,
    ("features.12", 456): 24.212,
    ("features.7.expand3x3", 33): 4.205,
    ("features.10.squeeze", 5): 181.821,
}  # fmt: skip


@pytest.fixture
def net(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> bh.Model:
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    return bh.load_model("torchvision:squeezenet1_1", pretrained=True)


def test_beats_the_best_natural_picture(net: bh.Model) -> None:
    units = list(NATURAL_MAXIMUM)
    made = synthesize(net, [Channel(layer, channel) for layer, channel in units], steps=24)
    ratios = made.scores / np.array([NATURAL_MAXIMUM[unit] for unit in units])
    assert (ratios > 1).sum() >= len(units) - 1, dict(zip(units, ratios, strict=True))


def test_without_redirection_a_unit_sleeps_on(net: bh.Model) -> None:
    asleep = synthesize(net, Channel("features.12", 9), steps=4, redirect_steps=0, transforms=())
    awake = synthesize(net, Channel("features.12", 9), steps=12, transforms=())
    assert float(asleep.scores[0]) == 0.0
    assert float(awake.scores[0]) > 0.0


def test_together_and_alone_agree_on_the_real_network(net: bh.Model) -> None:
    objectives = [Channel("features.6", i) for i in range(3)]
    together = synthesize(net, objectives, steps=10, threads=1, parameterization=Fourier())
    alone = synthesize(net, objectives[1], steps=10, threads=1)
    np.testing.assert_allclose(alone.images[0], together.images[1], atol=5e-3)
