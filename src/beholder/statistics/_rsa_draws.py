"""Drawing stimuli for intervals of RSA: a row of comparisons for each draw, in whichever ranges they are computed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.threads import hold_products
from beholder.statistics._rdm_comparison import check_rdm_method, count_stimuli
from beholder.statistics._rdm_groups import compare_groups, group_rdms, stack_rdms
from beholder.statistics._rsa_bootstrap import Over, RsaBootstrap

JACKKNIFED = ("pearson", "whitened-cosine", "whitened-correlation", "tau-a", "tau-b")
"""Comparisons whose draws of stimuli are of pseudo-values, since a draw that repeats stimuli biases them or is slow."""

_OVER = ("stimuli", "subjects", "both")
_FEWEST_DISTINCT = 3
_MOST_PAIRS = 200
_WORK_AT_ONCE = 5e8


@final
@dataclass(frozen=True, eq=False)
class RsaDraws:
    """Models' RDMs compared with people's in stimuli that are drawn anew: what :func:`bootstrap_rsa` computes.

    Row 0 has the comparisons themselves, each other one those of a draw; where pseudo-values are drawn, those without a
    stimulus, then those without two.

    Parameters
    ----------
    models : (n_models, n_pairs)
    people : (n_subjects, n_pairs)
    method : str
    over : {"stimuli", "subjects", "both"}
    n_draws, seed : int
    """

    models: np.ndarray
    people: np.ndarray
    method: str
    over: Over
    n_draws: int
    seed: int

    @property
    def n_stimuli(self) -> int:
        """Stimuli of the RDMs."""
        return count_stimuli(self.models.shape[1])

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """How often each stimulus occurs in each row but the first, (n_rows - 1, n_stimuli), int."""
        n = self.n_stimuli
        if self.over == "subjects":
            return np.empty((0, n), dtype=np.int64)
        if self.method not in JACKKNIFED:
            return self._draw_stimuli()
        left_out = [*((one,) for one in range(n)), *map(tuple, self._pairs.tolist())]
        kept = np.ones((len(left_out), n), dtype=np.int64)
        for row, stimuli in zip(kept, left_out, strict=True):
            row[list(stimuli)] = 0
        return kept

    def _draw_stimuli(self) -> np.ndarray:
        generator, n = make_generator(self.seed, "bootstrap", "stimuli"), self.n_stimuli
        drawn = [np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(self.n_draws)]
        return np.stack(drawn) if drawn else np.empty((0, n), dtype=np.int64)

    @functools.cached_property
    def _pairs(self) -> np.ndarray:
        n = self.n_stimuli
        pairs = np.stack(np.triu_indices(n, 1), axis=1)
        most = _MOST_PAIRS if n > _FEWEST_DISTINCT else 0
        return make_generator(self.seed, "pairs of stimuli").permutation(pairs)[:most]

    @property
    def n_rows(self) -> int:
        """Rows, the first among them."""
        return 1 + len(self.weights)

    @property
    def rows_at_once(self) -> int:
        """Rows that take some seconds."""
        return max(1, int(_WORK_AT_ONCE / (self.models.shape[1] * (len(self.models) + len(self.people)))))

    def prepare(self) -> Callable[[int, int], np.ndarray]:
        """Sort the RDMs; gives ``compute(start, stop)``, rows (stop - start, n_models, n_subjects)."""
        groups = list(group_rdms(self.models, self.people, self.method))
        shape, is_drawn = (len(self.models), len(self.people)), self.method not in JACKKNIFED

        def compute(start: int, stop: int) -> np.ndarray:
            found = np.full((stop - start, *shape), np.nan)
            for own, place in zip(found, range(start, stop), strict=True):
                weights = None if place == 0 else self.weights[place - 1]
                if weights is None or not is_drawn or (weights > 0).sum() >= _FEWEST_DISTINCT:
                    own[:] = compare_groups(groups, shape, weights)
            return found

        return compute

    def sum_up(self, rows: np.ndarray) -> RsaBootstrap:
        """The bootstrap that these rows, all of them, are of."""
        values, draws = rows[0], rows[1:]
        interactions = np.empty((0, *values.shape))
        if self.method in JACKKNIFED and self.over != "subjects":
            draws, interactions = self._draw_pseudo_values(values, rows[1:])
        return RsaBootstrap(values, draws, self.over, self.n_stimuli, self.n_draws, self.seed, interactions)

    def _draw_pseudo_values(self, values: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means of drawn stimuli's pseudo-values, (n_draws, n_models, n_subjects), and what pairs of stimuli change.

        Source: Efron and Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981, section 5.
        """
        n = self.n_stimuli
        single, double = without[:n], without[n:]
        draws = np.tensordot(self._draw_stimuli() / n, n * values - (n - 1) * single, axes=1)
        changes = [
            n * values - (n - 1) * (single[one] + single[two]) + (n - 2) * both
            for (one, two), both in zip(self._pairs.tolist(), double, strict=True)
        ]
        return draws, np.stack(changes) if changes else np.empty((0, *values.shape))


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
    draws = plan_rsa_draws(model_rdms, subject_rdms, method, over=over, n_draws=n_draws, seed=seed)
    with hold_products():
        return draws.sum_up(draws.prepare()(0, draws.n_rows))


@suggest_keywords
def plan_rsa_draws(
    model_rdms: Any, subject_rdms: Any, method: str, *, over: Over, n_draws: int, seed: int
) -> RsaDraws:  # fmt: skip
    """What :func:`bootstrap_rsa` of the same computes, to be computed in parts.

    Raises
    ------
    InputError
        As for :func:`bootstrap_rsa`.
    """
    check_rdm_method(method)
    if over not in _OVER:
        raise UnknownNameError("what to draw", over, _OVER)
    models, people = stack_rdms(model_rdms), stack_rdms(subject_rdms)
    if models.shape[1] != people.shape[1]:
        raise InputError("RDMs of the same stimuli", got=f"{models.shape[1]} and {people.shape[1]} pairs")
    return RsaDraws(models, people, method, over, n_draws, seed)
