"""Cluster-based permutation over time: which stretches differ from zero, corrected for having looked at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator


@final
@dataclass(frozen=True)
class Cluster:
    """A stretch of time points whose values lie beyond the threshold on one side.

    Attributes
    ----------
    start, stop : int
        First time point, and the one after the last.
    mass : float
        Sum of the statistic over them; negative where values lie below zero.
    p : float
        Proportion of permutations whose largest mass is as far from zero, the data as they are among them.
    """

    start: int
    stop: int
    mass: float
    p: float


@final
@dataclass(frozen=True, eq=False)
class ClusterTest:
    """What a cluster-based permutation test found.

    Attributes
    ----------
    clusters : tuple of Cluster
        In their order in time, whatever their p.
    statistic : (n_times,), float
        t, or z of the null distribution.
    threshold : float
        Beyond which a time point is of a cluster.
    n_permutations : int
        The data as they are among them.
    is_exact : bool
        All permutations there are were done.
    smallest_p : float
        1 / n_permutations, or 2 where both sides count and every permutation has a mirror image.
    """

    clusters: tuple[Cluster, ...]
    statistic: np.ndarray
    threshold: float
    n_permutations: int
    is_exact: bool
    smallest_p: float


@suggest_keywords
def flip_clusters(
    values: Any, threshold: float | None = None, n_permutations: int = 10_000, seed: int = DEFAULT_SEED
) -> ClusterTest:
    r"""Stretches of time in which the mean over subjects differs from 0, by flipping the signs of subjects.

    Time points whose :math:`t = \bar x / (s / \sqrt n)` lies beyond a threshold on one side and that follow each other
    are a cluster; its mass is the sum of t. p is the proportion of sign flips whose largest mass is as far from zero.

    Parameters
    ----------
    values : (n_subjects, n_times), float
        Such as one correlation a subject and time, chance at 0. Finite.
    threshold : float, optional
        Of |t|. Default that of p = .05, two-sided.
    n_permutations : int
        All :math:`2^{n - 1}` pairs of flips are done where these are no more.
    seed : int

    Raises
    ------
    InputError
        For fewer than two subjects, or values that are not finite.

    Notes
    -----
    A cluster says that the null hypothesis is wrong somewhere in it; its first and last time points have no error rate
    of their own (Sassenhagen and Draschkow 2019). Source: Maris and Oostenveld (2007), Nonparametric statistical
    testing of EEG- and MEG-data, J. Neurosci. Methods 164, 177-190.

    Examples
    --------
    >>> values = np.zeros((8, 10)) + np.linspace(-0.1, 0.1, 8)[:, None]
    >>> values[:, 4:7] += 0.5
    >>> found = flip_clusters(values)
    >>> [(each.start, each.stop, each.p) for each in found.clusters]
    [(4, 7, 0.0078125)]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or len(array) < 2 or not array.shape[1]:
        raise InputError("values (n_subjects, n_times) of two subjects or more", got=f"shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError("finite values", got=f"{int((~np.isfinite(array)).sum())} that are NaN or infinite")
    n = len(array)
    if threshold is None:
        from scipy.stats import t as student

        threshold = float(cast(Any, student).ppf(0.975, n - 1))
    squares = (array**2).sum(axis=0)
    statistic = _compute_t(array.sum(axis=0)[None], squares, n)[0]
    n_mirrored = 2 ** (n - 1)
    is_exact = n_mirrored <= n_permutations
    largest: list[float] = []
    for flips in _iter_flips(n, n_permutations, is_exact, seed):
        for row in _compute_t(flips @ array, squares, n):
            largest.append(max((abs(mass) for _, _, mass in iter_clusters(row, threshold)), default=0.0))
    smallest = 1 / n_mirrored if is_exact else 1 / n_permutations
    return ClusterTest(
        _rank_clusters(statistic, threshold, np.array(largest)), statistic, threshold, len(largest), is_exact, smallest
    )


@suggest_keywords
def find_clusters_in_null(values: Any, null: Any, alpha: float = 0.05) -> ClusterTest:
    """Stretches of time in which one course lies above what a null distribution of courses has.

    For one subject, or for means over few: signs of four subjects can be flipped in eight ways only, but stimuli can be
    permuted in many.

    Parameters
    ----------
    values : (n_times,), float
    null : (n_permutations, n_times), float
        The same course with stimuli permuted, the same permutation at all times of a row.
    alpha : float
        A time point is of a cluster where z lies beyond this level of a standard normal, one-sided.

    Raises
    ------
    InputError
        For shapes that do not fit, fewer than 19 permutations, or values that are not finite.

    Notes
    -----
    z is the distance from the null's mean in its standard deviations at that time. p counts the data as they are among
    the permutations. Source: Maris and Oostenveld (2007), as above.
    """
    course, drawn = np.asarray(values, dtype=np.float64), np.asarray(null, dtype=np.float64)
    if course.ndim != 1 or drawn.ndim != 2 or drawn.shape[1:] != course.shape or len(drawn) < 19:
        raise InputError(
            "values (n_times,) and a null (n_permutations, n_times) of 19 permutations or more",
            got=f"shapes {course.shape} and {drawn.shape}",
        )
    if not (np.isfinite(course).all() and np.isfinite(drawn).all()) or not 0 < alpha < 0.5:
        raise InputError("finite values and alpha between 0 and 0.5", got=f"others, or alpha={alpha}")
    from scipy.stats import norm

    threshold = float(cast(Any, norm).ppf(1 - alpha))
    rows = np.vstack([course, drawn])
    spread = rows.std(axis=0)
    z = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1)
    largest = [max((mass for _, _, mass in iter_clusters(row, threshold) if mass > 0), default=0.0) for row in z]
    found = tuple(each for each in _rank_clusters(z[0], threshold, np.array(largest)) if each.mass > 0)
    return ClusterTest(found, z[0], threshold, len(largest), False, 1 / len(largest))


def iter_clusters(statistic: np.ndarray, threshold: float) -> Iterator[tuple[int, int, float]]:
    """First time point, the one after the last, and mass of each stretch beyond the threshold on one side.

    >>> list(iter_clusters(np.array([0.0, 3.0, 4.0, -3.0]), 2.0))
    [(1, 3, 7.0), (3, 4, -3.0)]
    """
    signs = np.where(statistic > threshold, 1, np.where(statistic < -threshold, -1, 0))
    edges = np.flatnonzero(np.diff(signs, prepend=0, append=0))
    for start, stop in itertools.pairwise(edges.tolist()):
        if signs[start]:
            yield start, stop, float(statistic[start:stop].sum())


def _compute_t(sums: np.ndarray, squares: np.ndarray, n: int) -> np.ndarray:
    """Of sums (n_rows, n_times): flips change these, and sums of squares not."""
    means = sums / n
    variances = np.maximum(squares / n - means**2, 0) * n / (n - 1)
    constant = variances <= 1e-24 * squares
    t = means / np.sqrt(np.where(constant, 1, variances) / n)
    return np.where(constant, np.where(means == 0, 0, np.copysign(math.inf, means)), t)


def _iter_flips(n: int, n_permutations: int, is_exact: bool, seed: int) -> Iterator[np.ndarray]:
    """Blocks of signs, (n_rows, n_subjects), no flip at all first."""
    if is_exact:
        codes = np.arange(1 << (n - 1))
        yield 1.0 - 2.0 * ((codes[:, None] >> np.arange(n)) & 1)
        return
    yield np.ones((1, n))
    generator = make_generator(seed, "sign flips")
    for start in range(1, n_permutations, 1000):
        rows = min(1000, n_permutations - start)
        yield generator.integers(0, 2, (rows, n)) * 2.0 - 1


def _rank_clusters(statistic: np.ndarray, threshold: float, largest: np.ndarray) -> tuple[Cluster, ...]:
    return tuple(
        Cluster(start, stop, mass, float((largest >= abs(mass) * (1 - 1e-9)).mean()))
        for start, stop, mass in iter_clusters(statistic, threshold)
    )
