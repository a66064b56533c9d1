"""Real SqueezeNet over a thousand pictures: what is made of random units beats the best of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import beholder as bh
from beholder.models import Unit

LAYERS = ["features.6", "features.7", "features.9", "features.10", "features.11", "features.12"]


@pytest.mark.slow
def test_twenty_random_units(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    net = bh.load_model("torchvision:squeezenet1_1", pretrained=True)
    acts = bh.record_units(net, shared_data / "imagenet_sample", layers=LAYERS, out_path=tmp_path)
    generator = np.random.default_rng(20)
    units = []
    while len(units) < 20:
        layer = LAYERS[generator.integers(len(LAYERS))]
        unit = Unit(layer, int(generator.integers(acts[layer].shape[-1])))
        if unit not in units and acts[layer].to_numpy()[:, unit.channel].max() > 0:
            units.append(unit)
    vis = bh.optimize_units(net, units, n_images=1, steps=64, activations=acts, out_path=tmp_path)
    rows = [row for row in vis.table if row["sign"] == "max"]
    assert sum(row["beats"] == "yes" for row in rows) >= 19, [row["note"] for row in rows]
    floors = [row for row in vis.table if row["sign"] == "min" and row["natural_best"] == 0]
    assert {row["beats"] for row in floors} == {"tie"}
    named = [row for row in floors if "before the rectifier it is" in row["note"]]
    assert len(named) >= 0.9 * len(floors)


def test_a_unit_and_its_value_before_the_rectifier(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    net = bh.load_model("torchvision:squeezenet1_1", pretrained=True)
    units = [Unit("features.6", 236), Unit("features.6.expand3x3", 108)]
    pictures = bh.StimulusSet.from_folder(shared_data / "imagenet_sample")[:60]
    acts = bh.record_units(net, pictures, layers=["features.6", "features.6.expand3x3"], out_path=tmp_path)
    vis = bh.optimize_units(net, units, n_images=1, steps=16, activations=acts, out_path=tmp_path)
    rows = {(row["layer"], row["sign"]): row for row in vis.table}
    assert rows["features.6", "max"]["beats"] == "yes"
    assert rows["features.6.expand3x3", "min"]["beats"] == "yes"
    assert rows["features.6", "min"]["beats"] in ("tie", "yes")
    if rows["features.6", "min"]["beats"] == "tie":
        assert rows["features.6", "min"]["note"].endswith("features.6.expand3x3:108")
