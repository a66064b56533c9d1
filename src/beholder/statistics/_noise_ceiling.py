"""How well any model could do, given how much people's RDMs agree: the noise ceiling, and its own chance level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.statistics._rdm_comparison import (
    Pairs,
    PreparedRdms,
    check_rdm_method,
    compare_prepared,
    condense_rdm,
    count_stimuli,
)

_RANKED = ("spearman", "rho-a", "tau-a", "tau-b")
_CENTRED = ("pearson", "whitened-correlation")


@final
@dataclass(frozen=True)
class NoiseCeiling:
    """The range in which the best possible model lies.

    Attributes
    ----------
    lower, upper : float
        Mean comparison of each person's RDM with the pooled RDM of the others, and of all.
    chance : float
        What the lower one stays below in 95 % of RDMs whose stimuli were shuffled in each person by itself. NaN where
        it was not asked for.
    p : float
        Proportion of shuffles that reach the lower ceiling, (1 + k) / (1 + n).
    n : int
        People.
    """

    lower: float
    upper: float
    chance: float
    p: float
    n: int

    @property
    def is_above_chance(self) -> bool:
        """Whether people agree at all: only then does a proportion of the ceiling mean something."""
        return self.lower > self.chance


@suggest_keywords
def noise_ceiling(
    rdms: Any, method: str = "spearman", *, n_permutations: int = 200, seed: int = DEFAULT_SEED
) -> NoiseCeiling:
    """Lower and upper noise ceiling by leaving one person out, and the lower one's chance level by permutation.

    RDMs are pooled in the form that the method compares, so that the pooled one is the best that any model could
    predict (for the taus, nearly): ranks for rank methods, z values for ``pearson`` and ``whitened-correlation``, RDMs
    of length one for ``cosine`` and ``whitened-cosine``.

    Parameters
    ----------
    rdms : array, (n_subjects, n_pairs) or (n_subjects, n_stimuli, n_stimuli)
        NaN where a person has no distance.
    method : str
        As for :func:`compare_rdms`.
    n_permutations : int
        0: no chance level.
    seed : int

    Raises
    ------
    InputError
        Fewer than two people: no one is left to compare with.

    Notes
    -----
    Source: Nili, Wingfield, Walther, Su, Marslen-Wilson and Kriegeskorte, A toolbox for representational similarity
    analysis, PLoS Computational Biology 10:e1003553, 2014. The chance level: shuffles of each person's stimuli,
    compared by the correlation of ranks with mean ranks that are not ranked again.

    Examples
    --------
    >>> found = noise_ceiling([[1, 2, 3], [1, 3, 2]], "pearson", n_permutations=0)
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.5, 0.866)
    """
    check_rdm_method(method)
    people = np.stack([condense_rdm(rdm) for rdm in rdms]) if len(rdms) else np.empty((0, 0))
    if len(people) < 2:
        raise InputError("RDMs of at least two people for a noise ceiling", got=str(len(people)))
    forms = np.stack([_to_form(row, method) for row in people])
    pooled = pool_rdms(people, method)
    others = [_average(np.delete(forms, person, axis=0)) for person in range(len(people))]
    lower = [_compare(pool, own, method) for pool, own in zip(others, people, strict=True)]
    upper = [_compare(pooled, own, method) for own in people]
    low = float(np.mean(lower))
    chance, p = _shuffle(forms, method, low, n_permutations, seed)
    return NoiseCeiling(low, float(np.mean(upper)), chance, p, len(people))


@suggest_keywords
def pool_rdms(rdms: np.ndarray, method: str) -> np.ndarray:
    """Mean RDM of several people in the form that a method compares, (n_pairs,); over those who have a pair."""
    return _average(np.stack([_to_form(row, method) for row in rdms]))


def _to_form(rdm: np.ndarray, method: str) -> np.ndarray:
    known = np.isfinite(rdm)
    values = rdm[known]
    if method in _RANKED:
        from scipy.stats import rankdata

        values = rankdata(values)
    elif method in _CENTRED:
        sd = values.std()
        values = (values - values.mean()) / (sd if sd > 0 else 1)
    else:
        length = math.sqrt(float((values**2).mean())) if len(values) else 0.0
        values = values / (length if length > 0 else 1)
    form = np.full(rdm.shape, np.nan)
    form[known] = values
    return form


def _average(forms: np.ndarray) -> np.ndarray:
    known = np.isfinite(forms)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, forms, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _compare(one: np.ndarray, two: np.ndarray, method: str) -> float:
    known = np.isfinite(one) & np.isfinite(two)
    pairs = Pairs(count_stimuli(len(one)), known)
    first, second = (PreparedRdms(rdm[None, known], pairs, method) for rdm in (one, two))
    return float(compare_prepared(first, second)[0, 0])


def _shuffle(forms: np.ndarray, method: str, lower: float, n_permutations: int, seed: int) -> tuple[float, float]:
    """95th percentile of the lower ceiling when stimuli are shuffled in each person, and how many of them reach it."""
    if n_permutations < 1 or math.isnan(lower):
        return math.nan, math.nan
    n_people, n_pairs = forms.shape
    n = count_stimuli(n_pairs)
    centred = forms if method in ("cosine", "whitened-cosine") else forms - np.nanmean(forms, axis=1, keepdims=True)
    table = np.zeros((n_people, n, n))
    upper = np.triu_indices(n, 1)
    table[:, upper[0], upper[1]] = np.where(np.isfinite(centred), centred, 0)
    table += table.transpose(0, 2, 1)
    generator = make_generator(seed, "noise ceiling")
    shuffled = np.empty((n_people, n_pairs))
    found = np.empty(n_permutations)
    for draw in range(n_permutations):
        for person in range(n_people):
            order = generator.permutation(n)
            shuffled[person] = table[person, order[upper[0]], order[upper[1]]]
        products = shuffled @ shuffled.T
        own = products.diagonal()
        with_others = products.sum(axis=0) - own
        lengths = products.sum() - 2 * products.sum(axis=0) + own
        found[draw] = np.mean(with_others / np.sqrt(np.where(own * lengths > 0, own * lengths, np.inf)))
    return float(np.percentile(found, 95)), float((1 + (found >= lower).sum()) / (1 + n_permutations))
