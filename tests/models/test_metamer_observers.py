"""The metamer study's picture networks by name: what they load, and their stages in order."""

import pytest
import torch

from beholder.activations.forward._hooks import Tap
from beholder.activations.forward._targets import resolve_layers
from beholder.models import find_alias, list_metamer_observers, load_model, load_panel
from beholder.models.catalog._metamer_observers import OBSERVERS

RESNET = "conv1_relu1* layer1* layer2* layer3* layer4* avgpool"
ALEXNET = "relu0* relu1* relu2* relu3* relu4* fc0_relu* fc1_relu*"
# what the study's model directories list, between the input and the output; * marks stages that end in a rectifier
PUBLISHED = {
    "resnet50": RESNET,
    "resnet101": RESNET,
    "resnet50_l2_3_robust": RESNET,
    "resnet50_linf_4_robust": RESNET,
    "resnet50_linf_8_robust": RESNET,
    "resnet50_random_l2_perturb": RESNET,
    "resnet50_random_linf8_perturb": RESNET,
    "resnet50_simclr": RESNET,
    "resnet50_moco_v2": RESNET,
    "resnet50_byol": RESNET,
    "texture_shape_resnet50_trained_on_SIN": RESNET,
    "SWSL_resnet50": RESNET,
    "SWSL_resnext101_32x8d": RESNET.replace("avgpool", "globalpool"),
    "alexnet": ALEXNET,
    "alexnet_l2_3_robust": ALEXNET,
    "alexnet_linf_8_robust": ALEXNET,
    "alexnet_random_l2_3_perturb": ALEXNET,
    "alexnet_random_linf8_perturb": ALEXNET,
    "alexnet_early_checkpoint": ALEXNET,
    "texture_shape_alexnet_trained_on_SIN": ALEXNET,
    "alexnet_reduced_aliasing_early_checkpoint": (
        "relu0* hpool0 relu1* hpool1 relu2* relu3* relu4* hpool2 fc0_relu* fc1_relu*"
    ),
    "vgg_19": (
        "conv_relu_0_1* conv_relu_1_1* conv_relu_2_3* conv_relu_3_3* conv_relu_4_3* avgpool fc_relu_0* fc_relu_1*"
    ),
    "cornet_s": "V1* V2* V4* IT*",
    "CLIP_resnet50": "stem layer1* layer2* layer3* layer4* attnpool",
    "CLIP_ViT-B_32": "conv1 class_embedding_cat ln_pre block_0 block_3 block_6 block_9 blocks_end",
    "vision_transformer_vit_large_patch16_224": "patch_embed pos_embed block_0 block_6 block_12 block_18 blocks_end",
    "konkle_alexnetgn_ipcl_ref01_primary_model": (
        "conv_block_1 conv_block_2 conv_block_3 conv_block_4 conv_block_5 avgpool fc6 fc7"
    ),
    "konkle_alexnetgn_ipcl_ref12_supervised_ipcl_aug": (
        "conv_block_1 conv_block_2 conv_block_3 conv_block_4 conv_block_5 avgpool fc6 fc7"
    ),
    "vonealexnet_gaussian_noise_std4_fixed": (
        "gabors_f v1_output bottleneck relu1* relu2* relu3* relu4* fc0_relu* fc1_relu*"
    ),
    "hmax_standard": "s1_out c1_out s2_out c2_out",
}
ONE_OF_EACH = {id(stages): name for name, _, stages in reversed(OBSERVERS)}
SHAPES = {
    "resnet50": {"conv1_relu1": (64, 112, 112), "layer4": (2048, 7, 7), "final": (1000,)},
    "alexnet_reduced_aliasing_early_checkpoint": {"relu0": (64, 55, 55), "hpool0": (64, 27, 27), "hpool2": (256, 6, 6)},
    "vgg_19": {"conv_relu_0_1": (64, 224, 224), "conv_relu_4_3": (512, 14, 14), "fc_relu_1": (4096,)},
    "cornet_s": {"V1": (64, 56, 56), "IT": (512, 7, 7)},
    "CLIP_ViT-B_32": {"conv1": (768, 7, 7), "class_embedding_cat": (50, 768), "blocks_end": (50, 768)},
    "vision_transformer_vit_large_patch16_224": {"patch_embed": (196, 1024), "pos_embed": (197, 1024)},
    "vonealexnet_gaussian_noise_std4_fixed": {"gabors_f": (512, 56, 56), "bottleneck": (64, 56, 56)},
    "hmax_standard": {"s1_out": (64, 250, 250), "c2_out": (8, 400)},
}


def test_every_network_of_the_study_is_there():
    assert set(list_metamer_observers()) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_stages_are_the_published_ones(name):
    alias = find_alias(name)
    assert alias is not None
    stages = [stage.rstrip("*") for stage in PUBLISHED[name].split()]
    assert list(alias.metamer_layers) == ["input_after_preproc", *stages, "final"]
    for stage in PUBLISHED[name].split():
        if stage.endswith("*"):
            stage = stage[:-1]
            assert alias.taps[f"{stage}_fake_relu"] == alias.taps.get(stage, stage)


@pytest.mark.parametrize("name", [*ONE_OF_EACH.values()])
def test_stages_run_in_order_and_range_is_known(name):
    model = load_model(name, meta=True)
    refs = resolve_layers(model.module, model.stages, model.taps)
    seen: dict[str, tuple[int, ...]] = {}
    batch = torch.zeros(3, *(model.input_shape or ()), device="meta")
    with Tap(model.module, refs) as tap, tap.collect(lambda k, v: seen.update({k: tuple(v.shape[1:])}), stop=False):
        model.forward(model.module, model.normalize(batch))
    assert list(seen) == list(model.stages)
    assert seen["input_after_preproc"] == model.input_shape
    assert seen.items() >= SHAPES.get(name, {}).items()
    assert model.input_range == ((0.0, 255.0) if name == "hmax_standard" else (0.0, 1.0))


def test_other_recorded_layers_stay():
    model = load_model("resnet50", meta=True)
    assert "layer1.0.conv1" in model.layers and model.stages[1] == "conv1_relu1"
    assert load_model("beholder:shapes", meta=True).stages == load_model("beholder:shapes", meta=True).layers
    assert load_model("vgg19", meta=True).path_name == load_model("vgg_19", meta=True).path_name == "vgg19"


def test_a_panel_takes_over_and_replaces_stages(tmp_path):
    file = tmp_path / "panel.toml"
    file.write_text(
        '[[models]]\nname = "a"\nsource = "alexnet_l2_3_robust"\n'
        '[[models]]\nname = "b"\nsource = "alexnet"\nmetamer_layers = ["relu{0,2}", "final"]\n'
    )
    first, second = load_panel(file)
    assert first.metamer_layers[1:3] == ("relu0", "relu1")
    assert second.metamer_layers == ("relu0", "relu2", "final")
    assert load_model(second, meta=True).stages == second.metamer_layers
