"""Weights fitted to the pairs of some stimuli and scored on the pairs of others, again and again for other targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.analysis.combinations._combine import (
    check_folds,
    correlate_rdms,
    fit_weights,
    iter_splits,
    prepare_rdms,
)


@final
@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores on pairs of stimuli that nothing was fitted to, means over splits.

    Attributes
    ----------
    weighted, unweighted, best_single : float
        ``best_single``: the model that scored best on the training pairs of each split.
    singles : (n_models,), float
        Each model by itself, the weights of its own RDMs fitted where it has several.
    best : int
        The single model that was chosen most often.
    weights : (n_rdms,), float
        Of all stimuli.
    """

    weighted: float
    unweighted: float
    best_single: float
    singles: np.ndarray
    best: int
    weights: np.ndarray


@final
class Fits:
    """Splits of the stimuli, for one set of models.

    Parameters
    ----------
    models : mapping of str to (n_rdms, n_pairs)
    n_stimuli : int
    method : {"spearman", "pearson"}
    n_folds, n_repeats, seed : int
    """

    def __init__(
        self, models: Mapping[str, np.ndarray], n_stimuli: int, method: str, n_folds: int, n_repeats: int, seed: int
    ) -> None:
        check_folds(n_stimuli, n_folds, n_repeats)
        self.models, self.method, self.n_stimuli = dict(models), method, n_stimuli
        self.rdms = np.vstack(list(models.values()))
        ends = np.cumsum([len(each) for each in models.values()])
        self.places = [slice(end - len(each), end) for each, end in zip(models.values(), ends, strict=True)]
        self._splits = list(iter_splits(n_stimuli, n_folds, n_repeats, seed))

    def run(self, target: np.ndarray) -> HeldOut:
        """Scores of one target, (n_pairs,), whose NaN pairs are left out."""
        wanted, scaled, _ = prepare_rdms(target, self.rdms)
        found: list[list[float]] = []
        chosen: list[int] = []
        for train, test in self._cut(wanted, scaled):
            own = [self._fit(wanted, scaled[place], train) for place in self.places]
            trained = [correlate_rdms(wanted[train], each[train], self.method) for each in own]
            tested = [correlate_rdms(wanted[test], each[test], self.method) for each in own]
            best = int(np.argmax(trained))
            chosen.append(best)
            together = self._fit(wanted, scaled, train)
            sums = [correlate_rdms(wanted[test], each[test], self.method) for each in (together, scaled.sum(axis=0))]
            found.append([*sums, tested[best], *tested])
        means = np.mean(found, axis=0)
        known = np.isfinite(wanted)
        weights = fit_weights(wanted[known], scaled[:, known])
        weighted, unweighted, best_single = (float(each) for each in means[:3])
        return HeldOut(weighted, unweighted, best_single, means[3:], Counter(chosen).most_common(1)[0][0], weights)

    def score(self, target: np.ndarray) -> float:
        """Of the weighted sum alone, as permutations need it."""
        wanted, scaled, _ = prepare_rdms(target, self.rdms)
        scores = [
            correlate_rdms(wanted[test], self._fit(wanted, scaled, train)[test], self.method)
            for train, test in self._cut(wanted, scaled)
        ]
        return float(np.mean(scores))

    def _cut(self, wanted: np.ndarray, scaled: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        known: Any = np.isfinite(wanted)
        cut = [(train[known[train]], test[known[test]]) for train, test in self._splits]
        fewest = min(len(train) for train, _ in cut), min(len(test) for _, test in cut)
        if fewest[0] < len(scaled) + 2 or fewest[1] < 3:
            raise InputError(
                "pairs enough on either side of every split",
                got=f"{fewest[0]} to fit {format_count(len(scaled), 'weight')} and {fewest[1]} to test",
                hint="fewer folds or models, or fewer missing pairs",
            )  # fmt: skip
        return cut

    def _fit(self, wanted: np.ndarray, scaled: np.ndarray, train: np.ndarray) -> np.ndarray:
        """Predictions of all pairs."""
        if len(scaled) == 1:  # a single RDM needs no weight, but its sign is no free parameter either
            return scaled[0]
        return fit_weights(wanted[train], scaled[:, train]) @ scaled
