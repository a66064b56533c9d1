"""Classes told from one layer: confusions within and between conditions, what chance gives, how far it varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.seeds import make_generator
from beholder.analysis.decoding._classifiers import Classifier, fit_classifier, prepare_rows
from beholder.analysis.decoding._folds import balance_accuracy, count_confusions

_N_HALVES = 20


@final
@dataclass(frozen=True, eq=False)
class Decoded:
    """How well classes are told, when fitted in one condition and tested in one.

    Attributes
    ----------
    confusions : (n_classes, n_classes), int
        True classes along rows, predicted along columns.
    low, high : float in [0, 1]
        95 % interval of the balanced accuracy.
    null : (n_permutations,), float
        Balanced accuracy under labels in other orders, fitted anew.
    """

    confusions: np.ndarray
    low: float
    high: float
    null: np.ndarray

    @property
    def accuracy(self) -> float:
        """Balanced accuracy."""
        return balance_accuracy(self.confusions)


@final
@dataclass(frozen=True, kw_only=True)
class DecodeSettings:
    """How classes are told.

    Attributes
    ----------
    classifier : str
    scale : bool
    n_components : int, optional
    seed : int
    """

    classifier: Classifier = "logistic"
    scale: bool = True
    n_components: int | None = None
    seed: int = 42


def decode_conditions(
    features: np.ndarray, labels: np.ndarray, conditions: np.ndarray, folds: np.ndarray, orders: np.ndarray,
    how: DecodeSettings,
) -> dict[tuple[int, int], Decoded]:  # fmt: skip
    """Tell classes in every condition after fitting in every condition.

    Whatever the two conditions are, a fold's stimuli are tested after fitting to the other folds alone, so that a
    stimulus (or group) that both conditions share is never seen before, and training sets within and between conditions
    are of one size.

    Parameters
    ----------
    features : (n_stimuli, n_features), float
    labels, conditions, folds : (n_stimuli,), int
    orders : (n_permutations, n_stimuli), int
        Labels in other orders.
    how : DecodeSettings

    Returns
    -------
    dict of (fitted in, tested in) to Decoded
    """
    n_conditions, n_classes = int(conditions.max()) + 1, int(labels.max()) + 1
    pairs = [(a, b) for a in range(n_conditions) for b in range(n_conditions)]
    everything = [labels, *orders]
    counts = {pair: np.zeros((len(everything), n_classes, n_classes), dtype=np.int64) for pair in pairs}
    parts = np.zeros((_N_HALVES, n_conditions, n_conditions, n_classes, n_classes), dtype=np.int64)
    halves = _draw_halves(labels, how.seed)
    for fold in range(int(folds.max()) + 1):
        for a in range(n_conditions):
            train = np.flatnonzero((folds != fold) & (conditions == a))
            prepared = prepare_rows(features[train], scale=how.scale, n_components=how.n_components)
            tests = [np.flatnonzero((folds == fold) & (conditions == b)) for b in range(n_conditions)]
            turned = [prepared.turn(features[test]) for test in tests]
            for i, own in enumerate(everything):
                if len(np.unique(own[train])) < 2:
                    continue
                predict = fit_classifier(prepared.rows, own[train], how.classifier)
                for b, (test, rows) in enumerate(zip(tests, turned, strict=True)):
                    if len(test):
                        counts[a, b][i] += count_confusions(own[test], predict(rows), n_classes)
            for part in range(_N_HALVES):
                fewer = halves[part, train]
                if len(np.unique(labels[train][fewer])) < 2:
                    continue
                predict = fit_classifier(prepared.rows[fewer], labels[train][fewer], how.classifier)
                for b, (test, rows) in enumerate(zip(tests, turned, strict=True)):
                    if len(test):
                        parts[part, a, b] += count_confusions(labels[test], predict(rows), n_classes)
    found: dict[tuple[int, int], Decoded] = {}
    for a, b in pairs:
        confusions = counts[a, b][0]
        low, high = find_interval(confusions, parts[:, a, b])
        null = np.array([balance_accuracy(each) for each in counts[a, b][1:] if each.any()])
        found[a, b] = Decoded(confusions, low, high, null)
    return found


def _draw_halves(labels: np.ndarray, seed: int) -> np.ndarray:
    """Random halves of the stimuli of each class, (n_halves, n_stimuli), bool."""
    generator = make_generator(seed, "halves", len(labels))
    chosen = np.zeros((_N_HALVES, len(labels)), dtype=bool)
    for each in np.unique(labels):
        rows = np.flatnonzero(labels == each)
        for half in chosen:
            half[generator.permutation(rows)[: -(-len(rows) // 2)]] = True
    return chosen


def find_interval(confusions: np.ndarray, without: Sequence[np.ndarray] | np.ndarray) -> tuple[float, float]:
    """95 % interval of a balanced accuracy: over the stimuli it is tested on, and those it is fitted to.

    The first variance is that of each class's share, moved a little towards a half so that 10 of 10 right is not
    certainty; the second that over random halves of the training stimuli, the jackknife's that leaves out half (leaving
    out few would not do: single predictions flip). Satterthwaite's degrees of freedom.

    Parameters
    ----------
    confusions : (n_classes, n_classes), int
    without : (n_halves, n_classes, n_classes), int
        After fitting to each half.

    Sources: Agresti & Coull (1998), The American Statistician 52, 119-126; Shao & Wu (1989), Annals of Statistics 17,
    1176-1197.
    """
    from scipy.special import stdtrit

    totals = confusions.sum(axis=1)
    n = totals[totals > 0]
    share = (np.diagonal(confusions)[totals > 0] + 1) / (n + 2)
    tested = float((share * (1 - share) / n).sum()) / len(n) ** 2
    scores = np.array([balance_accuracy(each) for each in without if each.any()])
    k = len(scores)
    trained = float(scores.var(ddof=1)) if k > 1 else 0.0
    freedom = max(1, int(n.sum()) - len(n))
    together = (tested + trained) ** 2 / (tested**2 / freedom + trained**2 / max(1, k - 1))
    half = float(stdtrit(together, 0.975)) * np.sqrt(tested + trained)
    middle = balance_accuracy(confusions)
    return max(0.0, middle - half), min(1.0, middle + half)
