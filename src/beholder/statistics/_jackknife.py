"""Intervals by leaving out one stimulus at a time, of one person or of a mean over people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords


@final
@dataclass(frozen=True)
class JackknifeMean:
    """A mean over people with its interval.

    Attributes
    ----------
    estimate : float
    low, high : float
        Ends of the interval by the t distribution; NaN where there is none.
    error : float
        Standard error.
    df : float
        Degrees of freedom.
    """

    estimate: float
    low: float
    high: float
    error: float
    df: float


@suggest_keywords
def jackknife_mean(values: Any, left_out: Any, level: float = 0.95) -> JackknifeMean:
    r"""The mean of a statistic over people, and what other stimuli and people would give.

    Each stimulus has a pseudo-value in each person, :math:`n \theta - (n - 1) \theta_{-i}`. Of one person, their
    variance over n is that of the statistic. Of several, that of the mean is the variance of stimuli's means over n,
    and that of people over their number, less what both count: the residual's over n times their number.

    Parameters
    ----------
    values : (n_subjects,), float
        The statistic of all stimuli.
    left_out : (n_subjects, n_stimuli), float
        Without each stimulus, the same ones in all people.
    level : float

    Raises
    ------
    InputError
        Shapes that do not fit.

    Notes
    -----
    Sources: Tukey (1958), Bias and confidence in not-quite large samples, Annals of Mathematical Statistics 29; Efron
    and Stein (1981), The jackknife estimate of variance, Annals of Statistics 9 (too large rather than too small).

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 6.0])
    >>> found = jackknife_mean([x.mean()], [[np.delete(x, i).mean() for i in range(3)]])
    >>> round(found.error, 6), round(float(x.std(ddof=1) / 3**0.5), 6)
    (1.527525, 1.527525)
    """
    from scipy.stats import t

    whole, without = np.asarray(values, dtype=np.float64), np.asarray(left_out, dtype=np.float64)
    if whole.ndim != 1 or without.ndim != 2 or len(without) != len(whole) or without.shape[1] < 2:
        raise InputError(
            "values (n_subjects,) and left_out (n_subjects, n_stimuli)", got=f"shapes {whole.shape} and {without.shape}"
        )
    n_people, n = without.shape
    estimate = float(whole.mean())
    pseudo = n * whole[:, None] - (n - 1) * without
    by_stimulus = pseudo.mean(axis=0)
    stimuli = float(by_stimulus.var(ddof=1)) / n
    if math.isnan(stimuli):
        return JackknifeMean(estimate, math.nan, math.nan, math.nan, math.nan)
    variance, df = stimuli, float(n - 1)
    if n_people > 1:
        people = float(pseudo.mean(axis=1).var(ddof=1)) / n_people
        rest = pseudo - by_stimulus - pseudo.mean(axis=1, keepdims=True) + pseudo.mean()
        both = float((rest**2).sum()) / ((n - 1) * (n_people - 1)) / (n * n_people)
        variance = max(stimuli + people - both, stimuli, people)
        parts = stimuli**2 / (n - 1) + people**2 / (n_people - 1)
        df = (stimuli + people) ** 2 / parts if parts > 0 else float(min(n, n_people) - 1)
    error = math.sqrt(variance)
    half = float(t.ppf((1 + level) / 2, df)) * error
    return JackknifeMean(estimate, estimate - half, estimate + half, error, df)
