"""What goes with an analysis of variance: permutations of the paired design, intervals of effect sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator

_CHUNK = 500


@suggest_keywords
def permute_paired_anova(values: Any, *, n_permutations: int = 10_000, seed: int = DEFAULT_SEED) -> tuple[float, float]:
    r"""Permutation p of observer and of observer × stage where both observers have each participant's stimuli.

    Observer: the two rows of a pair are exchanged or not, stages averaged. Interaction: the stages of each row are
    shuffled, and the rows of a pair exchanged or not. p = (1 + number of permuted F at least as large) / (1 +
    n_permutations).

    Parameters
    ----------
    values : (n_participants, n_stages, 2), float
    n_permutations, seed : int

    Returns
    -------
    p_observer, p_interaction : float

    Notes
    -----
    Source: as :func:`~beholder.statistics.permute_mixed_anova`, labels dealt anew within pairs.

    >>> permute_paired_anova([[[0, 1.0], [1, 3]], [[0, 1.2], [1, 2]], [[0, 1.1], [1, 4]]], n_permutations=99)[0] > 0.2
    True
    """
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 3 or y.shape[2] != 2 or min(y.shape) < 2 or not np.isfinite(y).all():
        raise InputError("finite values (n_participants, n_stages, 2), two or more of each", got=f"shape {y.shape}")
    rng = make_generator(seed, "permutations", "paired anova")
    means = y.mean(axis=1)
    rows = y - means[:, None]
    observed = [float(_compute_f((part[..., 0] - part[..., 1])[None])[0]) for part in (means[:, None], rows)]
    counts = np.zeros(2)
    for start in range(0, n_permutations, _CHUNK):
        size = min(_CHUNK, n_permutations - start)
        sign = np.where(rng.random((size, len(y), 1)) < 0.5, -1.0, 1.0)
        shuffled = rng.permuted(np.broadcast_to(rows, (size, *rows.shape)), axis=2)
        drawn = (sign * (means[:, :1] - means[:, 1:]), sign * (shuffled[..., 0] - shuffled[..., 1]))
        for place, part in enumerate(drawn):
            # What differs by rounding only is equal.
            counts[place] += (_compute_f(part) >= observed[place] * (1 - 1e-10)).sum()
    p = (1 + counts) / (1 + n_permutations)
    return float(p[0]), float(p[1])


@suggest_keywords
def compute_eta_interval(f: float, df_1: float, df_2: float, confidence: float = 0.95) -> tuple[float, float]:
    r"""Interval of partial eta squared, from the noncentral F distributions between which the observed F lies.

    :math:`\eta_p^2 = \lambda / (\lambda + df_1 + df_2 + 1)` of the noncentralities :math:`\lambda` at which F is just
    in the upper and the lower tail. Exact for factors between participants; within them it takes sphericity for given.

    Parameters
    ----------
    f, df_1, df_2 : float
        Of one line of an analysis of variance.
    confidence : float in (0, 1)

    Returns
    -------
    low, high : float
        ``low`` is 0 where the effect is not told from none.

    Notes
    -----
    Source: Steiger 2004, Psychological Methods 9, 164-182.

    >>> [round(end, 3) for end in compute_eta_interval(8.0, 2, 30)]
    [0.068, 0.528]
    """
    if not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", got=f"{confidence:g}")
    if math.isnan(f) or f < 0:
        return math.nan, math.nan
    if math.isinf(f):
        return 1.0, 1.0
    tail = (1 - confidence) / 2
    low, high = (_find_noncentrality(f, df_1, df_2, share) for share in (1 - tail, tail))
    return low / (low + df_1 + df_2 + 1), high / (high + df_1 + df_2 + 1)


def _find_noncentrality(f: float, df_1: float, df_2: float, share: float) -> float:
    """The noncentrality at which this proportion of F lies below the observed one; 0 where none does."""
    from scipy.optimize import brentq
    from scipy.special import ncfdtr

    def miss(noncentrality: float) -> float:
        return float(ncfdtr(df_1, df_2, noncentrality, f)) - share

    if miss(0.0) <= 0:
        return 0.0
    high = 2 * (f * df_1 + df_1 + 10)
    while miss(high) > 0 and high < 1e7:
        high *= 2
    return float(brentq(miss, 0.0, high, xtol=1e-8)) if miss(high) <= 0 else math.nan  # type: ignore[arg-type]


def _compute_f(differences: np.ndarray) -> np.ndarray:
    """F of a difference within pairs, up to its degrees of freedom: (n_draws,) for (n_draws, n_pairs, n_columns)."""
    n = differences.shape[1]
    mean = differences.mean(axis=1)
    effect = n * (mean**2).sum(axis=1)
    total = (differences**2).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return effect / np.maximum(total - effect, 0)
