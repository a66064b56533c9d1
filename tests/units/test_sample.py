"""Drawing units and dealing them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder.models import Unit, UnitList
from beholder.units import assign_units, draw_units, list_unit_layers, sample_units, split_units

WIDTHS = {"narrow": 2, "middle": 10, "wide": 100}


def list_resnet50_widths() -> dict[str, int]:
    """Layers and widths of ResNet-50, written down from the paper's table rather than read from the network."""
    widths = {}
    for stage, (n_blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
        for block in range(n_blocks):
            for i, factor in enumerate((1, 1, 4), start=1):
                widths[f"layer{stage}.{block}.conv{i}"] = width * factor
                widths[f"layer{stage}.{block}.bn{i}"] = width * factor
            widths[f"layer{stage}.{block}.relu@3:in"] = width * 4
    return widths


def draw_like_the_release(widths: dict[str, int], n_units: int, seed: int, taken: list[Unit]) -> list[Unit]:
    """The released rule on numpy's global stream: a layer's name, then a channel, both again if taken."""
    before = np.random.get_state()
    np.random.seed(seed)
    drawn: list[Unit] = []
    while len(drawn) < n_units:
        layer = np.random.choice(list(widths), size=1)[0]
        unit = Unit(str(layer), int(np.random.randint(0, widths[layer])))
        if unit not in drawn and unit not in taken:
            drawn.append(unit)
    np.random.set_state(before)
    return drawn


def test_widths_of_a_network() -> None:
    assert list_unit_layers("torchvision:resnet50") == list_resnet50_widths()


@pytest.mark.parametrize(
    ("name", "n_units"),
    [
        ("wide_resnet50", 75_520),
        ("clip-resnet50", 45_312),
        ("densenet_201", 129_504),
        ("convnext_b", 144_384),
        ("in1k-vit_b32", 82_944),
        ("clip-vit_b32", 82_944),
    ],
)
def test_published_numbers_of_units(name: str, n_units: int) -> None:
    assert sum(list_unit_layers(name).values()) == n_units


def test_released_list() -> None:
    """Seed 42 begins with the published unit."""
    units = sample_units("torchvision:resnet50", 30, scheme="released")
    assert units[0] == Unit("layer4.1.conv3", 1459)
    assert list(units) == draw_like_the_release(list_resnet50_widths(), 30, 42, [])
    assert (units.model, units.seed) == ("torchvision:resnet50@IMAGENET1K_V1", 42)


@pytest.mark.parametrize("seed", [0, 7])
def test_released_draws_again(seed: int) -> None:
    taken = [Unit("narrow", 1), Unit("middle", 3)]
    expected = draw_like_the_release(WIDTHS, 25, seed, taken)
    assert draw_units(WIDTHS, 25, seed=seed, scheme="released", blacklist=taken) == expected


def test_document_scheme_draws_layers_evenly() -> None:
    widths = {"narrow": 10, "wide": 1000}
    counts = Counter(draw_units(widths, 1, seed=seed)[0].layer for seed in range(400))
    assert 150 < counts["narrow"] < 250
    channels = [draw_units({"one": 4}, 1, seed=seed)[0].channel for seed in range(400)]
    assert all(60 < count < 140 for count in Counter(channels).values())


def test_uniform_scheme_draws_units_evenly() -> None:
    widths = {"narrow": 10, "wide": 90}
    counts = Counter(draw_units(widths, 1, seed=seed, scheme="uniform")[0].layer for seed in range(400))
    assert 15 < counts["narrow"] < 75


@pytest.mark.parametrize("scheme", ["document", "released", "uniform"])
def test_all_units_and_no_more(scheme: str) -> None:
    taken = [Unit("wide", 99), Unit("narrow", 0)]
    drawn = draw_units(WIDTHS, 110, scheme=scheme, blacklist=taken)
    everything = {Unit(layer, channel) for layer, width in WIDTHS.items() for channel in range(width)}
    assert len(drawn) == 110
    assert set(drawn) == everything - set(taken)
    with pytest.raises(bh.InputError, match=r"at most 110 units.*2 blacklisted.*got 111"):
        draw_units(WIDTHS, 111, scheme=scheme, blacklist=taken)


@pytest.mark.parametrize("scheme", ["document", "released", "uniform"])
def test_seed_decides(scheme: str) -> None:
    assert draw_units(WIDTHS, 9, seed=1, scheme=scheme) == draw_units(WIDTHS, 9, seed=1, scheme=scheme)
    assert draw_units(WIDTHS, 9, seed=1, scheme=scheme) != draw_units(WIDTHS, 9, seed=2, scheme=scheme)


def test_longer_lists_begin_alike() -> None:
    assert draw_units(WIDTHS, 40)[:9] == draw_units(WIDTHS, 9)


def test_blacklist_files(tmp_path: Path) -> None:
    first = sample_units("beholder:shapes", 20, layers=["block1.conv"])
    first.save(tmp_path / "first.json")
    (tmp_path / "old.json").write_text('{"units": ["block1_conv__0", "block5_conv__3"]}')
    blacklist = [tmp_path / "first.json", str(tmp_path / "old.json"), first[:2], Unit("block1.conv", 1)]
    rest = sample_units("beholder:shapes", 2, layers=["block1.conv"], blacklist=blacklist)
    assert not set(rest) & {*first, Unit("block1.conv", 0), Unit("block1.conv", 1)}


def test_refusals() -> None:
    with pytest.raises(bh.InputError, match="at least one unit"):
        draw_units(WIDTHS, 0)
    with pytest.raises(bh.InputError, match=r"scheme document\|"):
        draw_units(WIDTHS, 1, scheme="documents")
    with pytest.raises(bh.InputError, match="4294967295"):
        draw_units(WIDTHS, 1, scheme="released", seed=-1)
    with pytest.raises(bh.InputError, match=r"block1\.conv"):
        sample_units("beholder:shapes", 1, layers=["block1.convs"])


def test_lists_have_about_the_same_work() -> None:
    units = UnitList(tuple(Unit(layer, channel) for layer in ("wide", "narrow", "middle") for channel in range(2)))
    lists = assign_units(units, 3, WIDTHS)
    assert [[unit.layer for unit in own] for own in lists] == [
        ["narrow", "middle"],
        ["narrow", "wide"],
        ["middle", "wide"],
    ]
    assert sorted(unit for own in lists for unit in own) == sorted(units)
    with pytest.raises(bh.InputError, match="1 to 6 lists"):
        assign_units(units, 7, WIDTHS)


def test_splitting_finds_widths() -> None:
    units = UnitList((Unit("block5.conv", 0), Unit("block1.conv", 0)), "beholder:shapes", 1)
    assert [share.layers for share in split_units(units, 2, "beholder:shapes")] == [("block1.conv",), ("block5.conv",)]


def test_windows_of_attention_are_sampled() -> None:
    name = "timm:swin_tiny_patch4_window7_224"
    widths = list_unit_layers(name)
    modules = dict(bh.load_model(f"{name}@random", device="cpu").module.named_modules())
    attention = [layer for layer in modules if layer.endswith(".attn.qkv")]
    assert len(attention) == 12
    for layer in attention:
        assert widths[layer] == modules[layer].out_features
    layer = "layers.0.blocks.0.attn.qkv"
    assert {unit.layer for unit in sample_units(name, 5, layers=[layer])} == {layer}


class Mixing(nn.Module):
    """Puts two rows a stimulus on the first axis: once both of its own, once one that depends on every stimulus."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 4, 1)
        self.told = nn.Conv2d(4, 4, 1)
        self.mixed = nn.Conv2d(4, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.plain(x)
        x = self.told(x.repeat_interleave(2, 0))[::2]
        return self.mixed(torch.cat([x, x - x.mean(0)])).mean((2, 3))[: len(x)]


def test_layers_that_mix_stimuli_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    model = bh.wrap(Mixing().eval(), input_range=(0.0, 1.0), input_shape=(3, 8, 8))
    with caplog.at_level("INFO", "beholder"):
        assert list_unit_layers(model) == {"plain": 4, "told": 4}
    assert "layers left out, since they mix stimuli and places: 1 (mixed)" in caplog.text
