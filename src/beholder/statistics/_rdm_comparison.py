"""Comparison of dissimilarity matrices: eight coefficients, weighted by how often each stimulus was drawn."""

from __future__ import annotations

import functools
import logging
import math
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.wording import format_count

logger = logging.getLogger("beholder")

RDM_METHODS = ("spearman", "rho-a", "tau-a", "tau-b", "pearson", "cosine", "whitened-cosine", "whitened-correlation")
"""Ways to compare RDMs, by name."""
_RANKS = ("spearman", "rho-a")
_TAUS = ("tau-a", "tau-b")
_MOST_SIGN_PAIRS, _MOST_SIGN_BYTES = 500, 2**28


@suggest_keywords
def check_rdm_method(method: str) -> None:
    """Refuse a name that is no comparison."""
    if method not in RDM_METHODS:
        raise UnknownNameError("comparison of RDMs", method, RDM_METHODS)


@suggest_keywords
def compare_rdms(rdm_1: Any, rdm_2: Any, method: str = "spearman") -> float:
    r"""Agreement of two dissimilarity matrices, signed.

    ``spearman``: correlation of ranks, ties at their mean rank. ``rho-a``: its expectation when ties are broken at
    random, :math:`12 \sum r_i s_i / (n^3 - n) - 3 (n + 1) / (n - 1)`, which does not favour RDMs with ties. ``tau-a``,
    ``tau-b``: concordant less discordant pairs, over all pairs and over those that are not tied. ``pearson``,
    ``cosine``: of the values. ``whitened-cosine``, ``whitened-correlation``: the same after the covariance that
    distances have through the stimuli they share has been taken out.

    Parameters
    ----------
    rdm_1, rdm_2 : array, (n_stimuli, n_stimuli) or (n_pairs,)
        Square, of which the upper triangle is read, or condensed: that triangle by rows. A pair that is NaN in either
        is left out of both; the log says how many.
    method : str

    Returns
    -------
    float in [-1, 1]
        NaN where the comparison is not defined: fewer than two pairs, an RDM that does not vary.

    Raises
    ------
    InputError
        Shapes that do not fit each other.
    UnknownNameError
        Another method.

    Notes
    -----
    Source: Schütt, Kipnis, Diedrichsen and Kriegeskorte, Statistical inference on representational geometries, eLife
    12:e82566, 2023 (rho-a, whitening); Nili et al., PLoS Computational Biology 10, 2014 (tau-a).

    Examples
    --------
    >>> compare_rdms([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
    0.5
    """
    check_rdm_method(method)
    one, two = condense_rdm(rdm_1), condense_rdm(rdm_2)
    if one.shape != two.shape:
        raise InputError("two RDMs of the same stimuli", got=f"{len(one)} and {format_count(len(two), 'pair')}")
    known = np.isfinite(one) & np.isfinite(two)
    if not known.all():
        logger.warning("%d of %d pairs are not finite in both RDMs and are left out", (~known).sum(), len(known))
    pairs = Pairs(count_stimuli(len(one)), known)
    first, second = (PreparedRdms(rdm[None, known], pairs, method) for rdm in (one, two))
    return float(compare_prepared(first, second)[0, 0])


@suggest_keywords
def condense_rdm(rdm: Any) -> np.ndarray:
    """An RDM, square or condensed, as its upper triangle by rows, (n_pairs,), float64."""
    values = np.asarray(rdm, dtype=np.float64)
    if values.ndim == 2 and values.shape[0] == values.shape[1] and len(values) > 1:
        return values[np.triu_indices(len(values), 1)]
    if values.ndim == 1 and len(values):
        count_stimuli(len(values))
        return values
    raise InputError("an RDM, (n_stimuli, n_stimuli) or (n_pairs,)", got=f"shape {values.shape}")


@suggest_keywords
def count_stimuli(n_pairs: int) -> int:
    """Stimuli of a condensed RDM.

    >>> count_stimuli(6)
    4
    """
    n = round((1 + math.sqrt(1 + 8 * n_pairs)) / 2)
    if n * (n - 1) // 2 != n_pairs:
        raise InputError("n (n − 1) / 2 pairs of n stimuli", got=str(n_pairs))
    return n


@final
class Pairs:
    """Which two stimuli each entry of a condensed RDM compares, of the entries that are known.

    Parameters
    ----------
    n_stimuli : int
    known : (n_pairs,), bool, optional
        Entries to keep; default all.
    """

    def __init__(self, n_stimuli: int, known: np.ndarray | None = None) -> None:
        kind = np.int16 if n_stimuli < 2**15 else np.int32
        first, second = (each.astype(kind) for each in np.triu_indices(n_stimuli, 1))
        self.known = np.ones(len(first), dtype=bool) if known is None else known
        self.n_stimuli = n_stimuli
        self.first, self.second = first[self.known], second[self.known]

    def __len__(self) -> int:
        return len(self.first)

    def weigh(self, drawn: np.ndarray | None) -> np.ndarray:
        """How often each pair occurs when stimulus i was drawn ``drawn[i]`` times: the product; one each without."""
        return np.ones(len(self)) if drawn is None else (drawn[self.first] * drawn[self.second]).astype(np.float64)


@final
class PreparedRdms:
    """RDMs as a method compares them, sorted once, whatever is drawn of their stimuli later.

    Parameters
    ----------
    rdms : (n_rdms, n_pairs)
        Finite values at the pairs.
    pairs : Pairs
    method : str
    """

    def __init__(self, rdms: np.ndarray, pairs: Pairs, method: str) -> None:
        self.values = np.ascontiguousarray(rdms, dtype=np.float64)
        self.pairs, self.method = pairs, method
        self._sorted = [_sort(row, pairs) for row in self.values] if method in _RANKS else []

    @functools.cached_property
    def signs(self) -> np.ndarray | None:
        """Which of every two pairs is farther apart, (n_rdms, n_pairs · (n_pairs - 1) / 2); None if those are many."""
        n = len(self.pairs)
        if n > _MOST_SIGN_PAIRS or 2 * len(self) * n * (n - 1) > _MOST_SIGN_BYTES:
            return None
        first, second = np.triu_indices(n, 1)
        return np.sign(self.values[:, first] - self.values[:, second]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.values)

    def scale(self, weights: np.ndarray) -> np.ndarray:
        """Squares of the values themselves, by which rounding is judged, (n_rdms,)."""
        if self.method in _RANKS:
            return np.full(len(self), weights.sum() ** 3)
        return (self.values**2) @ weights[: len(self.pairs)]

    def center(self, drawn: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What is multiplied to compare: values (n_rdms, n_terms), and the weights of the terms (n_terms,).

        Not for the taus, which are no product.
        """
        weights = self.pairs.weigh(drawn)
        if self.method in _RANKS:
            total = weights.sum()
            return np.stack([_rank(each, drawn) for each in self._sorted]) - (total + 1) / 2, weights
        if self.method == "cosine":
            return self.values, weights
        centred = self.values
        if self.method != "whitened-cosine":
            centred = self.values - _mean(self.values, weights)[:, None]
        if self.method == "pearson":
            return centred, weights
        return _whiten(centred, weights, self.pairs, drawn)


def compare_prepared(one: PreparedRdms, two: PreparedRdms, drawn: np.ndarray | None = None) -> np.ndarray:
    """Every RDM of one set with every one of another, (n_rdms_1, n_rdms_2).

    Parameters
    ----------
    one, two : PreparedRdms
        Of the same pairs, for the same method.
    drawn : (n_stimuli,), int, optional
        How often each stimulus was drawn, as a bootstrap does; pairs of a stimulus with itself do not occur.
    """
    method = one.method
    if method in _TAUS:
        if one.signs is not None and two.signs is not None:
            return _compare_signs(one.signs, two.signs, one.pairs.weigh(drawn), method)
        weights = one.pairs.weigh(drawn).astype(np.int64)
        repeated = [np.repeat(each.values, weights, axis=1) for each in (one, two)]
        return np.array([[_tau(x, y, method) for y in repeated[1]] for x in repeated[0]])
    left, weights = one.center(drawn)
    right, _ = two.center(drawn)
    products = (left * weights) @ right.T
    if method == "rho-a":
        n = weights.sum()
        return 12 * products / (n**3 - n) if n > 1 else np.full(products.shape, np.nan)
    return normalize_products(
        products, (left**2) @ weights, (right**2) @ weights, one.scale(weights), two.scale(weights)
    )


def normalize_products(
    products: np.ndarray, squares_1: np.ndarray, squares_2: np.ndarray, scale_1: np.ndarray, scale_2: np.ndarray
) -> np.ndarray:
    """Products over lengths, NaN where a side does not vary but by rounding."""
    flat_1, flat_2 = squares_1 <= 1e-24 * scale_1, squares_2 <= 1e-24 * scale_2
    lengths = np.sqrt(np.outer(np.where(flat_1, 1, squares_1), np.where(flat_2, 1, squares_2)))
    found = np.clip(products / lengths, -1, 1)
    found[flat_1] = np.nan
    found[:, flat_2] = np.nan
    return found


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = weights.sum()
    return values @ weights / total if total > 0 else np.full(len(values), np.nan)


def _sort(values: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Order of values, the stimuli of each in that order, and where runs of equal values end (None without ties)."""
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    last = np.append(in_order[1:] != in_order[:-1], True) if len(values) else np.empty(0, dtype=bool)
    ends = None if last.all() else np.flatnonzero(last)
    return order, pairs.first[order], pairs.second[order], ends


def _rank(
    sorted_: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None],
    drawn: np.ndarray | None,
) -> np.ndarray:
    """Mean rank of each pair when it occurs as often as its weight says."""
    order, first, second, ends = sorted_
    in_order = np.ones(len(order)) if drawn is None else (drawn[first] * drawn[second]).astype(np.float64)
    cumulated = np.cumsum(in_order)
    ranks = np.empty(len(order))
    if ends is None:
        ranks[order] = cumulated - (in_order - 1) / 2
    else:
        after = cumulated[ends]
        before = np.append(0.0, after[:-1])
        ranks[order] = np.repeat((before + after + 1) / 2, np.diff(ends, prepend=-1))
    return ranks


def _whiten(
    values: np.ndarray, weights: np.ndarray, pairs: Pairs, drawn: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Distances as inner products of centred patterns, in which they are independent: residuals from a_i + a_j.

    Of a full RDM that is double centring; where pairs are missing, or weigh more, the least-squares fit. The distance
    of a stimulus from itself, 0, counts.
    """
    n = pairs.n_stimuli
    own = np.ones(n) if drawn is None else drawn.astype(np.float64)
    table = np.zeros((n, n))
    table[pairs.first, pairs.second] = weights
    table += table.T
    table[np.diag_indices(n)] = own
    sums = np.zeros((len(values), n))
    for row, distances in zip(sums, values, strict=True):
        weighted = -0.5 * distances * weights
        row += np.bincount(pairs.first, weighted, n) + np.bincount(pairs.second, weighted, n)
    there = own > 0
    normal = table[np.ix_(there, there)]
    normal[np.diag_indices(len(normal))] += table[there].sum(axis=1)
    effects = np.zeros_like(sums)
    effects[:, there] = np.linalg.solve(normal, sums[:, there].T).T
    residuals = -0.5 * values - effects[:, pairs.first] - effects[:, pairs.second]
    return np.concatenate([residuals, -2 * effects], axis=1), np.concatenate([2 * weights, own])


def _compare_signs(one: np.ndarray, two: np.ndarray, weights: np.ndarray, method: str) -> np.ndarray:
    """Kendall's tau from signs, a pair that occurs several times tied with itself."""
    first, second = np.triu_indices(len(weights), 1)
    products = weights[first] * weights[second]
    total = weights.sum() * (weights.sum() - 1) / 2
    found = (one * products) @ two.T.astype(np.float64)
    if method == "tau-a":
        return found / total if total > 0 else np.full(found.shape, np.nan)
    untied = [np.abs(each) @ products for each in (one, two)]
    lengths = np.sqrt(np.outer(*untied))
    return np.where(lengths > 0, found / np.where(lengths > 0, lengths, 1), np.nan)


def _tau(x: np.ndarray, y: np.ndarray, method: str) -> float:
    from scipy.stats import kendalltau

    if len(x) < 2:
        return math.nan
    found: Any = kendalltau(x, y, variant="b")
    tau_b = float(found.statistic)
    if method == "tau-b":
        return tau_b
    if math.isnan(tau_b):  # all tied on a side: no pair is concordant or discordant
        return 0.0
    total = len(x) * (len(x) - 1) / 2
    untied = [total - float((counts * (counts - 1) / 2).sum()) for counts in map(_count_ties, (x, y))]
    return tau_b * math.sqrt(untied[0] * untied[1]) / total


def _count_ties(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_counts=True)[1].astype(np.float64)
