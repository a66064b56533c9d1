"""What a notebook shows of metamers."""

from __future__ import annotations

import json
import re

import numpy as np
import torch
from torch import nn

import beholder as bh
from beholder.models import SoundPreprocessing
from beholder.synthesis import make_metamers


def _read(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])  # pyright: ignore[reportOptionalSubscript]


def test_pictures_by_stimulus_layer_and_seed():
    torch.manual_seed(0)
    net = bh.wrap(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()), input_range=(0, 1), input_shape=(3, 16, 16)
    )
    images = np.random.default_rng(0).uniform(0, 1, (2, 3, 16, 16)).astype(np.float32)
    made = make_metamers(net, images, layers=["0", "1"], seeds=[0, 1], iterations=3)
    html = made._repr_html_()
    data = _read(html)
    assert len(data["originals"]) == 2
    assert len(data["made"]) == len(made) == 8
    assert all(one["picture"].startswith("data:image/webp") and not one["sound"] for one in data["made"].values())
    assert "not tested" in html  # pyright: ignore[reportOperatorIssue]
    assert "dB" in data["made"]["0 0 0"]["facts"]


def test_sounds_have_players():
    torch.manual_seed(0)
    form = SoundPreprocessing(rate=8000, duration=0.25)
    net = bh.wrap(nn.Sequential(nn.Linear(2000, 8), nn.ReLU()), preprocess=form)
    sounds = 0.1 * np.random.default_rng(0).standard_normal((1, 2000)).astype(np.float32)
    made = make_metamers(net, sounds, layers=["0"], iterations=3)
    data = _read(made._repr_html_())
    assert data["made"]["0 0 0"]["sound"].startswith("data:audio/wav")
    assert data["originals"]["0"]["picture"].startswith("data:image/svg+xml")
