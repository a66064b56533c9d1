"""What is kept of a network's outputs: its category, or its first class and the place of the true one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.evaluation._decide import decide


class Readout(ABC):
    """Answers from outputs, JSON-able."""

    @abstractmethod
    def read(self, outputs: np.ndarray, first: int) -> dict[str, list[Any]]:
        """What is kept of a batch.

        Parameters
        ----------
        outputs : (n_stimuli, n_outputs), float32
        first : int
            Position of the first of these stimuli in the set.

        Returns
        -------
        dict of str to list
            (n_stimuli,) each.
        """


@final
@dataclass(frozen=True)
class CategoryReadout(Readout):
    """One category of several.

    Parameters
    ----------
    categories : dict of str to list of int
        Outputs of each category.
    rule : {"first", "mean", "max", "sum"}
    """

    categories: Mapping[str, Sequence[int]]
    rule: str

    def read(self, outputs: np.ndarray, first: int) -> dict[str, list[Any]]:
        """See :meth:`Readout.read`."""
        return {"answers": decide(outputs, self.categories, self.rule).tolist()}


@final
@dataclass(frozen=True)
class RankReadout(Readout):
    """The class with the highest output, how many classes come before the true one, and the category.

    Parameters
    ----------
    truths : tuple of int
        (n_stimuli,), the true class of every stimulus of the set; empty where classes are not asked for.
    categories : dict of str to list of int
        Outputs of each category; empty where none are asked for.
    rule : {"first", "mean", "max", "sum"}
    """

    truths: tuple[int, ...]
    categories: Mapping[str, Sequence[int]]
    rule: str

    def read(self, outputs: np.ndarray, first: int) -> dict[str, list[Any]]:
        """See :meth:`Readout.read`."""
        if np.isnan(outputs).any():
            n = int(np.isnan(outputs).any(axis=1).sum())
            raise InputError("outputs without NaN", got=f"NaN for {n} of {format_count(len(outputs), 'stimulus')}")
        found: dict[str, list[Any]] = {}
        if self.truths:
            found["answers"] = outputs.argmax(axis=1).tolist()
            found["ranks"] = rank_truths(outputs, np.array(self.truths[first : first + len(outputs)])).tolist()
        if self.categories:
            found["categories"] = decide(outputs, self.categories, self.rule).tolist()
        return found


def rank_truths(outputs: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """How many classes come before the true one: those with a higher output, and of equal ones the lower numbers.

    Parameters
    ----------
    outputs : (n_stimuli, n_classes), float
        Without NaN.
    truths : (n_stimuli,), int

    Returns
    -------
    (n_stimuli,), int
        0 where the answer is right; below k where the true class is among the first k.

    >>> rank_truths(np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.5]]), np.array([1, 2])).tolist()
    [0, 2]
    """
    rows = np.arange(len(outputs))
    own = outputs[rows, truths][:, None]
    before = (outputs == own) & (np.arange(outputs.shape[1]) < truths[:, None])
    return ((outputs > own) | before).sum(axis=1)
