"""Bootstrap intervals, bias-corrected and accelerated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator


@final
@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its interval.

    Attributes
    ----------
    estimate, low, high : float
    n : int
        Rows that were drawn from.
    """

    estimate: float
    low: float
    high: float
    n: int


@suggest_keywords
def compute_bca_interval(
    values: Any,
    statistic: Callable[[np.ndarray], Any] = np.mean,
    confidence: float = 0.95,
    n_draws: int = 10_000,
    seed: int = DEFAULT_SEED,
) -> Interval:
    """The bias-corrected and accelerated bootstrap interval of a statistic.

    Parameters
    ----------
    values : (n, ...), float
        Rows are drawn with replacement.
    statistic : callable
        Of values (n, ...), one number.
    confidence : float in (0, 1)
    n_draws, seed : int

    Returns
    -------
    Interval
        ``low`` and ``high`` are the estimate itself where no draw differs from it.

    Raises
    ------
    InputError
        Fewer than two rows, values that are not finite, a confidence outside (0, 1).

    Notes
    -----
    Computed by ``scipy.stats.bootstrap``. Source: Efron 1987, Journal of the American Statistical Association 82,
    171-185.

    Examples
    --------
    >>> found = compute_bca_interval([0.2, 0.4, 0.5, 0.6, 0.9], n_draws=999)
    >>> 0.2 < found.low < found.estimate < found.high < 0.9
    True
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim < 1 or len(rows) < 2 or not np.isfinite(rows).all():
        n_bad = 0 if rows.ndim < 1 else int((~np.isfinite(rows)).sum())
        raise InputError("at least two rows of finite values", got=f"shape {rows.shape}, {n_bad} not finite")
    if not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", got=f"{confidence:g}")
    estimate = float(statistic(rows))
    if (rows == rows[0]).all():
        return Interval(estimate, estimate, estimate, len(rows))
    import warnings

    from scipy.stats import DegenerateDataWarning, bootstrap

    def compute(places: np.ndarray, axis: int = -1) -> np.ndarray:
        flat = places.reshape(-1, places.shape[-1])
        return np.array([float(statistic(rows[each])) for each in flat]).reshape(places.shape[:-1])

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found: Any = bootstrap(
            (np.arange(len(rows)),), compute, n_resamples=n_draws, confidence_level=confidence, method="BCa",
            vectorized=True, batch=1000, rng=make_generator(seed, "bootstrap", "bca"),
        )  # fmt: skip
    low, high = (float(end) for end in found.confidence_interval)
    if math.isnan(low) and np.ptp(found.bootstrap_distribution) == 0:
        low = high = estimate
    return Interval(estimate, low, high, len(rows))
