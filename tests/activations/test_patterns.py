"""Patterns mean the same layers wherever they are given."""

from __future__ import annotations

import pytest
from torch import nn

from beholder._core.errors import InputError
from beholder.activations.forward._targets import resolve_layers
from beholder.models import select_layers


def make_module() -> nn.Module:
    block = nn.ModuleDict({"conv1": nn.Conv2d(1, 1, 1), "conv2": nn.Conv2d(1, 1, 1), "relu": nn.ReLU()})
    return nn.ModuleDict({"layer1": block, "layer2": nn.ModuleDict(dict(block.items())), "lstm": nn.LSTM(2, 2)})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("layer?.conv1", ["layer1.conv1", "layer2.conv1"]),
        ("layer[12].conv2", ["layer1.conv2", "layer2.conv2"]),
        ("layer1.conv[12]", ["layer1.conv1", "layer1.conv2"]),
        ("layer*.relu@2:in", ["layer1.relu@2:in", "layer2.relu@2:in"]),
        ("layer*.relu@3", ["layer1.relu@3", "layer2.relu@3"]),
        ("lstm[1]", ["lstm[1]"]),
        ("ls*[1]", ["lstm[1]"]),
        ("ls*@1[1]", ["lstm@1[1]"]),
    ],
)
def test_a_pattern_means_the_same_layers_everywhere(pattern: str, expected: list[str]) -> None:
    module = make_module()
    paths = [name for name, _ in module.named_modules(remove_duplicate=False) if name]
    assert select_layers(paths, pattern) == expected
    assert list(resolve_layers(module, [pattern], {})) == expected


def test_patterns_find_taps_too() -> None:
    taps = {"pool1": "layer1.relu", "pool2": "layer2.relu@2"}
    refs = resolve_layers(make_module(), ["pool?", "layer1.*:in"], taps)
    assert list(refs) == ["pool1", "pool2", "layer1.conv1:in", "layer1.conv2:in", "layer1.relu:in"]
    assert (refs["pool2"].path, refs["pool2"].call) == ("layer2.relu", 2)
    with pytest.raises(InputError, match="a pattern that some layer matches"):
        resolve_layers(make_module(), ["pool?:in"], taps)
