"""The proportion of right answers as a function of the level."""

from __future__ import annotations

from typing import Literal

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords

FUNCTIONS = ("weibull", "logistic", "normal")
Function = Literal["weibull", "logistic", "normal"]
"""Form of a psychometric function."""


@suggest_keywords
def psychometric(
    level: np.ndarray | float,
    threshold: np.ndarray | float,
    slope: np.ndarray | float,
    guess: np.ndarray | float = 0.5,
    lapse: np.ndarray | float = 0.0,
    *,
    function: Function = "weibull",
) -> np.ndarray:
    r"""Probability of a right answer, :math:`\psi(x) = \gamma + (1 - \gamma - \lambda) \, F(x)`.

    ``weibull``: :math:`F = 1 - e^{-10^{\beta (x - t)}}`, :math:`x` and :math:`t` in log10 units. ``logistic``:
    :math:`F = 1 / (1 + e^{-\beta (x - t)})`. ``normal``: :math:`F = \Phi(\beta (x - t))`.

    Parameters
    ----------
    level : array-like
        :math:`x`; a higher level is easier. Where it is the other way, negate levels and thresholds.
    threshold : array-like
        :math:`t`, in units of the level: F is 1 - 1/e there for ``weibull``, else 1/2.
    slope : array-like
        :math:`\beta`, above 0.
    guess, lapse : array-like
        :math:`\gamma` and :math:`\lambda` in [0, 1).
    function : {"weibull", "logistic", "normal"}

    Returns
    -------
    numpy.ndarray
        In [0, 1], of the shape that the arguments broadcast to.

    Raises
    ------
    UnknownNameError
        Another function.

    Notes
    -----
    Source: Wichmann & Hill (2001), The psychometric function I, Perception & Psychophysics 63, eq. 1.

    >>> float(psychometric(0.0, 0.0, 3.0, 0.5, 0.0, function="logistic"))
    0.75
    """
    from scipy.special import expit, ndtr

    _check_function(function)
    z = np.asarray(slope) * (np.asarray(level) - np.asarray(threshold))
    if function == "weibull":
        proportion = -np.expm1(-(10.0 ** np.minimum(z, 300.0)))
    else:
        proportion = expit(z) if function == "logistic" else ndtr(z)
    return np.asarray(guess + (1 - np.asarray(guess) - np.asarray(lapse)) * proportion)


@suggest_keywords
def find_level(
    target: float, threshold: float, slope: float, guess: float, lapse: float, *, function: Function = "weibull"
) -> float:
    """The level at which the proportion of right answers is ``target``, the inverse of :func:`psychometric`.

    Raises
    ------
    InputError
        The target is not between guessing and 1 - lapse.

    >>> find_level(0.75, 2.0, 3.0, 0.5, 0.0, function="logistic")
    2.0
    """
    from scipy.special import logit, ndtri

    _check_function(function)
    proportion = (target - guess) / (1 - guess - lapse)
    if not 0 < proportion < 1:
        raise InputError(f"a target between {guess:g} and {1 - lapse:g}", got=f"{target:g}")
    if function == "weibull":
        z = np.log10(-np.log1p(-proportion))
    else:
        z = logit(proportion) if function == "logistic" else ndtri(proportion)
    return float(threshold + z / slope)


def _check_function(function: str) -> None:
    if function not in FUNCTIONS:
        raise UnknownNameError("psychometric function", function, FUNCTIONS)
