"""Proportions and correlations with their 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count
from beholder.statistics._bca import Interval

_N_DRAWS = 1000
_LEAST_POINTS = 3


@suggest_keywords
def wilson_interval(n_right: Any, n_shown: Any, z: float = 1.959963984540054) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % score interval of a proportion, (low, high) in [0, 1].

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), p = right/shown, n = shown.
    Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212.
    """
    n = np.asarray(n_shown, dtype=np.float64)
    p = np.asarray(n_right, dtype=np.float64) / n
    middle = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return np.clip((middle - half) / scale, 0, 1), np.clip((middle + half) / scale, 0, 1)


@suggest_keywords
def compute_mean_interval(values: Any, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Interval:
    r"""Mean with the 95 % interval of Student's t, :math:`\bar x \pm t_{n-1} s / \sqrt n`.

    Parameters
    ----------
    values : (n,), float
        One of each person, or of each stimulus; NaN is left out.
    bounds : (low, high)
        What the quantity can be at most, at which the interval ends.

    Returns
    -------
    Interval
        NaN where there is no value; without ends where there is one.

    Source: Student 1908, Biometrika 6, 1-25.

    >>> found = compute_mean_interval([0.5, 0.7, 0.9], (0, 1))
    >>> round(found.estimate, 2), round(found.low, 3), found.high, found.n
    (0.7, 0.203, 1.0, 3)
    """
    from scipy.stats import t

    known = np.asarray(values, dtype=np.float64).ravel()
    known = known[~np.isnan(known)]
    n = len(known)
    mean = float(known.mean()) if n else float("nan")
    half = float(t.ppf(0.975, n - 1) * known.std(ddof=1) / n**0.5) if n > 1 else float("nan")
    low, high = (float(np.clip(end, *bounds)) for end in (mean - half, mean + half))
    return Interval(mean, low, high, n)


@suggest_keywords
def bootstrap_proportion(
    n_right: Any, n_shown: Any, *, seed: int = DEFAULT_SEED, n_draws: int = _N_DRAWS
) -> tuple[float, float]:
    """95 % interval of a proportion of right answers, by drawing stimuli with replacement.

    The 2.5th and 97.5th percentile of Σ right / Σ shown over draws of as many stimuli as there are; all answers to one
    stimulus (metamers of several seeds) stay together.

    Parameters
    ----------
    n_right, n_shown : (n_stimuli,), int
        Right answers to each stimulus, and answers.
    seed, n_draws : int

    Returns
    -------
    low, high : float in [0, 1]

    Source: Efron & Tibshirani (1993), An introduction to the bootstrap, chapter 13.

    >>> bootstrap_proportion([1, 1, 1, 1], [1, 1, 1, 1])
    (1.0, 1.0)
    """
    right, shown = np.asarray(n_right, dtype=np.float64), np.asarray(n_shown, dtype=np.float64)
    if right.ndim != 1 or right.shape != shown.shape or not len(right) or (shown <= 0).any():
        raise InputError("counts for at least one stimulus", got=f"shapes {right.shape} and {shown.shape}")
    drawn = make_generator(seed, "bootstrap").integers(0, len(right), (n_draws, len(right)))
    proportions = right[drawn].sum(axis=1) / shown[drawn].sum(axis=1)
    low, high = np.percentile(proportions, (2.5, 97.5))
    return float(low), float(high)


@final
@dataclass(frozen=True)
class Correlation:
    """Pearson's r of two measures over networks (or their stages), with its 95 % interval.

    Attributes
    ----------
    r, low, high : float in [-1, 1]
        NaN where there are too few points (r: 2, interval: 4), or a measure that does not vary.
    n : int
        Number of points.
    """

    r: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if np.isnan(self.r) or self.n < _LEAST_POINTS:  # through two points there is always a line
            return f"r cannot be told from {format_count(self.n, 'point')}"
        interval = "" if np.isnan(self.low) else f" (95 % interval {self.low:.2f} to {self.high:.2f})"
        return f"r = {self.r:.2f}{interval}, n = {self.n}".replace("-", "−")


@suggest_keywords
def correlate(x: Any, y: Any) -> Correlation:
    r"""Pearson's r with the interval of Fisher's z, :math:`\tanh(\operatorname{artanh} r \pm 1.96 / \sqrt{n - 3})`.

    Parameters
    ----------
    x, y : (n,), float
        Finite.

    Source: Fisher (1921), On the "probable error" of a coefficient of correlation.

    >>> round(correlate([0, 1, 2], [0, 1, 2]).r, 6)
    1.0
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("two lists of finite numbers of one length", got=f"shapes {x.shape} and {y.shape}")
    n = len(x)
    # What varies by rounding only does not vary.
    if n < 2 or any(np.ptp(values) <= 1e-12 * np.abs(values).max() for values in (x, y)):
        return Correlation(np.nan, np.nan, np.nan, n)
    from scipy.stats import pearsonr

    found = cast(Any, pearsonr(x, y))
    low, high = found.confidence_interval(0.95) if n > 3 else (np.nan, np.nan)
    return Correlation(float(found.statistic), float(low), float(high), n)


@suggest_keywords
def find_half_width(variances: Sequence[float], freedoms: Sequence[float], level: float = 0.95) -> float:
    """Half the interval of what has several sources of variance that add up, by Student's t.

    Degrees of freedom are Satterthwaite's: (Σ v)² / Σ (v² / f).

    Parameters
    ----------
    variances : sequence of float, at least 0
        Of each source.
    freedoms : sequence of float
        Degrees of freedom of each; below 1 counts as 1.
    level : float in (0, 1)

    Returns
    -------
    float
        NaN where nothing varies.

    Source: Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics Bulletin
    2, 110-114.

    >>> round(find_half_width([4.0, 0.0], [9, 1]), 3)
    4.524
    """
    from scipy.special import stdtrit

    total = sum(variances)
    if not total > 0:
        return math.nan
    together = total**2 / sum(v**2 / max(1.0, f) for v, f in zip(variances, freedoms, strict=True))
    return float(stdtrit(together, (1 + level) / 2)) * math.sqrt(total)
