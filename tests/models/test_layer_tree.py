"""Layers, shapes, patterns and presets."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from beholder._core.errors import InputError, UnknownNameError
from beholder.models import describe_layers, list_layers, load_model, render_layer_tree, select_layers, wrap

KNOWN = {
    "torchvision:alexnet": {"features.0": (64, 55, 55), "features.11": (256, 13, 13), "features.12": (256, 6, 6),
                            "avgpool": (256, 6, 6), "classifier.4": (4096,)},
    "torchvision:squeezenet1_1": {"features.0": (64, 111, 111), "features.6.expand3x3": (128, 27, 27),
                                  "features.11": (512, 13, 13), "classifier": (1000, 1, 1)},
    "torchvision:resnet50": {"conv1": (64, 112, 112), "layer1": (256, 56, 56), "layer4": (2048, 7, 7),
                             "avgpool": (2048, 1, 1)},
    "torchvision:vgg16": {"features.30": (512, 7, 7)},
    "timm:vit_base_patch32_224": {"blocks.5.mlp.fc2": (50, 768)},
    "open_clip:RN50": {"visual.attnpool": (1024,), "visual.layer4": (2048, 7, 7), "visual": (1024,)},
    "open_clip:ViT-B-32": {"visual.transformer.resblocks.0.mlp.c_fc": (50, 3072), "visual": (512,)},
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_shapes(name):
    layers = {layer.path: layer for layer in describe_layers(name)}
    for path, shape in KNOWN[name].items():
        assert layers[path].output_shape == shape


def test_parameters_calls_and_unused_layers():
    layers = {layer.path: layer for layer in describe_layers("torchvision:resnet50")}
    assert layers["layer1.0.relu"].n_calls == 3 and layers["fc"].n_parameters == 2_049_000
    assert layers["fc"].input_shape == (2048,) and layers["layer1.0.relu"].depth == 2
    text = {layer.path: layer for layer in describe_layers("open_clip:RN50")}["transformer"]
    assert text.n_calls == 0 and text.output_shape is None


def test_meta_and_real_pass_agree():
    real = load_model("torchvision:squeezenet1_1@random", device="cpu")
    assert describe_layers(real) == describe_layers("torchvision:squeezenet1_1")
    swin = load_model("torchvision:swin_t@random", device="cpu")
    assert describe_layers(swin) == describe_layers("torchvision:swin_t")


class Chatty(nn.Module):
    """Batch in the second place, tuples, and a size that depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(4, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sequence, state = self.encoder(x.movedim(1, 0))
        return self.head(state[0] * float(sequence.sum() * 0 + 1))


def test_tuples_and_batch_in_the_second_place():
    layers = {layer.path: layer for layer in describe_layers(wrap(Chatty(), input_shape=(7, 4)))}
    assert layers["encoder"].output_shape == (7, 6) and layers["head"].output_shape == (3,)


def test_network_that_meta_cannot_run_is_looked_at_with_random_weights(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\ninput_shape = (4,)\n"
        "class Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.fc = nn.Linear(4, 3)\n"
        "    def forward(self, x):\n        return self.fc(x) if x.sum().item() >= 0 else x\n"
        "def build():\n    return Net()\n"
    )
    (layer,) = describe_layers(f"file:{tmp_path}/net.py")
    assert (layer.path, layer.output_shape) == ("fc", (3,))


PRESETS = {
    "torchvision:resnet50": (16, ["layer1", "layer2", "layer3", "layer4"], "fc:in"),
    "torchvision:squeezenet1_1": (8, ["features.4", "features.7", "features.12"], "classifier.1:in"),
    "torchvision:alexnet": (5, ["features.2", "features.5", "features.12"], "classifier.6:in"),
    "torchvision:vgg19": (
        16,
        ["features.4", "features.9", "features.18", "features.27", "features.36"],
        "classifier.6:in",
    ),
    "torchvision:convnext_tiny": (18, ["features.1", "features.3", "features.5", "features.7"], "classifier.2:in"),
    "timm:convnext_tiny": (18, ["stages.0", "stages.1", "stages.2", "stages.3"], "head.fc:in"),
    "timm:deit_base_patch16_224": (12, ["blocks.2", "blocks.5", "blocks.8", "blocks.11"], "head:in"),
    "open_clip:RN50": (16, [f"visual.layer{i}" for i in (1, 2, 3, 4)], "visual.attnpool:in"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name):
    n_blocks, stages, penultimate = PRESETS[name]
    assert len(select_layers(name, "preset:blocks")) == n_blocks
    assert select_layers(name, ["preset:stages"]) == stages
    assert select_layers(name, "penultimate") == [penultimate]


def test_stages_of_a_network_without_blocks_and_pooling():
    chain = nn.Sequential(*(part for _ in range(8) for part in (nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())))
    assert select_layers(wrap(chain, input_shape=(3, 8, 8)), "stages") == ["3", "7", "11", "15"]


def test_module_called_like_a_preset_wins_unless_it_is_spelled_out():
    model = wrap(nn.Sequential(), name="x")
    model.module.add_module(
        "blocks", nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)) for _ in range(2)))
    )
    model = wrap(model.module, input_shape=(4,))
    assert select_layers(model, "blocks") == ["blocks"]
    assert select_layers(model, "preset:stages")
    with pytest.raises(UnknownNameError, match="blocks"):
        select_layers(model, "preset:block")


@pytest.mark.slow
def test_every_torchvision_network_has_the_presets():
    from beholder.models.definitions._base import get_source

    for name in get_source("torchvision").list_names():
        for preset in ("blocks", "stages", "penultimate"):
            assert select_layers(f"torchvision:{name}", preset)


def test_patterns():
    paths = ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.0.bn1", "layer1.1.conv1"]
    assert select_layers(paths, "layer1.*.conv?") == ["layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1"]
    assert select_layers(paths, ["conv1", "layer1.[01].conv1"]) == ["conv1", "layer1.0.conv1", "layer1.1.conv1"]
    assert select_layers(paths, "layer1.*.bn1:in") == ["layer1.0.bn1:in"]
    assert select_layers(paths, "layer1.0.bn1@2:in") == ["layer1.0.bn1@2:in"]
    assert select_layers(paths, "conv1[0]") == ["conv1[0]"]
    model = load_model("torchvision:squeezenet1_1@random", device="cpu")
    assert len(select_layers(model, "features.*.squeeze")) == 8
    assert select_layers(describe_layers(model), "features.1?") == ["features.10", "features.11", "features.12"]


def test_the_shape_that_was_tried_is_told_where_a_network_does_not_say_which_it_takes():
    lenet = nn.Sequential(nn.Conv2d(1, 6, 5), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(96, 10))
    silent, told = wrap(lenet), wrap(lenet, input_shape=(1, 32, 32))
    assert "input arrays of a shape not given" in repr(silent) and "input 1×32×32" in repr(told)
    layers = describe_layers(silent)
    assert layers.tried == (1, 224, 224) and layers.filter("0").tried == layers.tried
    words = "shapes for an input of 1×224×224, one that it runs on"
    assert repr(layers).startswith(words) and words in layers._repr_html_()
    assert describe_layers(told).tried is None and "for an input" not in repr(describe_layers(told))


def test_wrong_patterns():
    with pytest.raises(UnknownNameError, match="conv1"):
        select_layers(["conv1", "fc"], "conv11")
    with pytest.raises(InputError, match="pattern"):
        select_layers(["conv1", "fc"], "layer*")
    with pytest.raises(InputError, match="preset"):
        select_layers(["conv1", "fc"], "blocks")
    with pytest.raises(InputError, match="has blocks"):
        select_layers(wrap(nn.Linear(4, 2), input_shape=(4,)), "blocks")


def test_table_is_aligned_and_narrow():
    name, layers = list_layers("open_clip:ViT-B-32", depth=5)
    lines = render_layer_tree(layers, title=name, width=80).splitlines()
    assert lines[0] == "open_clip:ViT-B-32" and max(map(len, lines)) <= 80 and len(lines) == len(layers) + 2
    column = lines[1].index("class")
    assert all(line[column - 2 : column] == "  " for line in lines[1:])
    assert any(line.endswith("-") for line in lines), "what does not run is marked"
    text = render_layer_tree(
        [layer for layer in describe_layers("torchvision:resnet50") if layer.path == "layer1.0.relu"]
    )
    assert text.splitlines()[-1].endswith("x3")


def test_list_layers_of_a_preset_shows_the_input():
    name, layers = list_layers("torchvision:resnet50", ["penultimate", "layer4.*.conv3"])
    assert [layer.path for layer in layers] == ["fc:in", "layer4.0.conv3", "layer4.1.conv3", "layer4.2.conv3"]
    assert layers[0].output_shape == (2048,) and name == "torchvision:resnet50"
