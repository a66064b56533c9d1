"""Class names and their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from beholder._core.errors import suggest_keywords

_INTEGER = re.compile(r"[+-]?[0-9]+")


@suggest_keywords
def sort_classes(names: Iterable[str]) -> list[str]:
    """Different class names in their order: by number where all are integers, else as text.

    >>> sort_classes(["10", "9", "2"])
    ['2', '9', '10']
    >>> sort_classes(["10", "9", "cat"])
    ['10', '9', 'cat']
    """
    different = set(names)
    if all(_INTEGER.fullmatch(name) for name in different):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)


@suggest_keywords
def number_classes(names: Sequence[str]) -> np.ndarray:
    """The class index of every stimulus: the place of its name among the sorted ones.

    Parameters
    ----------
    names : sequence of str
        (n_stimuli,).

    Returns
    -------
    numpy.ndarray
        (n_stimuli,), int64.

    >>> number_classes(["10", "9", "10"]).tolist()
    [1, 0, 1]
    """
    order = {name: i for i, name in enumerate(sort_classes(names))}
    return np.array([order[name] for name in names], dtype=np.int64)
