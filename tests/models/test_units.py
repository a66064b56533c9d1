"""Units, lists of units, and the layers that units are drawn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder.models import Unit, UnitList, describe_layers, find_unit_layers, load_skeleton
from beholder.models.layers._units import resolve_layer_name

LAYERS = ["conv1", "layer1.0.conv1", "layer1.0.bn3", "layer1.0.relu@3:in", "layer10.conv1"]


def test_list_behaves_like_a_sequence() -> None:
    units = UnitList((Unit("a", 1), Unit("b", 0), Unit("a", 0)), model="m", seed=3)
    assert (len(units), units[1], units.layers) == (3, Unit("b", 0), ("a", "b"))
    assert units[:2] == UnitList((Unit("a", 1), Unit("b", 0)), "m", 3)
    assert list(units.to_pandas()["channel"]) == [1, 0, 0]
    assert Unit("layer1.0.relu@3:in", 4).path_name == "layer1.0.relu_3_in/channel_4"


def test_file_goes_round(tmp_path: Path) -> None:
    units = UnitList((Unit("layer1.0.relu@3:in", 4), Unit("conv1", 0)), model="torchvision:resnet50@x", seed=42)
    assert UnitList.read(units.save(tmp_path / "units.json")) == units
    assert json.loads((tmp_path / "units.json").read_text()) == {
        "model": "torchvision:resnet50@x",
        "seed": 42,
        "units": [{"layer": "layer1.0.relu@3:in", "channel": 4}, {"layer": "conv1", "channel": 0}],
    }


def test_a_list_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(bh.InputError, match=r"a name ending in \.json; got .*units\.png; try .*units\.json"):
        UnitList((Unit("conv1", 0),)).save(tmp_path / "units.png")


def test_older_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    names = ["layer4_1_conv3__1459", "layer4_1_shortcut__3", "visual_layer4_2_bn1__71"]
    file.write_text(json.dumps({"units": names}))
    model = load_skeleton("torchvision:resnet50")
    expected = (Unit("layer4.1.conv3", 1459), Unit("layer4.1.relu@3:in", 3), Unit("layer4.2.bn1", 71))
    units = UnitList.read(file, model)
    assert (units.units, units.model) == (expected, "torchvision:resnet50@IMAGENET1K_V1")
    clip = UnitList.read(file, ["visual.layer4.1.conv3", "visual.layer4.1.act3:in", "visual.layer4.2.bn1"])
    assert clip.layers == ("visual.layer4.1.conv3", "visual.layer4.1.act3:in", "visual.layer4.2.bn1")
    with pytest.raises(bh.InputError, match="model=NAME"):
        UnitList.read(file)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("layer1.0.conv1", "layer1.0.conv1"),
        ("layer1_0_conv1", "layer1.0.conv1"),
        ("layer1_0_shortcut", "layer1.0.relu@3:in"),
        ("visual_layer1_0_bn3", "layer1.0.bn3"),
        ("layer10.conv1:in", "layer10.conv1:in"),
    ],
)
def test_names_resolve(name: str, layer: str) -> None:
    assert resolve_layer_name(name, LAYERS) == layer


def test_names_that_do_not_resolve() -> None:
    with pytest.raises(bh.InputError, match=r"try 'layer1\.0\.conv1'"):
        resolve_layer_name("layer1.0.conv7", LAYERS)
    with pytest.raises(bh.InputError, match=r"a_b or a\.b"):
        resolve_layer_name("a-b", ["a_b", "a.b"])


@pytest.mark.parametrize(
    "units",
    [
        {"layers": []},
        [1],
        {"units": ["conv1"]},
        {"units": ["conv1__x"]},
        {"units": [{"layer": "conv1"}]},
        {"units": [{"layer": "conv1", "channel": True}]},
        {"units": [{"layer": "conv1", "channel": -1}]},
        {"units": [{"layer": "conv1", "channel": 1}] * 2},
    ],
)
def test_bad_files_are_refused(units: object, tmp_path: Path) -> None:
    file = tmp_path / "units.json"
    file.write_text(json.dumps(units))
    with pytest.raises(bh.InputError):
        UnitList.read(file, LAYERS)


@pytest.mark.parametrize(
    ("name", "n_layers", "first", "last"),
    [
        ("resnet50", 112, "layer1.0.conv1", "layer4.2.relu@3:in"),
        ("wide_resnet50", 112, "layer1.0.conv1", "layer4.2.relu@3:in"),
        ("torchvision:resnet18", 40, "layer1.0.conv1", "layer4.1.relu@2:in"),
        ("timm:resnet50", 112, "layer1.0.conv1", "layer4.2.act3:in"),
        ("clip-resnet50", 96, "visual.layer1.0.conv1", "visual.layer4.2.bn3"),
        ("torchvision:googlenet", 54, "inception3a.branch1.bn", "inception5b.branch4.1.bn"),
        ("densenet_201", 398, "features.denseblock1.denselayer1.norm1", "features.denseblock4.denselayer32.conv2"),
        ("convnext_b", 180, "stages.0.blocks.0", "stages.3.blocks.2.mlp.fc2"),
        ("torchvision:convnext_base", 180, "features.1.0", "features.7.2.block.5"),
        ("in1k-vit_b32", 72, "blocks.0.norm1", "blocks.11.ls2"),
        ("clip-vit_b32", 72, "visual.transformer.resblocks.0.ln_1", "visual.transformer.resblocks.11.ls_2"),
    ],
)
def test_families(name: str, n_layers: int, first: str, last: str) -> None:
    """The published table of networks and layers; without memory for weights."""
    layers = find_unit_layers(load_skeleton(name))
    assert (len(layers), layers[0], layers[-1]) == (n_layers, first, last)
    assert len(set(layers)) == n_layers


def test_sums_stand_behind_the_norm_of_their_block() -> None:
    layers = find_unit_layers("torchvision:resnet18")
    assert layers[:6] == [
        "layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2", "layer1.0.bn2", "layer1.0.relu@2:in", "layer1.1.conv1"
    ]  # fmt: skip


class Mixed(nn.Module):
    """A convolution run twice, a norm over tokens, a linear read-out without space, a layer that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.tokens = nn.LayerNorm(3)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.conv(x).relu())
        return self.head(self.tokens(x.flatten(2).transpose(1, 2)).mean(1))


def test_any_other_network() -> None:
    model = bh.wrap(Mixed(), input_shape=(3, 8, 8))
    assert find_unit_layers(model) == ["conv@1", "conv@2", "tokens"]


def test_network_without_such_layers() -> None:
    model = bh.wrap(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), input_shape=(3, 2, 2))
    with pytest.raises(bh.InputError, match="layers=NAME"):
        find_unit_layers(model)
    with pytest.raises(bh.InputError, match="layers=NAME"):
        find_unit_layers(bh.wrap(nn.Linear(7, 2)))


def test_skeletons_have_no_weights() -> None:
    skeleton = load_skeleton("torchvision:resnet18", pretrained=True)
    assert skeleton.device == torch.device("meta")
    assert skeleton.name == "torchvision:resnet18@IMAGENET1K_V1"
    assert len(describe_layers(skeleton)) > 50


@pytest.mark.parametrize("given", ["conv1", ["conv1"]])
def test_a_layer_without_its_channel_says_how_units_are_written(given: object) -> None:
    with pytest.raises(bh.InputError, match=r"expected LAYER:CHANNEL, such as conv1:3.*; got 'conv1'"):
        UnitList.collect(given, LAYERS)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("given", [5, [5], [("conv1", "x")], [("conv1", 1.5)], [("conv1",)]])
def test_what_is_no_unit_is_refused(given: object) -> None:
    with pytest.raises(bh.InputError, match=r"expected LAYER:CHANNEL, such as features\.12:5"):
        UnitList.collect(given, LAYERS)  # pyright: ignore[reportArgumentType]


def test_a_file_of_units_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(bh.InputError, match=r"expected a file of units.*; got no file at .*u\.json; try `beholder"):
        UnitList.collect(str(tmp_path / "u.json"), LAYERS)
