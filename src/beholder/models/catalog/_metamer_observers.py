"""The picture networks of the metamer study as named observers: what they load, and the stages of their metamers.

Source: Feather, Leclerc, Madry & McDermott (2023), "Model metamers reveal divergent invariances between biological
and artificial neural networks", Nature Neuroscience 26; the names are those of its published model directories. Where
a stage ends in a rectifier, the study's own name for it with the gradient passed through (``layer1_fake_relu``) means
the same layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from beholder._core.braces import expand_braces
from beholder.models.catalog._panel_table import CatalogEntry, expand_taps
from beholder.models.definitions._base import Alias

FAKE = "_fake_relu"
FIRST, LAST = "input_after_preproc", "final"


@final
@dataclass(frozen=True)
class Stages:
    """Stages of one architecture.

    Parameters
    ----------
    names : tuple of str
        In order; a ``*`` behind a name marks one that ends in a rectifier. ``{a,b}`` and ``{0..3}`` are spelled out.
    taps : mapping of str to str
        Layers that are not called so.
    """

    names: tuple[str, ...]
    taps: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names, from the network's input to its output."""
        spelled = [name for text in self.names for name in expand_braces(text.rstrip("*"))]
        return (FIRST, *spelled, LAST)

    @property
    def all_taps(self) -> dict[str, str]:
        """The taps, and those under the study's second name."""
        taps = expand_taps(self.taps)
        rectified = [name for text in self.names if text.endswith("*") for name in expand_braces(text[:-1])]
        return taps | {f"{name}{FAKE}": taps.get(name, name) for name in rectified}


RESNET = Stages(("conv1_relu1*", "layer{1..4}*", "avgpool"), {FIRST: "conv1:in", "conv1_relu1": "relu", LAST: "fc"})
RESNET_TIMM = Stages(
    ("conv1_relu1*", "layer{1..4}*", "avgpool"),
    {FIRST: "conv1:in", "conv1_relu1": "act1", "avgpool": "global_pool", LAST: "fc"},
)
RESNEXT_TIMM = Stages(
    ("conv1_relu1*", "layer{1..4}*", "globalpool"),
    {FIRST: "conv1:in", "conv1_relu1": "act1", "globalpool": "global_pool", LAST: "fc"},
)
ALEXNET = Stages(
    ("relu{0..4}*", "fc{0,1}_relu*"),
    {FIRST: "features.0:in", "relu{0,1,2,3,4}": "features.{1,4,7,9,11}", "fc{0,1}_relu": "classifier.{2,5}",
     LAST: "classifier.6"},
)  # fmt: skip
ALEXNET_HANN = Stages(
    ("relu0*", "hpool0", "relu1*", "hpool1", "relu{2,3,4}*", "hpool2", "fc{0,1}_relu*"),
    {FIRST: "features.0:in", "relu{0,1,2,3,4}": "features.{1,4,7,9,11}", "hpool{0,1,2}": "features.{2,5,12}",
     "fc{0,1}_relu": "classifier.{2,5}", LAST: "classifier.6"},
)  # fmt: skip
VGG19 = Stages(
    ("conv_relu_{0_1,1_1,2_3,3_3,4_3}*", "avgpool", "fc_relu_{0,1}*"),
    {FIRST: "features.0:in", "conv_relu_{0_1,1_1,2_3,3_3,4_3}": "features.{3,8,17,26,35}",
     "fc_relu_{0,1}": "classifier.{1,4}", LAST: "classifier.6"},
)  # fmt: skip
CORNET_S = Stages(("{V1,V2,V4,IT}*",), {FIRST: "V1:in", LAST: "decoder"})
CLIP_RESNET = Stages(
    ("stem", "layer{1..4}*", "attnpool"),
    {FIRST: "visual.conv1:in", "stem": "visual.avgpool", "layer{1..4}": "visual.layer{1..4}",
     "attnpool": "visual.attnpool"},
)  # fmt: skip
CLIP_TRANSFORMER = Stages(
    ("conv1", "class_embedding_cat", "ln_pre", "block_{0,3,6,9}", "blocks_end"),
    {FIRST: "visual.conv1:in", "conv1": "visual.conv1", "ln_pre": "visual.ln_pre",
     "block_{0,3,6,9}": "visual.transformer.resblocks.{0,3,6,9}", "blocks_end": "visual.transformer.resblocks.11"},
)  # fmt: skip
TRANSFORMER = Stages(
    ("patch_embed", "pos_embed", "block_{0,6,12,18}", "blocks_end"),
    {FIRST: "patch_embed:in", "pos_embed": "pos_drop", "block_{0,6,12,18}": "blocks.{0,6,12,18}",
     "blocks_end": "blocks.23", LAST: "head"},
)  # fmt: skip
GROUP_NORM = Stages(
    ("conv_block_{1..5}*", "avgpool", "fc6*", "fc7*"), {FIRST: "conv_block_1:in", "avgpool": "ave_pool"}
)
VONE = Stages(
    ("gabors_f", "v1_output*", "bottleneck", "relu{1..4}*", "fc{0,1}_relu*"),
    {FIRST: "vone_block:in", "gabors_f": "vone_block.gabors", "v1_output": "vone_block.output",
     "relu{1,2,3,4}": "model.features.{1,4,6,8}", "fc{0,1}_relu": "model.classifier.{2,5}",
     LAST: "model.classifier.6"},
)  # fmt: skip
HMAX = Stages(("s1_out", "c1_out", "s2_out", "c2_out"), {FIRST: "s1:in", LAST: "fc"})

OBSERVERS: tuple[tuple[str, str, Stages], ...] = (
    ("resnet50", "torchvision:resnet50@IMAGENET1K_V1", RESNET),
    ("resnet101", "torchvision:resnet101@IMAGENET1K_V1", RESNET),
    ("resnet50_l2_3_robust", "robust:resnet50@imagenet_l2_3_0", RESNET),
    ("resnet50_linf_4_robust", "robust:resnet50@imagenet_linf_4", RESNET),
    ("resnet50_linf_8_robust", "robust:resnet50@imagenet_linf_8", RESNET),
    ("resnet50_random_l2_perturb", "metamers:resnet50@resnet50_random_l2_perturb", RESNET),
    ("resnet50_random_linf8_perturb", "metamers:resnet50@resnet50_random_linf8_perturb", RESNET),
    ("resnet50_simclr", "metamers:resnet50@resnet50_simclr", RESNET),
    ("resnet50_moco_v2", "metamers:resnet50@resnet50_moco_v2", RESNET),
    ("resnet50_byol", "metamers:resnet50@resnet50_byol", RESNET),
    ("texture_shape_resnet50_trained_on_SIN", "metamers:resnet50@resnet50_trained_on_SIN", RESNET),
    ("SWSL_resnet50", "timm:resnet50@fb_swsl_ig1b_ft_in1k", RESNET_TIMM),
    ("SWSL_resnext101_32x8d", "timm:resnext101_32x8d@fb_swsl_ig1b_ft_in1k", RESNEXT_TIMM),
    ("alexnet", "torchvision:alexnet@IMAGENET1K_V1", ALEXNET),
    ("alexnet_l2_3_robust", "metamers:alexnet@alexnet_l2_3_robust_training", ALEXNET),
    ("alexnet_linf_8_robust", "metamers:alexnet@alexnet_linf_8_robust_training", ALEXNET),
    ("alexnet_random_l2_3_perturb", "metamers:alexnet@alexnet_l2_3_random_perturb", ALEXNET),
    ("alexnet_random_linf8_perturb", "metamers:alexnet@alexnet_random_linf_8_perturb", ALEXNET),
    ("alexnet_early_checkpoint", "metamers:alexnet@alexnet_early_checkpoint_50", ALEXNET),
    ("texture_shape_alexnet_trained_on_SIN", "metamers:alexnet@alexnet_trained_on_SIN", ALEXNET),
    (
        "alexnet_reduced_aliasing_early_checkpoint",
        "metamers:alexnet_reduced_aliasing@alexnet_reduced_aliasing_early_checkpoint",
        ALEXNET_HANN,
    ),
    ("vgg_19", "torchvision:vgg19@IMAGENET1K_V1", VGG19),
    ("cornet_s", "cornet:cornet_s@cornet_s-1d3f7974", CORNET_S),
    ("CLIP_resnet50", "metamers:clip_resnet50@openai", CLIP_RESNET),
    ("CLIP_ViT-B_32", "metamers:clip_vit_b_32@openai", CLIP_TRANSFORMER),
    (
        "vision_transformer_vit_large_patch16_224",
        "timm:vit_large_patch16_224@augreg_in21k_ft_in1k",
        TRANSFORMER,
    ),
    (
        "konkle_alexnetgn_ipcl_ref01_primary_model",
        "metamers:alexnet_gn_ipcl@ipcl1",
        replace(GROUP_NORM, taps={**GROUP_NORM.taps, LAST: "classifier"}),
    ),
    (
        "konkle_alexnetgn_ipcl_ref12_supervised_ipcl_aug",
        "metamers:alexnet_gn_supervised@ipcl12",
        replace(GROUP_NORM, taps={**GROUP_NORM.taps, LAST: "fc8"}),
    ),
    ("vonealexnet_gaussian_noise_std4_fixed", "metamers:vonealexnet@gvonealexnet_std4", VONE),
    ("hmax_standard", "metamers:hmax@seeded", HMAX),
)
"""Name, what it loads, stages: every picture network of the study."""


def add_metamer_observers(entries: Sequence[CatalogEntry]) -> tuple[CatalogEntry, ...]:
    """Give the catalog's entries of these names their stages, and add those that it does not hold."""
    merged = list(entries)
    for name, loads, stages in OBSERVERS:
        source, _, rest = loads.partition(":")
        model, _, tag = rest.partition("@")
        known = [i for i, entry in enumerate(merged) if name in entry.names]
        if known:
            entry = merged[known[0]]
            taps = {**stages.all_taps, **entry.alias.taps}
            alias = replace(entry.alias, taps=taps, metamer_layers=stages.layers)
            merged[known[0]] = replace(entry, alias=alias)
        else:
            alias = Alias(
                name, source, model, tag or None, stages.layers, stages.all_taps, metamer_layers=stages.layers
            )
            merged.append(CatalogEntry((name,), alias))
    return tuple(merged)


def list_metamer_observers() -> list[str]:
    """Names of the picture networks of the metamer study.

    >>> "hmax_standard" in list_metamer_observers()
    True
    """
    return [name for name, _, _ in OBSERVERS]
