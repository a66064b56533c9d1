"""Extraction through ``torch.compile``: eager's values within 1e-5 of a layer's largest, in a store of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.activations.forward import _compiled
from beholder.models import Model, wrap

TOLERANCE = 1e-5


class Small(nn.Module):
    """A module called twice, an operation in place on what a layer gave, and a part behind the deepest layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 4, 3, 2), nn.ReLU(inplace=True)
        self.other, self.pool = nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.conv(x))
        x = self.relu(self.other(x) - 0.1)
        return self.head(self.pool(x).flatten(1))


@pytest.fixture
def net() -> Model:
    torch.manual_seed(0)
    return wrap(Small(), input_shape=(3, 16, 16), input_range=(0, 1), name="small")


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).random((11, 3, 16, 16), dtype=np.float32)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """One graph, differentiated and run by torch's own kernels: all but what inductor generates."""
    monkeypatch.setattr(_compiled, "BACKEND", "aot_eager")


def compare(one: Path, other: Path, net: Model, pictures: np.ndarray, layers: list[str], **options) -> float:
    """The largest difference, of each layer's largest value."""
    eager = bh.extract(net, pictures, layers, out_path=one, **options)
    compiled = bh.extract(net, pictures, layers, out_path=other, compile=True, **options)
    found = [(eager[name].to_numpy(), compiled[name].to_numpy()) for name in layers]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in found)


LAYERS_OF_SMALL = ["conv", "relu@1", "relu@2", "relu@2:in", "pool:in", "head", "output"]


def test_every_kind_of_layer_has_eagers_values(net: Model, pictures: np.ndarray, traced: None, tmp_path: Path) -> None:
    assert compare(tmp_path / "a", tmp_path / "b", net, pictures, LAYERS_OF_SMALL, batch_size=4) <= TOLERANCE


@pytest.mark.usefixtures("traced")
def test_what_lies_behind_the_deepest_layer_is_left_out(
    net: Model, pictures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.backends.common import aot_autograd

    operations: list[str] = []

    def note(graph: torch.fx.GraphModule, _inputs: object) -> torch.fx.GraphModule:
        operations.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph

    monkeypatch.setattr(_compiled, "BACKEND", aot_autograd(fw_compiler=note))
    bh.extract(net, pictures, ["conv"], out_path=tmp_path, compile=True)
    assert [each for each in operations if "convolution" in each or "addmm" in each] == ["aten.convolution.default"]


def test_a_store_is_made_with_it_or_without(net: Model, pictures: np.ndarray, traced: None, tmp_path: Path) -> None:
    bh.extract(net, pictures, ["conv"], out_path=tmp_path / "a")
    bh.extract(net, pictures, ["conv"], out_path=tmp_path / "b", compile=True)
    different: list[tuple[str, dict[str, Any]]] = [("a", {"compile": True}), ("b", {})]
    for name, options in different:
        with pytest.raises(ConfigurationChanged, match="compile"):
            bh.extract(net, pictures, ["conv", "head"], out_path=tmp_path / name, **options)
    bh.extract(net, pictures, ["conv", "head"], out_path=tmp_path / "b", compile=True)


def test_a_network_that_is_no_one_graph_is_refused_in_a_line(
    pictures: np.ndarray, traced: None, tmp_path: Path
) -> None:
    class Looking(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) if float(x.sum().item()) > 0 else x

    net = wrap(Looking(), input_shape=(3, 16, 16), input_range=(0, 1), name="looking")
    with pytest.raises(InputError, match=r"one graph.*looking") as caught:
        bh.extract(net, pictures, ["conv"], out_path=tmp_path, compile=True)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    bh.extract(net, pictures, ["conv"], out_path=tmp_path / "eager")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor wants a C++ compiler")
@pytest.mark.parametrize(
    ("name", "layers"),
    [("torchvision:resnet18", ["layer1.0.relu@1", "layer3"]), ("timm:test_vit.r160_in1k", ["blocks.1"])],
)
def test_what_inductor_generates_has_eagers_values(name: str, layers: list[str], tmp_path: Path) -> None:
    net = bh.load_model(f"{name}@random", device="cpu")
    shape = net.input_shape
    assert shape is not None
    pictures = np.random.default_rng(0).random((6, *shape), dtype=np.float32)
    options = {"batch_size": 4, "threads": 1}
    assert compare(tmp_path / "a", tmp_path / "b", net, pictures, layers, **options) <= TOLERANCE
    for precision, limit in (("bf16", 0.05),):
        shutil.rmtree(tmp_path)
        found = compare(tmp_path / "a", tmp_path / "b", net, pictures, layers, precision=precision, **options)
        assert found <= limit
