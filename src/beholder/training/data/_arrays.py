"""Training data that are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.hashing import hash_array, hash_settings
from beholder._core.seeds import make_generator


@final
@dataclass(frozen=True, eq=False)
class ArrayData:
    """Prepared stimuli and their labels, in memory, without augmentation.

    Parameters
    ----------
    stimuli : (n_stimuli, *input_shape), float32
        As the network's ``prepare`` gives them.
    labels : (n_stimuli,), int64
        Positions in ``classes``.
    classes : sequence of str

    Examples
    --------
    >>> data = ArrayData(torch.zeros(4, 3, 8, 8), torch.tensor([0, 1, 0, 1]), ("cat", "dog"))
    >>> data.n_stimuli, data.read_batch(np.array([1, 2]), epoch=0, seed=0)[1]
    (4, tensor([1, 0]))
    """

    stimuli: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.stimuli) != len(self.labels):
            raise InputError("a label for each stimulus", got=f"{len(self.stimuli)} stimuli, {len(self.labels)} labels")
        outside = self.labels[(self.labels < 0) | (self.labels >= len(self.classes))]
        if len(outside):
            raise InputError(f"labels from 0 to {len(self.classes) - 1}", got=str(int(outside[0])))

    @property
    def n_stimuli(self) -> int:
        """Stimuli an epoch."""
        return len(self.stimuli)

    @property
    def fingerprint(self) -> str:
        """Hash of stimuli, labels and classes."""
        arrays = [hash_array(np.ascontiguousarray(each.cpu().numpy())) for each in (self.stimuli, self.labels)]
        return hash_settings([*arrays, list(self.classes)])

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Stimuli and labels at positions; see :class:`TrainingData`."""
        chosen = torch.as_tensor(np.asarray(indices, dtype=np.int64)).to(self.stimuli.device)
        return self.stimuli[chosen], self.labels[chosen]

    def name_stimulus(self, index: int) -> str:
        """Its position."""
        return f"stimulus {index}"

    def select(self, indices: Sequence[int] | np.ndarray) -> ArrayData:
        """Those at positions."""
        chosen = torch.as_tensor(np.asarray(indices, dtype=np.int64))
        return replace(self, stimuli=self.stimuli[chosen], labels=self.labels[chosen])

    def split(self, fraction: float, seed: int) -> tuple[ArrayData, ArrayData]:
        """A part for training and one for validation; see :func:`split_by_class`."""
        kept, held = split_by_class(self.labels.cpu().numpy(), fraction, seed)
        return self.select(kept), self.select(held)


def split_by_class(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions for training and for validation: of each class the same share is held out, drawn by the seed.

    Parameters
    ----------
    labels : (n,), int64
    fraction : float
        Held out of each class, rounded; at least one of a class that has two or more, never all of one.
    seed : int

    Returns
    -------
    training, validation : (n_kept,), (n_held,), int64
        Sorted.

    Examples
    --------
    >>> split_by_class(np.array([0, 0, 1, 1]), 0.5, seed=0)[1].shape
    (2,)
    """
    held: list[np.ndarray] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        n_held = min(max(1, round(len(own) * fraction)), len(own) - 1)
        held.append(make_generator(seed, "validation", int(label)).permutation(own)[:n_held])
    validation = np.sort(np.concatenate(held)) if held else np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(len(labels)), validation), validation
