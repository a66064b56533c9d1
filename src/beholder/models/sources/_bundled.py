"""Source ``beholder``: networks that come with the package and need no network to be had.

``beholder:shapes`` tells the sixteen categories of :func:`beholder.stimuli.draw_shapes_set` apart, and
``beholder:syllables`` those of :func:`beholder.stimuli.draw_syllables_set`; ``-robust`` names the adversarially trained
twin of each. ``beholder train`` made them, by the presets of ``tools/networks``; the card in each file tells the rest.
Files of ``v1``, the weights of earlier versions, have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from beholder._core.errors import UnknownNameError
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import ModelDefinition, Source, Weights
from beholder.models.preprocessing._read import ImagePreprocessing, Preprocessing, SoundPreprocessing
from beholder.models.weights._read import explain_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

_FOLDER = Path(__file__).parents[1] / "_data"
INPUT_SIZE = 224
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


@final
@dataclass(frozen=True)
class _Bundled:
    """A bundled network: its weights, the default first, what it is shown, what it names."""

    tags: tuple[str, ...]
    preprocessing: Preprocessing
    layers: tuple[str, ...]
    build: Callable[[int], nn.Module]
    list_classes: Callable[[], tuple[str, ...]]


def _build_picture_network(n_classes: int) -> nn.Module:
    from beholder.models.nets._bundled import BundledPictureNetwork

    return BundledPictureNetwork(n_classes)


def _build_sound_network(n_classes: int) -> nn.Module:
    from beholder.models.nets._bundled_sound import BundledSoundNetwork

    return BundledSoundNetwork(n_classes)


def _list_shapes() -> tuple[str, ...]:
    from beholder.stimuli import SHAPE_CATEGORIES

    return SHAPE_CATEGORIES


def _list_syllables() -> tuple[str, ...]:
    from beholder.stimuli import SYLLABLE_CATEGORIES

    return SYLLABLE_CATEGORIES


def _describe_pictures(*tags: str) -> _Bundled:
    preprocessing = ImagePreprocessing(resize=INPUT_SIZE, crop=(INPUT_SIZE, INPUT_SIZE), mean=MEAN, std=STD)
    layers = ("block1", "block2", "block3", "block4", "block5", "classifier")
    return _Bundled(tags, preprocessing, layers, _build_picture_network, _list_shapes)


def _describe_sounds(*tags: str) -> _Bundled:
    preprocessing = SoundPreprocessing(rate=16_000, duration=1.0, cut="center", pad="center", rms=0.1)
    layers = ("cochleagram", "block1", "block2", "block3", "block4", "classifier")
    return _Bundled(tags, preprocessing, layers, _build_sound_network, _list_syllables)


_NETWORKS = {
    "shapes": _describe_pictures("v2", "v1"),
    "shapes-robust": _describe_pictures("v2"),
    "syllables": _describe_sounds("v2", "v1"),
    "syllables-robust": _describe_sounds("v2"),
}


@final
class BundledSource(Source):
    """The networks that come with Beholder."""

    def list_names(self) -> list[str]:
        """Names of the bundled networks."""
        return sorted(_NETWORKS)

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """How to build a bundled network; see :class:`~beholder.models.Source`."""
        if name not in _NETWORKS:
            raise UnknownNameError("bundled network", name, _NETWORKS)
        network = _NETWORKS[name]
        classes = network.list_classes()
        return ModelDefinition(
            source="beholder",
            name=name,
            build=lambda: network.build(len(classes)),
            preprocessing=network.preprocessing,
            default_tag=network.tags[0],
            tags=network.tags,
            load_tag=lambda module, tag: _load(module, name, tag),
            published_file=lambda tag: _name_file(name, tag),
            layers=network.layers,
            classes=classes,
        )


def _name_file(name: str, tag: str) -> str:
    return f"{name}-{tag}.safetensors"


def _load(module: nn.Module, name: str, tag: str) -> Weights:
    from safetensors.torch import load_file

    from beholder.models.nets._bundled import load_stored_state

    path = _FOLDER / _name_file(name, tag)
    if not path.is_file():
        raise explain_missing(f"beholder:{name}", tag, got="an installation without its file", place=str(path))
    load_stored_state(module, load_file(path))
    return Weights(tag, str(path), hash_file(path))
