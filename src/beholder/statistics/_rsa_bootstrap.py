"""Intervals of RSA: bootstrap over stimuli, people or both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.statistics._rdm_comparison import check_rdm_method, count_stimuli
from beholder.statistics._rdm_groups import compare_groups, group_rdms, stack_rdms

Over = Literal["stimuli", "subjects", "both"]
_OVER = ("stimuli", "subjects", "both")
JACKKNIFED = ("pearson", "whitened-cosine", "whitened-correlation", "tau-a", "tau-b")
"""Comparisons whose draws of stimuli are of pseudo-values, since a draw that repeats stimuli biases them or is slow."""

_FEWEST_DISTINCT = 3
_MOST_PAIRS = 200
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


@suggest_keywords
def bootstrap_rsa(
    model_rdms: Any,
    subject_rdms: Any,
    method: str = "spearman",
    *,
    over: Over = "both",
    n_draws: int = 1000,
    seed: int = DEFAULT_SEED,
) -> RsaBootstrap:
    """Compare models' RDMs with people's, and draw stimuli, people or both with replacement.

    RDMs are sorted once: a draw gives each pair of stimuli the weight m_i m_j, and ranks are cumulated weights. Pairs
    of a stimulus with itself are left out. Equal draws for all models, so that differences are paired.

    Of Pearson's, the whitened comparisons and the taus, pseudo-values of stimuli are drawn (n times the comparison less
    n - 1 times that without the stimulus), whose mean varies as the jackknife says, less what it counts twice: repeated
    stimuli would leave whitening fewer patterns than there are, and differences would vary too much.

    Parameters
    ----------
    model_rdms : array, (n_models, n_pairs) or (n_models, n_stimuli, n_stimuli)
    subject_rdms : array, (n_subjects, n_pairs) or (n_subjects, n_stimuli, n_stimuli)
        NaN where a person lacks a stimulus: the pair is left out for this person.
    method : str
        As for :func:`compare_rdms`.
    over : {"stimuli", "subjects", "both"}
        What is drawn: to conclude about other stimuli, other people, or both.
    n_draws, seed : int

    Returns
    -------
    RsaBootstrap

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = rng.random((4, 45))
    >>> found = bootstrap_rsa(people.mean(axis=0)[None], people, n_draws=200)
    >>> [round(float(each), 2) for each in found.estimates]
    [0.53]
    """
    check_rdm_method(method)
    if over not in _OVER:
        raise UnknownNameError("what to draw", over, _OVER)
    models, people = stack_rdms(model_rdms), stack_rdms(subject_rdms)
    if models.shape[1] != people.shape[1]:
        raise InputError("RDMs of the same stimuli", got=f"{models.shape[1]} and {people.shape[1]} pairs")
    n = count_stimuli(models.shape[1])
    groups = list(group_rdms(models, people, method))
    values = compare_groups(groups, (len(models), len(people)), None)
    draws, interactions = np.empty((0, *values.shape)), np.empty((0, *values.shape))
    if over != "subjects" and method in JACKKNIFED:
        draws, interactions = _draw_pseudo_values(groups, values, n, n_draws, seed)
    elif over != "subjects":
        generator = make_generator(seed, "bootstrap", "stimuli")
        draws = np.full((n_draws, *values.shape), np.nan)
        for draw in draws:
            drawn = np.bincount(generator.integers(0, n, n), minlength=n)
            if (drawn > 0).sum() >= _FEWEST_DISTINCT:
                draw[:] = compare_groups(groups, values.shape, drawn)
    return RsaBootstrap(values, draws, over, n, n_draws, seed, interactions)


def _vary(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.var()) if len(values) > 1 else math.nan


def _draw_pseudo_values(
    groups: Sequence[Any], values: np.ndarray, n: int, n_draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of drawn stimuli's pseudo-values, (n_draws, n_models, n_subjects), and what pairs of stimuli change.

    Source: Efron and Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981, section 5.
    """

    def leave_out(*stimuli: int) -> np.ndarray:
        kept = np.ones(n, dtype=np.int64)
        kept[list(stimuli)] = 0
        return compare_groups(groups, values.shape, kept)

    single = np.stack([leave_out(stimulus) for stimulus in range(n)])
    generator = make_generator(seed, "bootstrap", "stimuli")
    drawn = np.stack([np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(n_draws)])
    draws = np.tensordot(drawn / n, n * values - (n - 1) * single, axes=1)
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    pairs = make_generator(seed, "pairs of stimuli").permutation(pairs)[: _MOST_PAIRS if n > _FEWEST_DISTINCT else 0]
    changes = [
        n * values - (n - 1) * (single[one] + single[two]) + (n - 2) * leave_out(one, two)
        for one, two in pairs.tolist()
    ]
    return draws, np.stack(changes) if changes else np.empty((0, *values.shape))
