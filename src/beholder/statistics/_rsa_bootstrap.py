"""Intervals of RSA: bootstrap over stimuli, people or both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import make_generator

Over = Literal["stimuli", "subjects", "both"]
_ROUNDING = 1e-12


@final
@dataclass(frozen=True, eq=False)
class RsaBootstrap:
    """Comparisons of models' RDMs with people's, and how they vary when stimuli and people are drawn anew.

    Attributes
    ----------
    values : (n_models, n_subjects)
        Each model with each person.
    draws : (n_draws, n_models, n_subjects)
        ``values`` for each draw of stimuli; empty where only people are drawn.
    over : {"stimuli", "subjects", "both"}
    n_stimuli, n_draws, seed : int
    interactions : (n_pairs, n_models, n_subjects)
        Where pseudo-values are drawn: what two stimuli change together, of which the jackknife counts the half twice.
    """

    values: np.ndarray
    draws: np.ndarray
    over: Over
    n_stimuli: int
    n_draws: int
    seed: int
    interactions: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0)))

    @property
    def n_subjects(self) -> int:
        """People."""
        return self.values.shape[1]

    @property
    def estimates(self) -> np.ndarray:
        """Each model's mean over people, (n_models,)."""
        return self.values.mean(axis=1)

    @property
    def subject_weights(self) -> np.ndarray:
        """How often each person was drawn, over the number of people, (n_draws, n_subjects)."""
        n = self.n_subjects
        picked = make_generator(self.seed, "bootstrap", "subjects").integers(0, n, (self.n_draws, n))
        return np.stack([np.bincount(row, minlength=n) for row in picked]) / n

    def select(self, subjects: Sequence[int], over: Over | None = None) -> RsaBootstrap:
        """Some people alone, such as those of one region, where several were compared at once."""
        columns = list(subjects)
        chosen = {"values": self.values[:, columns], "draws": self.draws[:, :, columns]}
        if len(self.interactions):
            chosen["interactions"] = self.interactions[:, :, columns]
        return replace(self, **chosen, over=over or self.over)

    def weigh(self, weights: Any) -> tuple[float, float]:
        """A weighted sum of ``values`` and its standard error, such as the difference of two models' means.

        Parameters
        ----------
        weights : (n_models, n_subjects)
            1 / n_subjects in a model's row is its mean over people.
        """
        weights = np.asarray(weights, dtype=np.float64)
        used = weights.any(axis=1)
        weights, values = weights[used], self.values[used]
        estimate = float((weights * values).sum())
        return estimate, math.sqrt(self._find_variance(weights, values, used))

    def interval(self, weights: Any, level: float = 0.95) -> tuple[float, float, float]:
        """Such a sum with the ends of its interval, by the t distribution: (estimate, low, high), or NaN."""
        from scipy.stats import t

        estimate, error = self.weigh(weights)
        df = self.find_df(weights)
        if math.isnan(df) or math.isnan(error):
            return estimate, math.nan, math.nan
        half = float(t.ppf((1 + level) / 2, df)) * error
        return estimate, estimate - half, estimate + half

    def test(self, weights: Any) -> float:
        """P of such a sum against 0, two-sided, by the t distribution; NaN where there is no standard error."""
        from scipy.stats import t

        estimate, error = self.weigh(weights)
        df = self.find_df(weights)
        if math.isnan(df) or math.isnan(error):
            return math.nan
        if error <= _ROUNDING:  # equal in every draw
            return 1.0 if abs(estimate) <= _ROUNDING else math.nan
        return float(2 * t.sf(abs(estimate) / error, df))

    def find_df(self, weights: Any) -> float:
        """Degrees of freedom: of the number drawn from; of both, by Satterthwaite from the parts of the variance.

        rsatoolbox takes the smaller number of the two, with which intervals at 8 people and 20 stimuli cover 98 %.
        """
        found = self.variances(weights)
        stimuli, subjects = found["stimuli"], found["subjects"]
        if self.over != "both":
            return float(self.n_stimuli - 1 if self.over == "stimuli" else self.n_subjects - 1) or math.nan
        parts = stimuli**2 / max(self.n_stimuli - 1, 1) + subjects**2 / max(self.n_subjects - 1, 1)
        if math.isnan(parts):
            return math.nan
        return (stimuli + subjects) ** 2 / parts if parts > 0 else float(min(self.n_stimuli, self.n_subjects) - 1)

    def mean_weights(self, model: int) -> np.ndarray:
        """Weights of a model's mean over people."""
        weights = np.zeros(self.values.shape)
        weights[model] = 1 / self.n_subjects
        return weights

    def variances(self, weights: Any) -> dict[str, float]:
        """Variances of a sum by what was drawn: ``stimuli``, ``subjects``, ``naive`` (both at once), ``corrected``."""
        weights = np.asarray(weights, dtype=np.float64)
        used = weights.any(axis=1)
        return self._find_variances(weights[used], self.values[used], used)

    def _find_variance(self, weights: np.ndarray, values: np.ndarray, used: np.ndarray) -> float:
        found = self._find_variances(weights, values, used)
        return found["corrected" if self.over == "both" else self.over]

    def _find_variances(self, weights: np.ndarray, values: np.ndarray, used: np.ndarray) -> dict[str, float]:
        n, m = self.n_subjects, self.n_stimuli
        found: dict[str, float] = dict.fromkeys(("stimuli", "subjects", "naive", "corrected"), math.nan)
        person = (weights * values).sum(axis=0)  # what each person adds
        if self.over != "stimuli" and n > 1:
            found["subjects"] = _vary(self.subject_weights @ person * n) * n / (n - 1)
        if self.over != "subjects":
            drawn = (self.draws[:, used] * weights).sum(axis=1)  # (n_draws, n_subjects)
            whole = np.isfinite(drawn).all(axis=1)
            found["stimuli"] = _vary(drawn[whole].sum(axis=1)) * m / (m - 1)
            twice = self._count_twice(weights, used, found["stimuli"])
            if self.over == "both" and n > 1:
                found["naive"] = _vary((drawn * self.subject_weights * n).sum(axis=1)[whole])
                found["corrected"] = correct_variance(found["naive"], found["stimuli"], found["subjects"], m, n)
                found["corrected"] = max(found["corrected"] - twice, found["subjects"], found["stimuli"] - twice)
            found["stimuli"] -= twice
        return found

    def _count_twice(self, weights: np.ndarray, used: np.ndarray, stimuli: float) -> float:
        """The part of a jackknife's variance that it counts twice: half of the mean square of what pairs change."""
        if not len(self.interactions):
            return 0.0
        changes: np.ndarray = (self.interactions[:, used] * weights).sum(axis=(1, 2))
        known = changes[np.isfinite(changes)]
        half = float((known**2).mean()) / 2 if len(known) else 0.0
        return min(half, stimuli / 2)


@suggest_keywords
def correct_variance(both: float, stimuli: float, subjects: float, n_stimuli: int, n_subjects: int) -> float:
    """Variance when stimuli and people are both new, from three bootstraps, without counting the noise twice.

    Drawing both adds the noise of single responses three times; what that is too much is taken off. No smaller than
    either part, no larger than what drawing both gives.

    Parameters
    ----------
    both : float
        Variance over draws of both.
    stimuli, subjects : float
        Over draws of one, times n / (n − 1).
    n_stimuli, n_subjects : int

    Notes
    -----
    Source: Schütt, Kipnis, Diedrichsen and Kriegeskorte, eLife 12:e82566, 2023, the formula for small samples.
    """
    m, n = n_stimuli, n_subjects
    beyond = both - stimuli * (m - 1) / m - subjects * (n - 1) / n
    found = stimuli + subjects - m * n / ((m - 1) * (n - 1)) * beyond
    return min(max(found, stimuli, subjects), max(both, stimuli, subjects))


def _vary(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.var()) if len(values) > 1 else math.nan
