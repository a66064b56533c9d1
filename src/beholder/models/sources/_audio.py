"""The source ``audio``: networks that name the word in two seconds of sound, on a cochleagram.

Source: Feather, Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between biological and
artificial neural networks, Nature Neuroscience 26, Methods, Auditory models. A published checkpoint holds the network
twice (as itself and inside an attacker), the constants of its front end, and in some a head for speakers and one for
background sounds; here the network and its head for words are loaded, once, under their own names.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder.models.catalog._metamer_observers import FAKE, FIRST, LAST, Stages
from beholder.models.definitions._base import ModelDefinition, Source
from beholder.models.preprocessing._read import SoundPreprocessing
from beholder.models.weights._read import get_checkpoint_folder, load_file_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from torch import nn

logger = logging.getLogger("beholder")

_ARCHIVE = "https://mcdermottlab.mit.edu/jfeather/model_metamers_assets/pytorch_metamers_audio_model_checkpoints.tar"
_PREPROCESSING = SoundPreprocessing(rate=20_000, duration=2.0, cut="center", pad="center", rms=0.1)
_WRAPPERS = ("module.", "model.", "1.")
_HEAD = re.compile(r"(?P<head>classification|fc)\.(?P<task>.+)\.(?P<part>weight|bias)")
_RESNET_TAGS = (
    "cochresnet_wsn_word",
    "cochresnet_wsn_word_l2_p5_robust_waveform",
    "cochresnet_wsn_word_l2_1_robust_waveform",
    "cochresnet_wsn_word_linf_p002_robust_waveform",
    "cochresnet_wsn_word_l2_1_random_step_waveform",
    "cochresnet_wsn_word_linf_p002_random_step_waveform",
    "cochresnet_wsn_word_l2_p5_robust_cochleagram",
    "cochresnet_wsn_word_l2_1_robust_cochleagram",
    "cochresnet_wsn_word_l2_1_random_step_cochleagram",
)
_CNN_TAGS = (
    "kell2018_wsn_word",
    "kell2018_wsn_word_l2_1_robust_waveform",
    "kell2018_wsn_word_linf_p002_robust_waveform",
    "kell2018_wsn_word_l2_1_random_step_waveform",
    "kell2018_wsn_word_linf_p002_random_step_waveform",
    "kell2018_wsn_word_l2_p5_robust_cochleagram",
    "kell2018_wsn_word_l2_1_robust_cochleagram",
    "kell2018_wsn_word_l2_1_random_step_cochleagram",
)


@final
@dataclass(frozen=True)
class _SoundNetwork:
    """One architecture: where it is built, its published checkpoints, the stages that metamers were made at."""

    build: Callable[[], nn.Module]
    tags: tuple[str, ...]
    stages: Stages
    spellings: tuple[str, ...] = ()
    fake: str = FAKE

    @property
    def taps(self) -> dict[str, str]:
        """Named layers, with the study's second names of stages that end in a rectifier."""
        return {name.replace(FAKE, self.fake): layer for name, layer in self.stages.all_taps.items()}


def _build_cnn() -> nn.Module:
    from beholder.models.nets._cochcnn9 import CochCNN9

    return CochCNN9()


def _build_resnet() -> nn.Module:
    from beholder.models.nets._cochresnet50 import CochResNet50

    return CochResNet50()


def _build_spectemp() -> nn.Module:
    from beholder.models.nets._spectemp import SpecTemp

    return SpecTemp()


_NETWORKS = {
    "cochcnn9": _SoundNetwork(
        _build_cnn,
        _CNN_TAGS,
        Stages(("relu{0..4}*", "avgpool", "relufc*"), {FIRST: "cochleagram", LAST: "classification"}),
        spellings=("kell2018",),
        fake="_fakerelu",
    ),
    "cochresnet50": _SoundNetwork(
        _build_resnet,
        _RESNET_TAGS,
        Stages(("conv1_relu1*", "layer{1..4}*", "avgpool"), {FIRST: "cochleagram", "conv1_relu1": "relu", LAST: "fc"}),
    ),
    "spectemp": _SoundNetwork(
        _build_spectemp,
        ("spectemp_model",),
        Stages(
            ("filtered_signal", "spectempfilter_power", "avgpool"),
            {
                FIRST: "cochleagram",
                "filtered_signal": "spectempfilterbank.apply_filt",
                "spectempfilter_power": "spectempfilterbank.square_real",
                LAST: "classification",
            },
        ),
        spellings=("spectemp_filters", "spectemp_filts_time_average_coch1"),
    ),
}


def pick_word_network(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Tensors of the network itself, under its own names, out of a published checkpoint.

    Left out are the attacker's copy, heads for other tasks than words, and, once checked, the constants of the front
    end. A name that belongs to none of these stays, so that loading refuses it.

    Raises
    ------
    InputError
        When the checkpoint's cochlear filters are others: its network then wants other cochleagrams.
    """
    own = set(module.state_dict())
    picked: dict[str, Any] = {}
    others: dict[str, int] = {}
    for full_name, value in state.items():
        name = full_name
        while name not in own and name.startswith(_WRAPPERS):
            name = name.partition(".")[2]
        if name.startswith("attacker.") or name.endswith(".all_Hts"):
            continue
        if _is_constant(name, value):
            continue
        match = _HEAD.fullmatch(name)
        if match and name not in own:
            if "word" not in match["task"]:
                others[match["task"]] = len(value)
                continue
            name = f"{match['head']}.{match['part']}"
        picked[name] = value
    if others:
        shown = ", ".join(f"{task} ({n})" for task, n in others.items())
        logger.info("the checkpoint's heads for other tasks are left out: %s", shown)
    return picked


def _is_constant(name: str, value: Any) -> bool:
    """Whether a tensor is one of the fixed numbers before the network; a wrong one is an error."""
    from beholder.models.front_ends._cochlear_filters import make_cochlear_filters, make_downsampling_window

    if name.endswith("coch_filters"):
        gains = value[..., 0] if value.ndim == 3 else value
        _check_constant("cochlear filters", gains.numpy(), make_cochlear_filters().transfer)
    elif name.endswith("downsample_filter"):
        _check_constant("downsampling window", value.flatten().numpy(), make_downsampling_window(100))
    elif name.endswith(("new_mean", "new_std")):
        _check_constant(name, value.flatten().numpy(), [0.0 if name.endswith("mean") else 1.0])
    else:
        return False
    return True


def _check_constant(what: str, found: np.ndarray, expected: Any) -> None:
    import numpy as np

    expected = np.asarray(expected)
    if found.shape != expected.shape or np.abs(found - expected).max() > 1e-3:
        raise InputError(
            f"a checkpoint with the published cochleagram's {what}, {expected.shape}",
            got=f"one with others, {found.shape}",
            hint="a file: source with this front end",
        )


@final
class AudioSource(Source):
    """Networks of sounds: ``audio:cochcnn9``, ``audio:cochresnet50``, ``audio:spectemp``."""

    def list_names(self) -> list[str]:
        """The three architectures."""
        return sorted(_NETWORKS)

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """One of the three; a tag is a published file's stem, such as ``kell2018_wsn_word``."""
        from beholder.stimuli import load_words

        plain = name.lower().replace("-", "_")
        spelled = {other: key for key, network in _NETWORKS.items() for other in network.spellings}
        canonical = spelled.get(plain, plain)
        if canonical not in _NETWORKS:
            raise UnknownNameError("network of audio", name, self.list_names())
        network = _NETWORKS[canonical]
        return ModelDefinition(
            source="audio",
            name=canonical,
            build=network.build,
            preprocessing=_PREPROCESSING,
            default_tag=network.tags[0],
            tags=network.tags,
            load_tag=lambda module, tag: load_file_weights(
                module, _find_checkpoint(canonical, tag), tag=tag, adapt=pick_word_network
            ),
            fetch_tag=lambda tag: _find_checkpoint(canonical, tag),
            published_file=lambda tag: f"{tag}.pt" if tag in network.tags else None,
            adapt_state_dict=pick_word_network,
            layers=network.stages.layers,
            taps=network.taps,
            classes=load_words(),
        )


def _find_checkpoint(name: str, tag: str) -> Path:
    """A checkpoint of the study's archive: beside other downloaded weights, or where ``beholder assets`` puts it."""
    from beholder.stimuli import find_asset_file, name_asset_of

    path = get_checkpoint_folder() / f"{tag}.pt"
    found = path if path.is_file() else find_asset_file(path.name)
    if found is None:
        asset = name_asset_of(path.name)
        raise WeightsUnavailable(
            f"the weights {tag} of audio:{name}",
            got=f"no file at {path}",
            hint=(f"`beholder assets fetch {asset}` where there is a network, or " if asset else "")
            + f"putting {tag}.pt out of {_ARCHIVE} there, or --model_path FILE, or audio:{name}@random",
        )
    return found
