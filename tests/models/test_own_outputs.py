"""Networks of other numbers, outputs and arguments than one float32 tensor, against their own arithmetic."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder.activations import capture
from beholder.models import Unit, UnitList, match_pattern


@dataclasses.dataclass
class Answer:
    logits: Tensor
    states: Any


class Nested(nn.Module):
    """Returns a dataclass that holds a tuple and a mapping; takes more than the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lstm = nn.Conv2d(3, 4, 3), nn.LSTM(4, 5, batch_first=True)

    def forward(self, *, pixels: Tensor, scale: float = 1.0) -> Answer:
        maps = self.conv(pixels * scale)
        states, (hidden, cell) = self.lstm(maps.flatten(2).transpose(1, 2))
        return Answer(states.mean(1), ({"maps": maps}, hidden, cell))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((3, 3, 6, 8)).astype(np.float32)


def test_parts_at_any_depth_and_a_call_of_ones_own(images: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Nested()
    net = bh.wrap(module, input_shape=(3, 6, 8), call=lambda net, x: net(pixels=x, scale=2.0), name="nested")
    names = ["output[logits]", "output[states][0][maps]", "output[1][1]", "lstm[1][1]", "output"]
    acts = bh.extract(net, images, names, out_path=tmp_path)
    with torch.no_grad():
        answer = module(pixels=torch.from_numpy(images), scale=2.0)
    expected = {
        "output[logits]": answer.logits,
        "output": answer.logits,
        "output[states][0][maps]": answer.states[0]["maps"],
        "output[1][1]": answer.states[1].transpose(0, 1),
        "lstm[1][1]": answer.states[2].transpose(0, 1),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(acts[name].to_numpy(), values.numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(bh.InputError, match=r"\(parts logits, states\)"):
        bh.extract(net, images, ["output[logit]"], out_path=tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_and_double_modules_run_in_their_own_numbers(
    dtype: torch.dtype, images: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4 * 6, 4)).to(dtype).eval()
    net: Any = bh.wrap(module, input_shape=(3, 6, 8), input_range=(0, 1), name=str(dtype))
    with caplog.at_level("INFO", logger="beholder"):
        acts = bh.extract(net, images, ["1", "output"], out_path=tmp_path)
    assert ("float64" in caplog.text) == (dtype == torch.float64)
    x = torch.from_numpy(images).to(dtype)
    with torch.no_grad():
        expected = module[:2](x)
    assert acts["1"].dtype == np.float32
    np.testing.assert_allclose(
        acts["1"].to_numpy(), expected.float().numpy(), atol=1e-2 if dtype.itemsize < 4 else 1e-6
    )
    assert capture(net, images, ["1"])[1]["1"].dtype == dtype
    with pytest.raises(bh.InputError, match=r"float32 weights, in which gradients .* try model.module.float\(\)"):
        bh.make_metamers(net, images[:1], layers=["1"], iterations=4)
    assert net.module[0].weight.dtype == dtype


class Spectrum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.waves, self.head = nn.Identity(), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.waves(torch.fft.rfft(x)).abs())


def test_complex_numbers_are_refused_and_their_parts_taken(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((4, 8)).astype(np.float32)
    net = bh.wrap(Spectrum(), input_shape=(8,))
    with pytest.raises(bh.InputError, match=r"'waves', whose numbers are complex; try waves\[real\], waves\[imag\]"):
        bh.extract(net, values, ["waves"], out_path=tmp_path)
    acts = bh.extract(net, values, ["waves[real]", "waves[imag]", "waves[abs]"], out_path=tmp_path)
    expected = np.fft.rfft(values)
    for part, numbers in (("real", expected.real), ("imag", expected.imag), ("abs", np.abs(expected))):
        np.testing.assert_allclose(acts[f"waves[{part}]"].to_numpy(), numbers, rtol=1e-4, atol=1e-5)


class Boxes(nn.Module):
    """Returns a list of boxes a stimulus, as detectors do, and a layer of one value a stimulus."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.score = nn.Conv2d(3, 4, 3), nn.Flatten(0)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        maps = self.conv(x)
        self.score(maps.square().mean((1, 2, 3), keepdim=True))
        return [{"boxes": one.new_zeros(0, 4), "labels": one.new_zeros(0)} for one in maps]


def test_metamers_of_detectors_and_of_layers_of_one_value(images: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = bh.wrap(Boxes(), input_shape=(3, 6, 8), input_range=(0, 1))
    made = bh.make_metamers(net, images[:1], layers=["conv", "score"], out_path=tmp_path, iterations=4)
    assert len(made) == 2


def test_units_are_read_as_they_are_printed() -> None:
    units = UnitList([("features.12", 5), ("layer1.0.relu@3:in", 7)])  # pyright: ignore[reportArgumentType]
    assert UnitList(tuple(str(unit) for unit in units)) == units  # pyright: ignore[reportArgumentType]
    assert UnitList.collect("features.12:5", ["features.12"]).units == (Unit("features.12", 5),)
    assert UnitList.collect(["features.12:5"], ["features.12"]).units == (Unit("features.12", 5),)  # pyright: ignore[reportArgumentType]
    with pytest.raises(bh.InputError, match=r"such as features\.12:3"):
        Unit.parse("features.12")


def test_brackets_are_parts_of_layers_that_are_there_else_characters() -> None:
    known = ["lstm", "layer1", "layer2", "rnn1", "rnn2"]
    assert match_pattern("lstm[1][0]", known) is None
    assert match_pattern("output[1]", known) is None
    assert match_pattern("layer[12]", known) == ["layer1", "layer2"]
    assert match_pattern("rnn[12][0]", known) == ["rnn1[0]", "rnn2[0]"]
