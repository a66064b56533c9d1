"""Training data that lie in files or arrays."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.hashing import PREFIX, hash_bytes
from beholder._core.progress import show_progress
from beholder._core.seeds import make_generator
from beholder._core.threads import open_threads
from beholder.models import name_bad_stimulus
from beholder.stimuli import StimulusSet
from beholder.training.data._augmentations import AUGMENTATIONS
from beholder.training.data._draws import DrawFrom
from beholder.training.data._readers import StimulusReader
from beholder.training.data._threads import use_one_thread

MOST_HASHED = 4 * 2**30
"""Bytes of files up to which a fingerprint reads them all; above, it goes by their names and sizes."""


@final
class StoredData:
    """Stimuli of a set, with their labels.

    Parameters
    ----------
    stimuli : StimulusSet
    labels : (n_stimuli,), int64
    classes : tuple of str
    reader : StimulusReader
    augment : mapping of str to float
        Augmentations in their order, for :meth:`describe`; those of batches act here.
    background : StimulusSet, optional
        What is mixed into the stimuli, for the fingerprint.
    cache_bytes : int
        Memory for decoded stimuli: those read first stay, until it is full.
    """

    def __init__(
        self,
        stimuli: StimulusSet,
        labels: np.ndarray,
        classes: tuple[str, ...],
        reader: StimulusReader,
        *,
        augment: Mapping[str, float] | None = None,
        background: StimulusSet | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.stimuli = stimuli
        self._labels = np.asarray(labels, dtype=np.int64)
        self._classes = classes
        self._reader = reader
        self._augment = dict(augment or {})
        self._background = background
        self._room = cache_bytes
        self._kept: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._fingerprint: str | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._classes

    @property
    def n_stimuli(self) -> int:
        """Stimuli an epoch."""
        return len(self.stimuli)

    @property
    def stimulus_ids(self) -> tuple[str, ...]:
        """Ids of the set."""
        return self.stimuli.ids

    @property
    def labels(self) -> np.ndarray:
        """(n_stimuli,), int64."""
        return self._labels

    @property
    def fingerprint(self) -> str:
        """Hash of ids, labels and files' bytes, of a background too; of names and sizes above 4 GiB of files."""
        if self._fingerprint is None:
            self._fingerprint = self._compute_fingerprint()
        return self._fingerprint

    def _compute_fingerprint(self) -> str:
        names = self._classes
        rows = zip(self.stimuli.ids, self._labels.tolist(), hash_stimuli(self.stimuli), strict=True)
        listed = [f"{stimulus_id}\t{names[label]}\t{what}" for stimulus_id, label, what in rows]
        if self._background is not None:
            behind = zip(self._background.ids, hash_stimuli(self._background), strict=True)
            listed += ["background", *(f"{stimulus_id}\t{what}" for stimulus_id, what in behind)]
        return hash_bytes("\n".join(listed).encode())

    def name_stimulus(self, index: int) -> str:
        """Its file, or its id where it has none."""
        return self.stimuli.files[index] or self.stimuli.ids[index]

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Read, decode and vary stimuli; see :class:`TrainingData`.

        With MixUp or CutMix labels are (n, n_classes), float32.
        """
        shown: list[np.ndarray] = []
        with use_one_thread():
            for i in map(int, indices):
                with name_bad_stimulus(self.stimuli, i):
                    shown.append(self._reader.show(self._load(i), seed, "augment", epoch, self.stimuli.ids[i]))
            labels = torch.as_tensor(self._labels[np.asarray(indices, dtype=np.int64)])
            return mix_batch(_stack(shown), labels, len(self._classes), self._augment, seed, epoch, indices)

    def describe(self) -> dict[str, Any]:
        """Kind, numbers, augmentations."""
        return {
            "kind": self.stimuli.kind,
            "n_stimuli": self.n_stimuli,
            "n_classes": len(self._classes),
            "augment": [f"{name}={number:g}" for name, number in self._augment.items()],
        }

    def _load(self, i: int) -> Any:
        kept = self._kept.get(i)
        if kept is not None:
            return kept
        loaded = self._reader.load(self.stimuli, i)
        size = self._reader.count_bytes(loaded)
        with self._lock:
            if size <= self._room and i not in self._kept:
                self._room -= size
                self._kept[i] = loaded
        return loaded


def hash_stimuli(stimuli: StimulusSet) -> list[str]:
    """The hash of each stimulus, without the algorithm's name; its size where the files have more than 4 GiB."""
    sizes, n = stimuli.measure_files(), len(stimuli)
    if sizes is not None and int(sizes.sum()) > MOST_HASHED:
        return [str(int(size)) for size in sizes]
    found: list[str] = []
    with (
        open_threads(min(32, os.cpu_count() or 1)) as pool,
        show_progress("hash stimuli", n, f"{stimuli.kind}s") as advance,
    ):
        for each in pool.map(stimuli.hash_stimulus, range(n)):
            found.append(each.removeprefix(PREFIX))
            advance(1)
    return found


def mix_batch(
    x: Tensor, labels: Tensor, n_classes: int, augment: Mapping[str, float], seed: int, epoch: int,
    indices: Sequence[int] | np.ndarray,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A batch after MixUp or CutMix, where asked for: one of them, drawn by the batch's members."""
    mixes = [(name, number) for name, number in augment.items() if AUGMENTATIONS[name].stage == "batch"]
    if not mixes:
        return x, labels
    where = hash_bytes(np.ascontiguousarray(indices, dtype=np.int64).data.cast("B"))
    name, number = mixes[int(make_generator(seed, "mix", epoch, where).integers(len(mixes)))]
    make = AUGMENTATIONS[name].make
    assert make is not None
    with DrawFrom(seed, "mixed", epoch, where):
        mixed = make(number, n_classes, "")(x, labels)
    return mixed[0], mixed[1].float()


def _stack(shown: list[np.ndarray]) -> Tensor:
    shapes = sorted({each.shape for each in shown})
    if len(shapes) > 1:
        raise InputError("stimuli of one shape after preprocessing", got=f"{shapes[0]} and {shapes[1]}",
                         hint="a model with an input size")  # fmt: skip
    return torch.as_tensor(np.stack(shown))
