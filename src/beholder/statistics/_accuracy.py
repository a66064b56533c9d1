"""Confusions of classes, and accuracy in which each class counts the same."""

from __future__ import annotations

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.statistics._intervals import find_half_width


@suggest_keywords
def count_confusions(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """(n_classes, n_classes), int: true classes along rows, predicted along columns."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


@suggest_keywords
def balance_accuracy(confusions: np.ndarray) -> float:
    """Mean over classes of the proportion correct; chance is 1/n_classes, however many stimuli each class has.

    >>> balance_accuracy(np.array([[9, 1], [1, 1]]))
    0.7
    """
    totals = confusions.sum(axis=1)
    shown = totals > 0
    return float((np.diagonal(confusions)[shown] / totals[shown]).mean())


@suggest_keywords
def find_balanced_interval(confusions: np.ndarray) -> tuple[float, float]:
    """95 % interval of a balanced accuracy over the stimuli tested, classes being given.

    The variance is that of each class's share, moved a little towards a half so that 10 of 10 right is not certainty.

    Parameters
    ----------
    confusions : (n_classes, n_classes), int
        True classes along rows.

    Source: Agresti & Coull (1998), The American Statistician 52, 119-126.

    >>> [round(each, 3) for each in find_balanced_interval(np.array([[9, 1], [1, 9]]))]
    [0.725, 1.0]
    """
    totals = confusions.sum(axis=1)
    n = totals[totals > 0]
    share = (np.diagonal(confusions)[totals > 0] + 1) / (n + 2)
    variance = float((share * (1 - share) / n).sum()) / len(n) ** 2
    half = find_half_width((variance,), (int(n.sum()) - len(n),))
    middle = balance_accuracy(confusions)
    return max(0.0, middle - half), min(1.0, middle + half)
