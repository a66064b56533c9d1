"""Fitting psychometric functions: threshold, width and lapse rate, and what the data cannot tell of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.statistics._psychometric_likelihood import (
    MOST_LAPSE,
    SCALE,
    PsychometricFitter,
    check_counts,
    compute_saturated,
    find_kernel,
    invert,
    predict,
    transform_levels,
)

FitFunction = Literal["logit", "probit", "gumbel", "weibull"]
Prior = Literal["none", "weak"]

_SYNONYMS = {"logistic": "logit", "normal": "probit"}
_NAMES = ("logit", "probit", "gumbel", "weibull")


@final
@dataclass(frozen=True)
class PsychometricFit:
    r"""A fitted psychometric function, :math:`\psi(x) = \gamma + (1 - \gamma - \lambda) F(x)`.

    Attributes
    ----------
    threshold : float
        The level at which F is 1/2: midway between guessing and 1 - lapse.
    width : float
        From F = .05 to F = .95. For ``weibull``, of the natural logarithm of the level.
    guess, lapse : float
    deviance : float
        Twice the difference of the log-likelihoods of the saturated model and this one; priors do not count.
    log_likelihood : float
        Without the binomial coefficients.
    function : str
    n_levels, n_trials : int
    warnings : tuple of str
        What the data cannot tell: a threshold outside the levels, a lapse rate or a width at its bound.
    """

    threshold: float
    width: float
    guess: float
    lapse: float
    deviance: float
    log_likelihood: float
    function: str
    n_levels: int
    n_trials: int
    warnings: tuple[str, ...] = ()

    def predict(self, levels: Any) -> np.ndarray:
        """Proportion correct at levels, of their shape."""
        x = transform_levels(np.asarray(levels, dtype=np.float64), self.function)
        theta = np.array(
            [[transform_levels(np.float64(self.threshold), self.function), math.log(self.width), self.lapse]]
        )
        return predict(x.ravel(), theta, self.guess, find_kernel(self.function))[0].reshape(np.shape(levels))

    def find_level(self, p_correct: float) -> float:
        """The level at which this proportion correct is reached: the threshold by another criterion."""
        proportion = (p_correct - self.guess) / (1 - self.guess - self.lapse)
        if not 0 < proportion < 1:
            raise InputError(
                f"a proportion correct between {self.guess:g} and {1 - self.lapse:g}", got=f"{p_correct:g}"
            )
        kernel = find_kernel(self.function)
        x = transform_levels(np.float64(self.threshold), self.function) + self.width / SCALE[kernel] * (
            invert(proportion, kernel) - invert(0.5, kernel)
        )
        return float(np.exp(x)) if self.function == "weibull" else float(x)


@suggest_keywords
def fit_psychometric(
    levels: Any,
    n_right: Any,
    n_shown: Any,
    function: str = "logit",
    guess: float = 0.5,
    lapse: float | Literal["free"] = 0.02,
    *,
    prior: Prior = "none",
) -> PsychometricFit:
    r"""Fit a psychometric function by maximum likelihood, or with weak priors.

    Parameters
    ----------
    levels : (n_levels,), float
        A higher level is easier; where it is the other way, negate them.
    n_right, n_shown : (n_levels,), int
        Right answers, and trials.
    function : {"logit", "probit", "gumbel", "weibull"}
        ``gumbel``: :math:`F = 1 - 2^{-e^{b (x - t)}}`, for levels in logarithms; ``weibull``: the same of
        :math:`\ln x`, for levels above 0. ``logistic`` and ``normal`` are other names of the first two.
    guess : float in [0, 1)
        By design: 1/m for m alternatives, 0 for yes/no.
    lapse : float in [0, 1) or "free"
        Proportion of wrong answers however easy a level is; ``free``: fitted, from 0 to 1/2.
    prior : {"none", "weak"}
        ``weak`` adds the log densities of a normal of the threshold (middle of the levels, their range as standard
        deviation), a normal of the width's logarithm (that of half the range, 1) and, where free, a Beta(1, 10) of the
        lapse rate, so that data of one step still have a best width.

    Returns
    -------
    PsychometricFit

    Raises
    ------
    InputError
        Counts that cannot be, fewer than two levels, rates that leave no room for F.
    UnknownNameError
        Another function or prior.

    Notes
    -----
    Source: Wichmann & Hill 2001, Perception & Psychophysics 63, 1293-1313; width and midpoint: Schütt, Harmeling,
    Macke & Wichmann 2016, Vision Research 122.

    Examples
    --------
    >>> found = fit_psychometric([0, 1, 2, 3, 4], [52, 60, 75, 90, 98], [100] * 5, "logit", 0.5, 0.02)
    >>> round(found.threshold, 2), found.lapse
    (1.93, 0.02)
    """
    x, right, shown = check_counts(levels, n_right, n_shown)
    name = _check_function(function)
    _check_rates(guess, lapse)
    if prior not in ("none", "weak"):
        raise UnknownNameError("prior", prior, ["none", "weak"])
    if name == "weibull" and (x <= 0).any():
        raise InputError("levels above 0 for weibull", got=f"{x.min():g}", hint="gumbel, for levels in logarithms")
    fitter = PsychometricFitter(transform_levels(x, name), shown, guess, lapse, find_kernel(name), prior)
    theta, _ = fitter.fit(right[None])
    return _describe(fitter, theta[0], right, x, name)


@suggest_keywords
def fit_psychometrics(
    levels: Any, n_right: Any, n_shown: Any, function: str = "logit", guess: float = 0.5, *, prior: Prior = "none"
) -> list[PsychometricFit]:
    """Fit several conditions with one lapse rate, which is free: each its own threshold and width.

    Parameters
    ----------
    levels, n_right, n_shown : sequence of (n_levels,)
        One of each a condition.
    function, guess, prior
        As in :func:`fit_psychometric`.

    Returns
    -------
    list of PsychometricFit
        In the order of the conditions, with the shared lapse rate.
    """
    from scipy.optimize import minimize_scalar

    conditions = list(zip(levels, n_right, n_shown, strict=True))

    def lose(lapse: float) -> float:
        fits = [fit_psychometric(*each, function, guess, float(lapse), prior=prior) for each in conditions]
        return -sum(fit.log_likelihood for fit in fits) - (9 * math.log1p(-lapse) if prior == "weak" else 0)

    most = min(MOST_LAPSE, (1 - guess) * (1 - 1e-6))
    found: Any = minimize_scalar(lose, bounds=(0, most), method="bounded", options={"xatol": 1e-7})
    best = 0.0 if lose(0.0) <= found.fun else float(found.x)
    return [fit_psychometric(*each, function, guess, best, prior=prior) for each in conditions]


@suggest_keywords
def fit_psychometric_sets(
    levels: Any, n_right: Any, n_shown: Any, function: str = "logit", guess: float = 0.5,
    lapse: float | Literal["free"] = 0.02, *, prior: Prior = "none",
) -> np.ndarray:  # fmt: skip
    """Fit many data sets of the same levels and trials side by side.

    Parameters
    ----------
    levels, n_shown : (n_levels,)
    n_right : (n_sets, n_levels)
    function, guess, lapse, prior
        As for :func:`fit_psychometric`.

    Returns
    -------
    (n_sets, 3), float
        Threshold, width and lapse rate of each.

    >>> fit_psychometric_sets([0, 1, 2], [[5, 7, 10], [5, 9, 10]], [10, 10, 10])[:, 0].round(2).tolist()
    [1.01, 0.91]
    """
    right = np.asarray(n_right, dtype=np.float64)
    x, _, shown = check_counts(levels, np.zeros(np.shape(levels)), n_shown)
    name = _check_function(function)
    _check_rates(guess, lapse)
    if right.ndim != 2 or right.shape[1] != len(x) or (right < 0).any() or (right > shown).any():
        raise InputError(f"right answers (n_sets, {len(x)}) from 0 to those shown", got=f"shape {right.shape}")
    theta, _ = PsychometricFitter(transform_levels(x, name), shown, guess, lapse, find_kernel(name), prior).fit(right)
    threshold = np.exp(theta[:, 0]) if name == "weibull" else theta[:, 0]
    return np.stack([threshold, np.exp(theta[:, 1]), theta[:, 2]], axis=1)


def _describe(
    fitter: PsychometricFitter, theta: np.ndarray, right: np.ndarray, levels: np.ndarray, name: str
) -> PsychometricFit:
    likelihood = float(fitter.likelihood(theta[None], right[None])[0])
    threshold = float(np.exp(theta[0])) if name == "weibull" else float(theta[0])
    warnings: list[str] = []
    if right.sum() == fitter.shown.sum() or not right.sum():
        warnings.append("all answers are right" if right.sum() else "all answers are wrong")
        warnings[0] += ": no threshold can be told"
        threshold = math.nan
    elif not levels.min() <= threshold <= levels.max():
        warnings.append(f"the threshold {threshold:.3g} lies outside the levels {levels.min():g} to {levels.max():g}")
    width = float(np.exp(theta[1]))
    proportion = (predict(fitter.x, theta[None], fitter.guess, fitter.kernel)[0] - fitter.guess) / (
        1 - fitter.guess - theta[2]
    )
    if not ((proportion > 0.005) & (proportion < 0.995)).any():
        warnings.append("the answers change in one step between two levels: the width cannot be told")
    elif width >= fitter.widths[1] * 0.99:
        warnings.append("the answers do not change with the level: the width is at its highest and cannot be told")
    if fitter.free and (theta[2] <= 0 or theta[2] >= fitter.most_lapse):
        warnings.append(f"the lapse rate is at its bound, {theta[2]:g}")
    deviance = 2 * float(compute_saturated(right[None], fitter.shown)[0] - likelihood)
    return PsychometricFit(
        threshold, width, fitter.guess, float(theta[2]), deviance, likelihood, name, len(np.unique(levels)),
        int(fitter.shown.sum()), tuple(warnings),
    )  # fmt: skip


def _check_function(function: str) -> str:
    name = _SYNONYMS.get(function, function)
    if name not in _NAMES:
        raise UnknownNameError("psychometric function", function, [*_NAMES, *_SYNONYMS])
    return name


def _check_rates(guess: float, lapse: float | str) -> None:
    if isinstance(lapse, str) and lapse != "free":
        raise InputError("a lapse rate, or free", got=lapse)
    rest = 0.0 if isinstance(lapse, str) else lapse
    if not (0 <= guess < 1 and 0 <= rest < 1 and guess + rest < 1):
        raise InputError("a guess and a lapse rate from 0, below 1 together", got=f"{guess:g} and {lapse}")
