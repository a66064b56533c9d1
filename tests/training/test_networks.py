"""Networks as people write them, and those of the sources, learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import beholder as bh
import student_networks
from beholder.models import load_model
from beholder.training import ArrayData, train

SETTINGS: dict[str, Any] = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "held_out": 0.25}


@pytest.mark.parametrize(("name", "shape"), [("LeNet", (1, 32, 32)), ("VGG", None), ("AlexNet", None)])
def test_students_networks_learn(tmp_path: Path, name: str, shape: tuple[int, ...] | None) -> None:
    """``view`` behind convolutions, ReLU in place, dropout."""
    torch.manual_seed(0)
    net = getattr(student_networks, name)()
    if shape is None:
        shape = next(s for s in ((3, 32, 32), (3, 64, 64), (3, 128, 128), (3, 224, 224)) if _runs(net, s))
    n_classes = int(net.eval()(torch.zeros(1, *shape)).shape[1])
    net.train()
    x, y = torch.rand(24, *shape), torch.arange(24) % n_classes
    result = train(
        bh.wrap(net, input_shape=shape, input_range=(0.0, 1.0)), (x, y), out_path=tmp_path / "run", **SETTINGS
    )
    assert result.model(x[:2]).shape == (2, n_classes)
    changed = [
        name
        for name, value in result.model.module.named_parameters()
        if not torch.equal(value, dict(net.named_parameters())[name])
    ]
    assert len(changed) == sum(1 for _ in net.parameters())


def _runs(net: nn.Module, shape: tuple[int, ...]) -> bool:
    try:
        net.eval()(torch.zeros(1, *shape))
    except RuntimeError:
        return False
    return True


def test_a_loaded_network_goes_on_and_comes_back_by_its_file(tmp_path: Path) -> None:
    model = load_model("beholder:syllables", device="cpu")
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    sounds, labels = 0.1 * torch.randn(16, 16_000, generator=torch.Generator().manual_seed(0)), torch.arange(16)
    result = train(model, (sounds, labels), out_path=tmp_path / "run", **{**SETTINGS, "held_out": 0.0})
    again = load_model(f"beholder:syllables@{result.checkpoint}", device="cpu")
    assert again.classes == model.classes
    torch.testing.assert_close(again(sounds[:2]), result.model(sounds[:2]))
    assert not torch.equal(again(sounds[:2]), model(sounds[:2]))


def test_random_weights_get_a_last_layer_for_the_data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="beholder")
    x, y = torch.rand(12, 3, 224, 224), torch.arange(12) % 3
    data = ArrayData(x, y, ("blick", "dax", "wug"))
    result = train(
        "torchvision:squeezenet1_1@random",
        data,
        device="cpu",
        out_path=tmp_path / "run",
        **{**SETTINGS, "batch_size": 4},
    )
    assert "a new last layer classifier.1 for 3 classes, in place of 1000" in caplog.text
    again = load_model(f"torchvision:squeezenet1_1@{result.checkpoint}", device="cpu")
    assert again.classes == ("blick", "dax", "wug")
    torch.testing.assert_close(again(x[:1]), result.model(x[:1]))
