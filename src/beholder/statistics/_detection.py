"""Signal detection: sensitivity and criterion, from yes/no, forced choice and odd-one-out."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords

Correction = Literal["log-linear", "none"]
_NODES = 200
_MOST = 20.0


@suggest_keywords
def compute_dprime(
    n_hits: float, n_signal: float, n_false_alarms: float, n_noise: float, *, correction: Correction = "log-linear"
) -> float:
    r"""Sensitivity of a yes/no task, :math:`d' = z(H) - z(F)`.

    Parameters
    ----------
    n_hits, n_signal : int
        Times "yes" where there was a signal, and trials with one.
    n_false_alarms, n_noise : int
        Times "yes" where there was none, and trials without.
    correction : {"log-linear", "none"}
        ``log-linear``: H = (hits + 1/2) / (signals + 1), F likewise, so that rates of 0 and 1 stay finite; it pulls d'
        towards 0 where there are few trials. ``none``: infinite at such rates.

    Raises
    ------
    InputError
        Counts that cannot be.

    Notes
    -----
    Source: Hautus 1995, Behavior Research Methods 27, 46-51; Macmillan & Creelman (2005), Detection theory, chapter 1.

    Examples
    --------
    >>> round(compute_dprime(84, 100, 16, 100, correction="none"), 3)
    1.989
    """
    from scipy.special import ndtri

    hits, alarms = _rates(n_hits, n_signal, n_false_alarms, n_noise, correction)
    found = float(ndtri(hits)) - float(ndtri(alarms))
    return 0.0 if hits == alarms else found


@suggest_keywords
def compute_criterion(
    n_hits: float, n_signal: float, n_false_alarms: float, n_noise: float, *, correction: Correction = "log-linear"
) -> float:
    """Criterion of a yes/no task, c = -(z(H) + z(F)) / 2: above 0, "no" is said more readily.

    Parameters and errors as for :func:`compute_dprime`. NaN where, uncorrected, one rate is 1 and the other 0.

    >>> round(compute_criterion(9, 10, 5, 10), 3)
    -0.548
    """
    from scipy.special import ndtri

    hits, alarms = _rates(n_hits, n_signal, n_false_alarms, n_noise, correction)
    return -(float(ndtri(hits)) + float(ndtri(alarms))) / 2


@suggest_keywords
def compute_mafc_dprime(p_correct: float, m: int) -> float:
    r"""Sensitivity in a choice among m alternatives, one of which holds the signal.

    The d' at which :math:`\int \varphi(x - d') \, \Phi(x)^{m - 1} dx` is the proportion correct.

    Parameters
    ----------
    p_correct : float in [0, 1]
        Below 1/m gives a negative d', 0 and 1 an infinite one.
    m : int, at least 2

    Notes
    -----
    Source: Green & Dai 1991, Perception & Psychophysics 49; Macmillan & Creelman (2005), chapter 10.

    Examples
    --------
    >>> round(compute_mafc_dprime(0.76, 2), 3), round(compute_mafc_dprime(0.5, 16), 3)
    (0.999, 1.726)
    """
    if m != int(m) or m < 2:
        raise InputError("at least 2 alternatives", got=f"{m:g}")
    from scipy.special import ndtr

    x, weight = _grid()

    def predict(d: float) -> float:
        density = np.exp(-((x - d) ** 2) / 2) / math.sqrt(2 * math.pi)
        return float((weight * density * ndtr(x) ** (int(m) - 1)).sum())

    return _invert(predict, p_correct, 1 / m, -_MOST)


@suggest_keywords
def compute_oddity_dprime(p_correct: float) -> float:
    r"""Sensitivity in odd-one-out of three, of which two are alike, judged by distances.

    The d' at which :math:`2 \int_0^\infty \{\Phi(-z\sqrt 3 + d'\sqrt{2/3}) + \Phi(-z\sqrt 3 - d'\sqrt{2/3})\}
    \varphi(z) dz` is the proportion correct; 0 at 1/3 and below, where no d' gives less.

    Parameters
    ----------
    p_correct : float in [0, 1]

    Notes
    -----
    Source: Frijters, Kooistra & Vereijken 1980, Perception & Psychophysics 27 (the triangular method).

    Examples
    --------
    >>> round(compute_oddity_dprime(0.418), 2)
    1.0
    """
    from scipy.special import ndtr

    x, weight = _grid()
    z, weight = x[x > 0], weight[x > 0]

    def predict(d: float) -> float:
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        far, near = (ndtr(-z * math.sqrt(3) + sign * d * math.sqrt(2 / 3)) for sign in (1, -1))
        return float((2 * weight * density * (far + near)).sum())

    return _invert(predict, p_correct, 1 / 3, 0.0)


def _rates(n_hits: float, n_signal: float, n_alarms: float, n_noise: float, correction: str) -> tuple[float, float]:
    if correction not in ("log-linear", "none"):
        raise UnknownNameError("correction", correction, ["log-linear", "none"])
    for count, whole, what in ((n_hits, n_signal, "hits"), (n_alarms, n_noise, "false alarms")):
        if not (whole > 0 and 0 <= count <= whole):
            raise InputError(f"{what} from 0 to the number of their trials", got=f"{count:g} of {whole:g}")
    if correction == "none":
        return n_hits / n_signal, n_alarms / n_noise
    return (n_hits + 0.5) / (n_signal + 1), (n_alarms + 0.5) / (n_noise + 1)


@lru_cache(maxsize=1)
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of an integral over the normal's range and that of any signal."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.arange(-_MOST - 10, _MOST + 11, 10.0)
    half = 5.0
    x = np.concatenate([nodes * half + (low + half) for low in edges[:-1]])
    return x, np.tile(weights * half, len(edges) - 1)


def _invert(predict: Any, p: float, chance: float, least: float) -> float:
    from scipy.optimize import brentq

    if not 0 <= p <= 1:
        raise InputError("a proportion correct from 0 to 1", got=f"{p:g}")
    if abs(p - chance) < 1e-12 or (least == 0 and p <= chance):
        return 0.0
    if p in (0, 1):
        return math.inf if p else -math.inf
    return float(brentq(lambda d: predict(d) - p, least, _MOST))  # type: ignore[arg-type]
