"""Recording layers of interest, and class accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder.models import Unit, UnitList
from beholder.stimuli import load_wnids
from beholder.units import measure_accuracy
from beholder.units._accuracy import find_class_targets, find_places

from .conftest import read_tree


class Rectified(nn.Module):
    """A residual block whose one ReLU, in place, runs twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.conv2 = nn.Conv2d(5, 5, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv1(x)))
        y = self.conv2(x)
        y += x
        return self.head(self.relu(y).mean((2, 3)))


@pytest.fixture
def net() -> bh.Model:
    return bh.wrap(Rectified().eval(), input_shape=(3, 8, 8), name="rectified")


@pytest.fixture
def batch() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((10, 3, 8, 8)).astype(np.float32)


def test_layers_of_interest_are_means_before_later_changes(net: bh.Model, batch: np.ndarray, tmp_path: Path) -> None:
    stimuli = bh.StimulusSet.from_arrays(batch, kind="array")
    acts = bh.record_units(net, stimuli, out_path=tmp_path, batch_size=4)
    assert acts.path == tmp_path / "rectified.mean.zarr"
    assert acts.layers == ["conv1", "norm", "conv2", "output"]
    with torch.no_grad():
        conv1 = net.module.conv1(torch.as_tensor(batch))  # type: ignore[operator]
        norm = net.module.norm(conv1)  # type: ignore[operator]
        conv2 = net.module.conv2(norm.relu())  # type: ignore[operator]
        output = net.module(torch.as_tensor(batch))
    for name, values in {"conv1": conv1, "norm": norm, "conv2": conv2}.items():
        np.testing.assert_allclose(acts[name].to_numpy(), values.mean((2, 3)).numpy(), atol=1e-5)
    np.testing.assert_allclose(acts["output"].to_numpy(), output.numpy(), atol=1e-5)


def test_only_the_layers_of_units(net: bh.Model, batch: np.ndarray, tmp_path: Path) -> None:
    units = UnitList((Unit("relu@2:in", 3), Unit("conv1", 0)))
    stimuli = bh.StimulusSet.from_arrays(batch, kind="array")
    acts = bh.record_units(net, stimuli, units, out_path=tmp_path)
    assert acts.layers == ["conv1", "relu@2:in", "output"]  # the network's order
    assert acts["relu@2:in"].shape == (10, 5)
    units.save(tmp_path / "units.json")
    again = bh.record_units(net, stimuli, tmp_path / "units.json", out_path=tmp_path / "again")
    assert read_tree(again.path) == read_tree(acts.path)
    more = bh.record_units(net, stimuli, layers=["conv?"], out_path=tmp_path)
    assert set(more.layers) == {"relu@2:in", "conv1", "conv2", "output"}


def test_refusals(net: bh.Model, batch: np.ndarray, tmp_path: Path) -> None:
    stimuli = bh.StimulusSet.from_arrays(batch, kind="array")
    with pytest.raises(bh.InputError, match="channel of 'conv1' from 0 to 4; got 5"):
        bh.record_units(net, stimuli, UnitList((Unit("conv1", 5),)), out_path=tmp_path)
    with pytest.raises(bh.InputError, match="got 'conv7'; try 'conv2' or 'conv1'"):
        bh.record_units(net, stimuli, UnitList((Unit("conv7", 0),)), out_path=tmp_path)
    with pytest.raises(bh.InputError, match="mean over space"):
        bh.record_units(net, stimuli, pool="max", out_path=tmp_path)  # pyright: ignore[reportArgumentType]
    with pytest.raises(bh.InputError, match="got both"):
        bh.record_units(net, stimuli, UnitList(()), layers=["conv1"], out_path=tmp_path)
    with pytest.raises(bh.InputError, match="an empty list"):
        bh.record_units(net, stimuli, UnitList(()), out_path=tmp_path)
    assert not list(tmp_path.iterdir())


def test_accuracy_counts_the_highest_outputs(net: bh.Model, batch: np.ndarray, tmp_path: Path) -> None:
    targets = np.arange(10) % 4
    stimuli = bh.StimulusSet.from_arrays(batch, kind="array", targets=targets)
    accuracy = measure_accuracy(bh.record_units(net, stimuli, layers=["conv1"], out_path=tmp_path))
    with torch.no_grad():
        right = (net.module(torch.as_tensor(batch)).argmax(1).numpy() == targets).mean()
    assert accuracy is not None
    assert (accuracy.accuracy_top1, accuracy.accuracy_top5, accuracy.n) == (pytest.approx(right), 1.0, 10)
    assert "top-1" in str(accuracy)
    other = bh.StimulusSet.from_arrays(batch, kind="array", targets=np.arange(10))
    assert measure_accuracy(bh.record_units(net, other, layers=["conv1"], out_path=tmp_path / "b")) is None
    assert measure_accuracy(bh.extract(net, stimuli, ["conv1"], out_path=tmp_path / "c")) is None


def test_places_agree_with_sorting() -> None:
    logits = np.random.default_rng(0).standard_normal((50, 7))
    targets = np.arange(50) % 7
    ranked = np.argsort(-logits, axis=1, kind="stable")
    assert find_places(logits, targets).tolist() == [
        int(np.flatnonzero(r == t)[0]) for r, t in zip(ranked, targets, strict=True)
    ]
    logits[0] = np.nan
    logits[1] = 0
    assert find_places(logits, targets)[:2].tolist() == [7, 1]


def test_synsets_name_their_classes() -> None:
    wnids = load_wnids()
    labels = [f"{wnids[i]}_word" for i in (7, 3, 999)] + [wnids[0]]
    targets = find_class_targets(labels, np.array([1, 0, 2, 3]), 1000)
    assert targets is not None
    assert targets.tolist() == [7, 3, 999, 0]
    assert find_class_targets(["cat", "dog"], np.array([0, 1]), 1000) is None
    assert find_class_targets(["cat", "dog"], np.array([0, 1]), 2) is not None
    assert find_class_targets(["cat", "dog"], np.array([0, 2]), 2) is None


def test_bundled_network_gets_drawn_pictures_right(tmp_path: Path) -> None:
    from beholder.stimuli import draw_shapes_set

    draw_shapes_set(tmp_path / "images", n_per_category=1)
    acts = bh.record_units(
        "beholder:shapes", tmp_path / "images", layers=["block1.conv"], out_path=tmp_path, device="cpu"
    )
    accuracy = measure_accuracy(acts)
    assert accuracy is not None
    assert accuracy.accuracy_top1 > 0.8


@pytest.mark.slow
def test_real_network_gets_real_pictures_right(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    acts = bh.record_units(
        "torchvision:squeezenet1_1", shared_data / "imagenet_sample", layers=["features.6.expand3x3"], out_path=tmp_path
    )
    accuracy = measure_accuracy(acts)
    assert accuracy is not None
    assert abs(accuracy.accuracy_top1 - 0.641) <= 0.002
    assert abs(accuracy.accuracy_top5 - 0.854) <= 0.002
    assert (acts["features.6.expand3x3"].to_numpy() < 0).mean() > 0.7
