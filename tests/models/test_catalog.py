"""The catalog: every name builds, every recorded layer is there, one model has one path name."""

import re
import subprocess
import sys
from typing import Any

import pytest
import torch

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.catalog import _entries as _catalog
from beholder.models.catalog._entries import (
    CatalogEntry,
    find_alias,
    find_path_name,
    list_aliases,
    list_catalog,
    register_model,
    suggest_aliases,
)
from beholder.models.catalog._panel import load_panel
from beholder.models.network._load import load_model, resolve_model
from beholder.models.preprocessing._read import ImagePreprocessing

ENTRIES = list_catalog()
NAMES_2020 = ["alexnet", "resnet50", "resnet101", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]
PANEL = [
    "ResNet50",
    "ResNeXt-101-WSL",
    "ConvNeXt-Large",
    "CORNet-S",
    "VGG19",
    "ViT-B-16",
    "ViT-B-32-timm",
    "DeiT-Base",
    "ResNet50-CLIP",
    "ConvNeXt-Large-CLIP",
    "ViT-B-16-CLIP",
    "ViT-B-32-CLIP",
    "ViT-B-16-LAION-CLIP",
    "SLIP ViT-Small",
]
OTHERS = ["clip-RN", "clip-ViT", "RN50", "ViT-32", "ViT-B/32", "resnet50-l2", "resnet50-linf", "wide_resnet50"]
OTHERS += ["clip-resnet50", "densenet_201", "convnext_b", "in1k-vit_b32", "clip-vit_b32"]


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(_catalog, "_REGISTERED", [])


def strip_expression(layer: str) -> str:
    return re.split(r"[@:\[]", layer)[0]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.names[0])
def test_every_entry_builds_and_has_its_layers(entry: CatalogEntry):
    model = load_model(entry.alias, meta=True)
    modules = dict(model.module.named_modules())
    expressions = [*(model.taps.get(layer, layer) for layer in model.layers), *model.taps.values()]
    assert [layer for layer in expressions if strip_expression(layer) not in modules] == []
    assert len(set(model.layers)) == len(model.layers) > 0
    assert model.spec is not None and model.spec.tag == entry.alias.tag


@pytest.mark.parametrize("name", [*NAMES_2020, *PANEL, *OTHERS])
def test_names_of_the_documents(name: str):
    assert find_alias(name) is not None
    assert name in list_aliases()


def test_nine_networks_of_2020():
    for name in NAMES_2020:
        resolved = resolve_model(name)
        assert resolved.name == f"torchvision:{name}@IMAGENET1K_V1"
        assert resolved.path_name == name
        own = resolved.definition.preprocessing
        assert isinstance(own, ImagePreprocessing)
        assert (own.resize, own.crop, own.interpolation) == (256, (224, 224), "bilinear")


# counts published with the stimulus generation: layers of interest of each network
@pytest.mark.parametrize(
    ("name", "n_layers"),
    [
        ("resnet50", 112),
        ("resnet50-l2", 112),
        ("resnet50-linf", 112),
        ("wide_resnet50", 112),
        ("clip-resnet50", 96),
        ("densenet_201", 398),
        ("convnext_b", 180),
        ("in1k-vit_b32", 72),
        ("clip-vit_b32", 72),
    ],
)
def test_layers_of_interest(name: str, n_layers: int):
    alias = find_alias(name)
    assert alias is not None
    assert len(alias.layers) == n_layers


def measure_outputs(name: str, layers: list[str]) -> int:
    model = load_model(find_alias(name), meta=True)  # pyright: ignore[reportArgumentType]
    sizes: dict[str, int] = {}
    for layer in layers:
        path = model.taps.get(layer, layer)
        model.module.get_submodule(path).register_forward_hook(
            lambda _m, _i, out, layer=layer: sizes.update({layer: out.numel()})  # pyright: ignore[reportAttributeAccessIssue]
        )
    model.module(torch.empty(1, 3, 224, 224, device="meta"))
    return sum(sizes[layer] for layer in layers)


def test_panel_sizes_are_the_known_ones():
    resnet = find_alias("ResNet50")
    vgg = find_alias("VGG19")
    assert resnet is not None and vgg is not None
    published = [layer for layer in resnet.layers if layer != "layer4.2.conv3"]
    assert len(published) == 33
    assert measure_outputs("ResNet50", published) == 4_089_344
    assert measure_outputs("VGG19", list(vgg.layers)) == 1_530_368


@pytest.mark.parametrize("name", [*NAMES_2020[3:], "VGG19"])
def test_recorded_features_of_vgg_are_max_pools(name: str):
    model = load_model(find_alias(name), meta=True)  # pyright: ignore[reportArgumentType]
    pools = [model.taps.get(layer, layer) for layer in model.layers]
    pools = [layer for layer in pools if layer.startswith("features")]
    assert len(pools) == 5
    assert all(isinstance(model.module.get_submodule(layer), torch.nn.MaxPool2d) for layer in pools)


def test_layers_of_the_documents_own_snippets():
    recorded = {alias.path_name: alias.layers for alias in load_panel()}
    assert {"conv1", "layer1.0.conv1", "layer2.0.conv1", "layer4.2.conv3"} <= set(recorded["ResNet50"])
    assert "blocks.5.attn" in recorded["ViT-B-16"]
    assert "transformer.blocks.11.pwff.fc2" in recorded["ViT-B-16"]
    assert recorded["SLIP ViT-Small"] == ("blocks.1", "blocks.3", "blocks.6", "blocks.9", "blocks.11")


def test_a_name_loads_what_it_says():
    network: Any = load_model("ViT-B-16-CLIP", meta=True).module
    assert network.get_submodule("visual.conv1").kernel_size == (16, 16)
    assert len(network.get_submodule("visual.transformer.resblocks")) == 12
    assert resolve_model("ViT-B-16-CLIP").name == "open_clip:ViT-B-16@openai"
    assert resolve_model("ResNeXt-101-WSL").name == "timm:resnext101_32x8d@fb_wsl_ig1b_ft_in1k"
    assert resolve_model("resnet50-l2").name == "robust:resnet50@resnet50_l2_eps3"


def test_exact_names_win_and_case_is_ignored():
    exact, panel = find_alias("resnet50"), find_alias("ResNet50")
    assert exact is not None and panel is not None
    assert (exact.tag, panel.tag) == ("IMAGENET1K_V1", "IMAGENET1K_V2")
    folded = find_alias("cornet-s")
    assert folded is not None and folded.path_name == "CORNet-S"
    assert find_alias("slip vit-small") == find_alias("SLIP ViT-Small")


def test_names_that_differ_in_case_only_are_not_guessed():
    with pytest.raises(InputError, match="'resnet50' or 'ResNet50'"):
        find_alias("RESNET50")


def test_unknown_names_are_none_and_near_ones_are_suggested():
    assert find_alias("no such network at all") is None
    assert suggest_aliases("CORNt-S")[0] == "CORNet-S"
    with pytest.raises(UnknownNameError, match="CORNet-S"):
        resolve_model("CORNt-S")


@pytest.mark.parametrize(
    ("spelling", "path_name"),
    [
        ("clip-ViT", "ViT-32"),
        ("ViT-B/32", "ViT-32"),
        ("ViT-B-32-CLIP", "ViT-32"),
        ("open_clip:ViT-B-32@openai", "ViT-32"),
        ("ResNet50-CLIP", "RN50"),
        ("VGG19", "vgg19"),
        ("torchvision:vgg19@IMAGENET1K_V1", "vgg19"),
        ("cornet:S", "CORNet-S"),
        ("slip:vit_small", "SLIP_ViT-Small"),
    ],
)
def test_every_spelling_of_a_model_goes_to_one_path(spelling: str, path_name: str):
    assert resolve_model(spelling).path_name == path_name


def test_a_panel_keeps_its_own_names():
    assert [alias.path_name for alias in load_panel()] == PANEL


def test_register_model(clean_registry):
    alias = register_model(
        "tiny",
        "timm:test_resnet.r160_in1k",
        layers=["layer{1..2}"],
        taps={"end": "layer4"},
        pooling="mean",
        aliases=["wee"],
    )
    assert alias.layers == ("layer1", "layer2")
    found = find_alias("WEE")
    assert found is not None and (found.path_name, found.pool, found.taps) == ("tiny", "mean", {"end": "layer4"})
    assert find_path_name("timm", "test_resnet.r160_in1k", None) == "tiny"
    with pytest.raises(InputError, match="taken"):
        register_model("tiny", "torchvision:alexnet")
    register_model("tiny", "torchvision:alexnet", overwrite=True)
    replaced = find_alias("tiny")
    assert replaced is not None and replaced.source == "torchvision"
    assert find_alias("wee") is None


def test_register_model_takes_a_finished_preprocessing(clean_registry):
    mine = ImagePreprocessing(resize=64, crop=(64, 64))
    register_model("small-alexnet", "alexnet", preprocessing=mine)
    found = find_alias("small-alexnet")
    assert found is not None
    assert found.preprocessing == mine
    assert found.path_name == "small-alexnet"
    assert found.layers == (find_alias("alexnet") or found).layers
    with pytest.raises(InputError, match="pooling"):
        register_model("other", "alexnet", pooling="median")


def test_the_catalog_loads_no_torch():
    lines = [
        "import sys",
        "from beholder.models.catalog._entries import find_alias, list_aliases",
        "from beholder.models.catalog._panel import load_panel",
        "list_aliases(), find_alias('RN50'), load_panel()",
        "sys.exit('torch' in sys.modules)",
    ]
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 0
