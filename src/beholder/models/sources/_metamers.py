"""The source ``metamers``: networks of the metamer study that no other source holds.

Feather, Leclerc, Madry & McDermott (2023), "Model metamers reveal divergent invariances between biological and
artificial neural networks", Nature Neuroscience 26. The study published its checkpoints in one archive, out of which
``beholder assets`` takes them; one that lies beside the other downloaded weights is used too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import UnknownNameError, WeightsUnavailable
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import ModelDefinition, Source, Weights, get_source
from beholder.models.preprocessing._grey import GreyPreprocessing
from beholder.models.preprocessing._read import ImagePreprocessing, Preprocessing
from beholder.models.sources._robust import build_architecture, pick_network
from beholder.models.weights._published import PublishedWeights, make_file_finder
from beholder.models.words._vocabulary import list_imagenet_classes

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger("beholder")

ARCHIVE_URL = (
    "https://mcdermottlab.mit.edu/jfeather/model_metamers_assets/pytorch_metamers_visual_model_checkpoints.tar"
)
SEEDED, PATCHES = "seeded", "universal_patch_set"
READOUT_FILE = "ipcl_model_01_alexnet_fc7_ipcl_training_head_ipcl1_fc7_lincls_onecycle.pth.tar"

_GEIRHOS = "https://bitbucket.org/robert_geirhos/texture-vs-shape-pretrained-models/raw"
_IPCL = "https://visionlab-pretrainedmodels.s3.amazonaws.com/project_instancenet/ipcl"


@final
@dataclass(frozen=True)
class _MetamerNetwork:
    """One architecture: how it is built, what is published for it.

    Parameters
    ----------
    build : callable
        ``build() -> nn.Module``.
    archived : tuple of str
        Weights whose file ``{tag}.pt`` is in the archive.
    files : mapping of str to PublishedWeights
        Weights with an address of their own.
    adapt : callable
        ``adapt(state, module) -> state``.
    preprocessing : Preprocessing
    """

    build: Callable[[], nn.Module]
    archived: tuple[str, ...] = ()
    files: tuple[tuple[str, PublishedWeights], ...] = ()
    adapt: Callable[[dict[str, Any], nn.Module], dict[str, Any]] = pick_network
    preprocessing: Preprocessing = field(default_factory=ImagePreprocessing)


def pick_any_network(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """:func:`pick_network`, for files too where only a part of the network was spread over devices."""
    own = set(module.state_dict())
    plain = {name if name in own else name.replace(".module.", "."): value for name, value in state.items()}
    return pick_network(plain, module)


def pick_hann_network(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """:func:`pick_network`, without the windows, which are computed."""
    return {name: value for name, value in pick_network(state, module).items() if "hann_window" not in name}


def pick_hmax(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Tensors of HMAX out of a checkpoint with an attacker's copy and a normaliser of mean 0 and deviation 1."""
    from beholder.models.nets._hmax import adapt_hmax_state

    picked = {}
    for full_name, value in state.items():
        name = full_name.removeprefix("module.")
        if not name.startswith(("attacker.", "preproc.", "normalizer.")):
            picked[name.removeprefix("model.")] = value
    return adapt_hmax_state(picked, module)


def pick_ipcl(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """:func:`pick_network`; without a readout in the file, the network's output is ``fc7``."""
    from torch import nn as modules

    picked = pick_network(state, module)
    if "classifier.weight" in dict(module.state_dict()) and "classifier.weight" not in picked:
        logger.warning("this file holds no readout of fc7, so that the network's output is fc7 itself")
        module.set_submodule("classifier", modules.Identity())
    return picked


def _build_hann() -> nn.Module:
    from beholder.models.nets._metamers import ReducedAliasingAlexNet

    return ReducedAliasingAlexNet()


def _build_group_norm(n_outputs: int, has_readout: bool) -> nn.Module:
    from beholder.models.nets._metamers import GroupNormAlexNet

    return GroupNormAlexNet(n_outputs, has_readout=has_readout)


def _build_vone() -> nn.Module:
    from beholder.models.nets._vone import build_vone_alexnet

    return build_vone_alexnet()


def _build_hmax() -> nn.Module:
    from beholder.models.nets._hmax import HMAX

    return HMAX()


_NETWORKS = {
    "resnet50": _MetamerNetwork(
        partial(build_architecture, "resnet50"),
        ("resnet50_simclr", "resnet50_moco_v2", "resnet50_byol", "resnet50_random_l2_perturb",
         "resnet50_random_linf8_perturb"),
        (("resnet50_trained_on_SIN", PublishedWeights(
            f"{_GEIRHOS}/6f41d2e86fc60566f78de64ecff35cc61eb6436f/resnet50_train_60_epochs-c8e5653e.pth.tar",
            "c8e5653e")),),
        pick_any_network,
    ),
    "alexnet": _MetamerNetwork(
        partial(build_architecture, "alexnet"),
        ("alexnet_early_checkpoint_50", "alexnet_l2_3_robust_training", "alexnet_linf_8_robust_training",
         "alexnet_linf_4_robust_training", "alexnet_l2_3_random_perturb", "alexnet_random_linf_8_perturb"),
        (("alexnet_trained_on_SIN", PublishedWeights(
            f"{_GEIRHOS}/0008049cd10f74a944c6d5e90d4639927f8620ae/alexnet_train_60_epochs_lr0.001-b4aa5238.pth.tar",
            "b4aa5238")),),
        pick_any_network,
    ),
    "alexnet_reduced_aliasing": _MetamerNetwork(
        _build_hann, ("alexnet_reduced_aliasing_early_checkpoint", "alexnet_reduced_aliasing"), adapt=pick_hann_network
    ),
    "alexnet_gn_ipcl": _MetamerNetwork(
        partial(_build_group_norm, 128, True),
        files=(("ipcl1", PublishedWeights(
            f"{_IPCL}/06_instance_imagenet_AlexNet_n5_lr03_pct40_t07_div1000_e100_bs128_bm20_gn_stack_final"
            "_weights_only.pth.tar")),),
        adapt=pick_ipcl,
    ),
    "alexnet_gn_supervised": _MetamerNetwork(
        partial(_build_group_norm, 1000, False),
        files=(("ipcl12", PublishedWeights(
            f"{_IPCL}/alexnet_gn_s1000_imagenet_wus_aug_final_weights_only.pth.tar")),),
    ),
    "vonealexnet": _MetamerNetwork(_build_vone, ("gvonealexnet_std4",)),
    "hmax": _MetamerNetwork(
        _build_hmax,
        ("hmax_linear_classification",),
        ((PATCHES, PublishedWeights("https://github.com/wmvanvliet/pytorch_hmax/raw/master/universal_patch_set.mat")),),
        pick_hmax,
        GreyPreprocessing(),
    ),
}  # fmt: skip
_CLIP = {"clip_resnet50": "RN50", "clip_vit_b_32": "ViT-B-32"}


@final
class MetamersSource(Source):
    """``metamers:resnet50@resnet50_simclr``, ``metamers:vonealexnet``, ``metamers:hmax``, …."""

    def list_names(self) -> list[str]:
        """The architectures."""
        return sorted([*_NETWORKS, *_CLIP])

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """One architecture; a tag is a published file's stem."""
        if name in _CLIP:
            return _find_clip(name)
        if name not in _NETWORKS:
            raise UnknownNameError("network of metamers", name, self.list_names())
        network = _NETWORKS[name]
        files = {each: PublishedWeights(f"{ARCHIVE_URL}/{each}.pt") for each in network.archived} | dict(network.files)
        tags = tuple(files)
        definition = ModelDefinition(
            source="metamers",
            name=name,
            build=network.build,
            preprocessing=network.preprocessing,
            default_tag=tags[0],
            tags=tags,
            fetch_tag=partial(fetch_tag, name),
            load_tag=partial(_load_tag, name),
            published_file=make_file_finder(files),
            adapt_state_dict=network.adapt,
            classes=list_imagenet_classes(),
        )
        if name != "hmax":
            return definition
        classes = definition.classes if tag == "hmax_linear_classification" else None
        return replace(
            definition,
            default_tag=SEEDED,
            tags=(SEEDED, *tags),
            load_tag=_load_hmax,
            fetch_tag=None,
            classes=classes,
        )


def fetch_tag(name: str, tag: str) -> Path:
    """The file of published weights: downloaded, or, of those in the archive, where it lies.

    Raises
    ------
    WeightsUnavailable
        One line that says where the file is published and where to put it.
    """
    from beholder.models.weights._read import fetch_checkpoint
    from beholder.stimuli import find_asset_file

    file = dict(_NETWORKS[name].files).get(tag)
    if file is not None:
        return find_asset_file(file.file_name) or fetch_checkpoint(
            file.url, model=f"metamers:{name}", tag=tag, sha256=file.sha256, file_name=file.file_name
        )
    return find_archived(f"{tag}.pt", f"metamers:{name}", tag)


def find_archived(file_name: str, model: str, tag: str) -> Path:
    """A checkpoint of the study's archive: beside other downloaded weights, or where ``beholder assets`` puts it."""
    from beholder.models.weights._read import get_checkpoint_folder
    from beholder.stimuli import find_asset_file, name_asset_of

    folder = get_checkpoint_folder()
    file = folder / file_name if (folder / file_name).is_file() else find_asset_file(file_name)
    if file is not None:
        return file
    asset = name_asset_of(file_name)
    ways = [f"`beholder assets fetch {asset}` where there is a network"] if asset else []
    ways += [f"putting {file_name} into {folder}", "--model_path FILE", f"{model}@random"]
    raise WeightsUnavailable(
        f"the weights {tag} of {model}",
        got=f"no {file_name} here; it is published inside {ARCHIVE_URL} (5.5 GB)",
        hint=", or ".join(ways),
    )


def _load_tag(name: str, module: nn.Module, tag: str) -> Weights:
    from beholder.models.weights._read import load_state, read_weights

    network, path = _NETWORKS[name], fetch_tag(name, tag)
    state = read_weights(path)
    if name == "alexnet_gn_ipcl":
        state |= read_weights(find_archived(READOUT_FILE, f"metamers:{name}", tag))
    load_state(module, network.adapt(state, module), origin=str(path))
    return Weights(tag=tag, file=str(path), sha256=hash_file(path))


def _load_hmax(module: nn.Module, tag: str) -> Weights:
    from beholder.models.nets._hmax import HMAX, draw_prototypes, read_patch_set
    from beholder.models.weights._read import load_state

    if tag not in (SEEDED, PATCHES):
        return _load_tag("hmax", module, tag)
    assert isinstance(module, HMAX)
    if tag == SEEDED:
        path, patches = None, draw_prototypes(module)
        logger.info(
            "metamers:hmax: S2 compares with patches drawn by a seed from drawn pictures, not the published ones"
        )
    else:
        path = fetch_tag("hmax", tag)
        patches = read_patch_set(path)
    state = {f"s2.{i}.patches": each for i, each in enumerate(patches)}
    load_state(module, _NETWORKS["hmax"].adapt(state, module), origin=str(path or SEEDED))
    return Weights(tag=tag, file=None if path is None else str(path), sha256=None if path is None else hash_file(path))


def _find_clip(name: str) -> ModelDefinition:
    clip = get_source("open_clip").find(_CLIP[name], "openai")

    def build() -> nn.Module:
        from beholder.models.sources._clip_observer import build_clip_observer

        return build_clip_observer(clip)

    def build_tag(tag: str) -> tuple[nn.Module, Weights]:
        from beholder.models.sources._clip_observer import load_clip_observer

        return load_clip_observer(clip, tag)

    def adapt(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
        from beholder.models.sources._clip_observer import adapt_clip_state

        return adapt_clip_state(clip, state, module)

    return ModelDefinition(
        source="metamers",
        name=name,
        build=build,
        preprocessing=clip.preprocessing,
        default_tag="openai",
        tags=("openai",),
        fetch_tag=clip.fetch_tag,
        build_tag=build_tag,
        published_file=clip.published_file,
        adapt_state_dict=adapt,
        classes=list_imagenet_classes(),
    )
