"""Do two observers fail on the same stimuli? Cohen's kappa of right and wrong answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator

_Z = 1.959963984540054


@final
@dataclass(frozen=True)
class ErrorConsistency:
    """Error consistency of two observers.

    Attributes
    ----------
    kappa : float
        (observed - expected) / (1 - expected) agreement: above 0, both fail on the same stimuli more often than their
        accuracies alone make them; below 0, less often. NaN where both are right, or both wrong, on every stimulus.
    low_bound, high_bound : float
        Range that the two accuracies allow.
    low, high : float
        95 % interval over stimuli, percentiles of the bootstrap.
    p : float
        Against 0, two-sided and exact (Fisher).
    observed, expected : float in [0, 1]
        Proportion of stimuli that both get right or both wrong, and what independent observers of these accuracies
        reach.
    accuracy_1, accuracy_2 : float in [0, 1]
    n : int
        Number of stimuli.
    """

    kappa: float
    low_bound: float
    high_bound: float
    low: float
    high: float
    p: float
    observed: float
    expected: float
    accuracy_1: float
    accuracy_2: float
    n: int


@final
@dataclass(frozen=True)
class KappaDifference:
    """Difference of two observers' error consistency with a third: the first's less the second's.

    Attributes
    ----------
    difference, low, high : float
        With its 95 % interval over stimuli.
    p : float
        Two-sided, by the bootstrap.
    n : int
    """

    difference: float
    low: float
    high: float
    p: float
    n: int


@suggest_keywords
def compute_error_consistency(
    correct_1: Any, correct_2: Any, *, n_draws: int = 2000, seed: int = DEFAULT_SEED
) -> ErrorConsistency:
    r"""Error consistency :math:`\kappa = (c_{obs} - c_{exp}) / (1 - c_{exp})` of two observers.

    :math:`c_{exp} = p_1 p_2 + (1 - p_1)(1 - p_2)`; given the accuracies, :math:`c_{obs}` lies between
    :math:`|p_1 + p_2 - 1|` and :math:`1 - |p_1 - p_2|`.

    Parameters
    ----------
    correct_1, correct_2 : (n_stimuli,), bool
        Whether each observer was right on each stimulus, the same stimuli in the same order.
    n_draws, seed : int
        Of the bootstrap over stimuli.

    Raises
    ------
    InputError
        Different lengths, no stimuli, or values that are neither right nor wrong.

    Notes
    -----
    Source: Geirhos, Meding & Wichmann 2020, Beyond accuracy, NeurIPS 33, section 2; bounds: its appendix.

    Examples
    --------
    >>> found = compute_error_consistency([1, 1, 0, 0], [1, 1, 0, 1])
    >>> found.kappa, found.high_bound
    (0.5, 0.5)
    """
    first, second = _check(correct_1), _check(correct_2)
    _check_lengths(first, second)
    n = len(first)
    counts = np.bincount(2 * first + second, minlength=4)
    a, b = (counts[2] + counts[3]) / n, (counts[1] + counts[3]) / n
    expected = a * b + (1 - a) * (1 - b)
    if expected == 1:
        kappa = low_bound = high_bound = low = high = p = math.nan
    else:
        kappa = float(_kappa(counts))
        low_bound, high_bound = ((c - expected) / (1 - expected) for c in (abs(a + b - 1), 1 - abs(a - b)))
        drawn = _kappa(make_generator(seed, "bootstrap", "kappa").multinomial(n, counts / n, n_draws))
        low, high = _percentiles(drawn)
        p = _fisher(counts)
    observed = (counts[0] + counts[3]) / n
    return ErrorConsistency(
        kappa,
        float(low_bound),
        float(high_bound),
        low,
        high,
        p,
        float(observed),
        float(expected),
        float(a),
        float(b),
        n,
    )


@suggest_keywords
def compare_error_consistency(
    correct_1: Any, correct_2: Any, reference: Any, *, n_draws: int = 2000, seed: int = DEFAULT_SEED
) -> KappaDifference:
    """Is the first observer more consistent with the reference than the second? By drawing stimuli with replacement.

    Parameters
    ----------
    correct_1, correct_2, reference : (n_stimuli,), bool
    n_draws, seed : int

    Examples
    --------
    >>> compare_error_consistency([1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0]).difference
    1.0
    """
    first, second, third = _check(correct_1), _check(correct_2), _check(reference)
    _check_lengths(first, second)
    _check_lengths(first, third)
    n = len(first)
    counts = np.bincount(4 * first + 2 * second + third, minlength=8)
    observed = float(_difference(counts))
    drawn = _difference(make_generator(seed, "bootstrap", "kappas").multinomial(n, counts / n, n_draws))
    drawn = drawn[np.isfinite(drawn)]
    if math.isnan(observed) or not len(drawn):
        return KappaDifference(observed, math.nan, math.nan, math.nan, n)
    below, above = (drawn <= 0).sum(), (drawn >= 0).sum()
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn)))
    low, high = _percentiles(drawn)
    return KappaDifference(observed, low, high, float(p), n)


@suggest_keywords
def plan_error_consistency(kappa: float, accuracy_1: float, accuracy_2: float, width: float) -> int:
    """Number of stimuli at which the 95 % interval of kappa is about this wide.

    By the large-sample variance of kappa.

    Parameters
    ----------
    kappa : float
        Expected; within the range that the accuracies allow.
    accuracy_1, accuracy_2 : float in (0, 1)
    width : float, above 0
        From the low to the high end.

    Raises
    ------
    InputError
        Accuracies outside (0, 1), a kappa that they do not allow.

    Notes
    -----
    Source: Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72, eq. 13.

    Examples
    --------
    >>> plan_error_consistency(0.4, 0.8, 0.7, 0.2)
    394
    """
    a, b = accuracy_1, accuracy_2
    if not (0 < a < 1 and 0 < b < 1):
        raise InputError("accuracies between 0 and 1", got=f"{a:g} and {b:g}")
    if width <= 0:
        raise InputError("a width above 0", got=f"{width:g}")
    expected = a * b + (1 - a) * (1 - b)
    observed = kappa * (1 - expected) + expected
    least, most = abs(a + b - 1), 1 - abs(a - b)
    if not least - 1e-12 <= observed <= most + 1e-12:
        low, high = ((c - expected) / (1 - expected) for c in (least, most))
        raise InputError(f"a kappa from {low:.2f} to {high:.2f}, which these accuracies allow", got=f"{kappa:g}")
    right = (observed + a + b - 1) / 2
    cells = np.array([[1 - a - b + right, b - right], [a - right, right]])
    rows, columns = cells.sum(axis=1), cells.sum(axis=0)
    scale = 1 - expected
    same = sum(cells[i, i] * (scale - (rows[i] + columns[i]) * (1 - observed)) ** 2 for i in range(2))
    other = sum(cells[i, 1 - i] * (columns[i] + rows[1 - i]) ** 2 for i in range(2)) * (1 - observed) ** 2
    variance = (same + other - (observed * expected - 2 * expected + observed) ** 2) / scale**4
    return max(2, math.ceil((2 * _Z / width) ** 2 * max(float(variance), 0.0)))


def _check(correct: Any) -> np.ndarray:
    values = np.asarray(correct)
    if values.ndim != 1 or not len(values):
        raise InputError("right or wrong of at least one stimulus, (n_stimuli,)", got=f"shape {values.shape}")
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.full(len(values), np.nan)
    wrong = ~np.isin(numbers, (0, 1))
    if wrong.any():
        raise InputError(
            "True or False (1 or 0) for each stimulus", got=repr(values[wrong][0].item()),
            hint="leave stimuli without an answer out, on both sides",
        )  # fmt: skip
    return numbers.astype(np.int64)


def _check_lengths(first: np.ndarray, second: np.ndarray) -> None:
    if len(first) != len(second):
        raise InputError("the same stimuli on both sides", got=f"{len(first)} and {len(second)}")


def _kappa(counts: np.ndarray) -> np.ndarray:
    """For counts (..., 4) of both wrong, second right alone, first right alone, both right."""
    proportions = counts / counts.sum(axis=-1, keepdims=True)
    a, b = proportions[..., 2] + proportions[..., 3], proportions[..., 1] + proportions[..., 3]
    expected = a * b + (1 - a) * (1 - b)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected < 1, (proportions[..., 0] + proportions[..., 3] - expected) / (1 - expected), np.nan)


def _difference(counts: np.ndarray) -> np.ndarray:
    """For counts (..., 8) of first, second and reference."""
    cube = counts.reshape(*counts.shape[:-1], 2, 2, 2)
    one, two = cube.sum(axis=-2), cube.sum(axis=-3)
    return _kappa(one.reshape(*one.shape[:-2], 4)) - _kappa(two.reshape(*two.shape[:-2], 4))


def _percentiles(drawn: np.ndarray) -> tuple[float, float]:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return math.nan, math.nan
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def _fisher(counts: np.ndarray) -> float:
    from scipy.stats import fisher_exact

    found: Any = fisher_exact(counts.reshape(2, 2))
    return float(found.pvalue)
