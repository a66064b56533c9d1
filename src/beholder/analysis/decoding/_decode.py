"""Classes told from one layer: confusions within and between conditions, what chance gives, how far it varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.progress import Advance
from beholder._core.seeds import make_generator
from beholder.analysis.decoding._classifiers import Classifier, Prepared, fit_classifier, prepare_rows
from beholder.analysis.decoding._streamed import StreamedFeatures
from beholder.statistics import balance_accuracy, count_confusions, find_half_width

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
    hits : (n_stimuli,), float
        1 for stimuli that were classified correctly, 0 for others; NaN for those that were not tested.
    halves : (n_halves,), float
        Balanced accuracy after fitting to random halves of the training stimuli; NaN where none could be fitted.
    """

    confusions: np.ndarray
    low: float
    high: float
    null: np.ndarray
    hits: np.ndarray
    halves: np.ndarray

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
    features: np.ndarray | StreamedFeatures, labels: np.ndarray, conditions: np.ndarray, folds: np.ndarray,
    orders: np.ndarray, how: DecodeSettings, advance: Advance | None = None,
) -> dict[tuple[int, int], Decoded]:  # fmt: skip
    """Tell classes in every condition after fitting in every condition.

    Whatever the two conditions are, a fold's stimuli are tested after fitting to the other folds alone, so that a
    stimulus (or group) that both conditions share is never seen before, and training sets within and between conditions
    are of one size.

    Parameters
    ----------
    features : (n_stimuli, n_features), float, or StreamedFeatures
        The latter are scaled in any case.
    labels, conditions, folds : (n_stimuli,), int
    orders : (n_permutations, n_stimuli), int
        Labels in other orders.
    how : DecodeSettings
    advance : callable, optional
        Is told of each fold and condition that was fitted: 1.

    Returns
    -------
    dict of (fitted in, tested in) to Decoded
    """
    n_conditions, n_classes = int(conditions.max()) + 1, int(labels.max()) + 1
    pairs = [(a, b) for a in range(n_conditions) for b in range(n_conditions)]
    everything = [labels, *orders]
    hits = {pair: np.full(len(labels), np.nan) for pair in pairs}
    counts = {pair: np.zeros((len(everything), n_classes, n_classes), dtype=np.int64) for pair in pairs}
    parts = np.zeros((_N_HALVES, n_conditions, n_conditions, n_classes, n_classes), dtype=np.int64)
    halves = _draw_halves(labels, how.seed)
    for fold in range(int(folds.max()) + 1):
        for a in range(n_conditions):
            train = np.flatnonzero((folds != fold) & (conditions == a))
            held, prepared = _prepare(features, train, how)
            tests = [np.flatnonzero((folds == fold) & (conditions == b)) for b in range(n_conditions)]
            turned = [prepared.turn(held[test]) for test in tests]
            for i, own in enumerate(everything):
                if len(np.unique(own[train])) < 2:
                    continue
                predict = fit_classifier(prepared.rows, own[train], how.classifier)
                for b, (test, rows) in enumerate(zip(tests, turned, strict=True)):
                    if len(test):
                        told = predict(rows)
                        counts[a, b][i] += count_confusions(own[test], told, n_classes)
                        if i == 0:
                            hits[a, b][test] = told == own[test]
            for part in range(_N_HALVES):
                fewer = halves[part, train]
                if len(np.unique(labels[train][fewer])) < 2:
                    continue
                predict = fit_classifier(prepared.rows[fewer], labels[train][fewer], how.classifier)
                for b, (test, rows) in enumerate(zip(tests, turned, strict=True)):
                    if len(test):
                        parts[part, a, b] += count_confusions(labels[test], predict(rows), n_classes)
            if advance is not None:
                advance(1)
    found: dict[tuple[int, int], Decoded] = {}
    for a, b in pairs:
        confusions = counts[a, b][0]
        low, high = find_interval(confusions, parts[:, a, b])
        null = np.array([balance_accuracy(each) for each in counts[a, b][1:] if each.any()])
        halved = np.array([balance_accuracy(each) if each.any() else np.nan for each in parts[:, a, b]])
        found[a, b] = Decoded(confusions, low, high, null, hits[a, b], halved)
    return found


def _prepare(
    features: np.ndarray | StreamedFeatures, train: np.ndarray, how: DecodeSettings
) -> tuple[np.ndarray, Prepared]:
    """Features of all stimuli, and the training rows prepared."""
    if isinstance(features, StreamedFeatures):
        held = features.scale_by(train)
        return held, prepare_rows(held[train], scale=False, n_components=how.n_components)
    return features, prepare_rows(features[train], scale=how.scale, n_components=how.n_components)


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
    totals = confusions.sum(axis=1)
    n = totals[totals > 0]
    share = (np.diagonal(confusions)[totals > 0] + 1) / (n + 2)
    tested = float((share * (1 - share) / n).sum()) / len(n) ** 2
    scores = np.array([balance_accuracy(each) for each in without if each.any()])
    trained = float(scores.var(ddof=1)) if len(scores) > 1 else 0.0
    half = find_half_width((tested, trained), (int(n.sum()) - len(n), len(scores) - 1))
    middle = balance_accuracy(confusions)
    return max(0.0, middle - half), min(1.0, middle + half)


def find_mean_interval(
    decoded: Sequence[Decoded], weights: np.ndarray, labels: np.ndarray, bounds: tuple[float, float]
) -> tuple[float, float, float]:
    """A weighted mean of layers' balanced accuracies (a difference is one) and its 95 % interval.

    The layers were tested on the same stimuli and fitted to the same halves, so that what they share does not count
    twice; it does not count at all in a difference. A class whose stimuli are all told alike varies as one of a size
    two larger with one told otherwise would.

    Parameters
    ----------
    decoded : sequence of Decoded
    weights : (n_layers,), float
    labels : (n_stimuli,), int
    bounds : (float, float)
        Of the interval.
    """
    hits: np.ndarray = weights @ np.stack([own.hits for own in decoded])
    tested, n_classes, n_tested = 0.0, 0, 0
    for each in np.unique(labels[np.isfinite(hits)]):
        mine = hits[(labels == each) & np.isfinite(hits)]
        n = len(mine)
        spread = float(mine.var(ddof=1)) if n > 1 else 0.0
        tested += (spread if spread > 0 else (n + 1) / (n + 2) ** 2) / n
        n_classes, n_tested = n_classes + 1, n_tested + n
    halves: np.ndarray = weights @ np.stack([own.halves for own in decoded])
    halves = halves[np.isfinite(halves)]
    trained = float(halves.var(ddof=1)) if len(halves) > 1 else 0.0
    half = find_half_width((tested / max(1, n_classes) ** 2, trained), (n_tested - n_classes, len(halves) - 1))
    middle = float(weights @ np.array([own.accuracy for own in decoded]))
    return middle, max(bounds[0], middle - half), min(bounds[1], middle + half)
