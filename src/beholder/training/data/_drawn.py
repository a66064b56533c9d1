"""Training data that are drawn afresh each epoch: the procedural sets of pictures and sounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import UnknownNameError
from beholder._core.hashing import hash_settings
from beholder._core.seeds import derive_seed, make_generator
from beholder.stimuli import SHAPE_CATEGORIES, SYLLABLE_CATEGORIES, SYLLABLE_RATE, make_shape_picture, make_syllable
from beholder.training.data._readers import StimulusReader
from beholder.training.data._stored import mix_batch
from beholder.training.data._threads import use_one_thread

_BLOCK = 48  # stimuli among which every category comes equally often
VERSION = 1
"""Counts what is drawn: another number where the same seed gives other stimuli."""


@final
@dataclass(frozen=True)
class DrawnSet:
    """A procedural set.

    Parameters
    ----------
    kind : {"image", "sound"}
    categories : tuple of str
    make : callable
        ``make(category, seed)`` gives pixels, or samples with their rate.
    word : str
        What one stimulus is called where seeds are derived.
    augment : tuple of str
        How it is varied where nothing else is asked for.
    """

    kind: str
    categories: tuple[str, ...]
    make: Callable[[str, int], Any]
    word: str
    augment: tuple[str, ...]


def _make_sound(category: str, seed: int) -> tuple[np.ndarray, int]:
    return make_syllable(category, seed), SYLLABLE_RATE


DRAWN_SETS: dict[str, DrawnSet] = {
    "shapes": DrawnSet("image", SHAPE_CATEGORIES, make_shape_picture, "picture", ("flip", "vary")),
    "syllables": DrawnSet("sound", SYLLABLE_CATEGORIES, _make_sound, "sound", ()),
}
"""The sets that are drawn by name."""


@lru_cache(maxsize=4096)
def draw_targets(seed: int, block: int, n_classes: int) -> np.ndarray:
    """The categories of a block of stimuli, (48,), each equally often as far as they go."""
    rng = make_generator(seed, "batch", block)
    return rng.permutation(np.arange(_BLOCK) % n_classes)


@final
class DrawnData:
    """Stimuli of a procedural set: other ones in each epoch, none twice.

    Stimulus ``i`` of epoch ``e`` is number ``e * n_stimuli + i`` of one stream that the seed
    decides.

    Parameters
    ----------
    name : str
        One of :data:`DRAWN_SETS`.
    n_stimuli : int
        Stimuli an epoch.
    reader : StimulusReader
    augment : mapping of str to float
    for_validation : bool
        Of another stream, whose stimuli are the same in every epoch and with every seed.
    """

    def __init__(
        self,
        name: str,
        n_stimuli: int,
        reader: StimulusReader,
        *,
        augment: Mapping[str, float] | None = None,
        for_validation: bool = False,
    ) -> None:
        if name not in DRAWN_SETS:
            raise UnknownNameError("drawn set", name, DRAWN_SETS)
        self.name = name
        self._set = DRAWN_SETS[name]
        self._n_stimuli = n_stimuli
        self._reader = reader
        self._augment = dict(augment or {})
        self._for_validation = for_validation

    @property
    def classes(self) -> tuple[str, ...]:
        """The categories."""
        return self._set.categories

    @property
    def n_stimuli(self) -> int:
        """Stimuli an epoch."""
        return self._n_stimuli

    @property
    def fingerprint(self) -> str:
        """Hash of the set's name and version and of how many are drawn."""
        return hash_settings(self.describe())

    def name_stimulus(self, index: int) -> str:
        """Its place in the epoch."""
        return f"{self.name} {index}"

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Draw and vary stimuli; see :class:`TrainingData`."""
        labels = self._draw_labels(indices, epoch, seed)
        with use_one_thread():
            shown = [self._draw(int(i), int(label), epoch, seed) for i, label in zip(indices, labels, strict=True)]
            x, y = torch.as_tensor(np.stack(shown)), torch.as_tensor(labels)
            return mix_batch(x, y, len(self.classes), self._augment, seed, epoch, indices)

    def describe(self) -> dict[str, Any]:
        """The set's name and version, numbers, augmentations."""
        return {
            "kind": self._set.kind,
            "drawn": self.name,
            "version": VERSION,
            "n_stimuli": self._n_stimuli,
            "n_classes": len(self.classes),
            "for_validation": self._for_validation,
            "augment": [f"{name}={number:g}" for name, number in self._augment.items()],
        }

    def _draw(self, i: int, label: int, epoch: int, seed: int) -> np.ndarray:
        stream, number = self._find(i, epoch, seed)
        made = self._set.make(
            self.classes[label], derive_seed(stream, self._set.word, number // _BLOCK, number % _BLOCK)
        )
        return self._reader.show(self._reader.open(made), stream, "vary", number)

    def _draw_labels(self, indices: np.ndarray, epoch: int, seed: int) -> np.ndarray:
        found = np.empty(len(indices), np.int64)
        for k, i in enumerate(map(int, indices)):
            stream, number = self._find(i, epoch, seed)
            found[k] = draw_targets(stream, number // _BLOCK, len(self.classes))[number % _BLOCK]
        return found

    def _find(self, i: int, epoch: int, seed: int) -> tuple[int, int]:
        """The stream that a stimulus is of, and its number there."""
        if self._for_validation:
            return derive_seed(0, "validation"), i
        return seed, epoch * self._n_stimuli + i
