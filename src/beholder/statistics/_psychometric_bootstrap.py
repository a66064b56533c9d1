"""Bootstrap of psychometric functions: intervals of their parameters, and goodness of fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.statistics._psychometric_fit import Prior, PsychometricFit
from beholder.statistics._psychometric_likelihood import (
    SCALE,
    PsychometricFitter,
    check_counts,
    compute_saturated,
    find_kernel,
    invert,
    invert_all,
    transform_levels,
)


@final
@dataclass(frozen=True, eq=False)
class PsychometricBootstrap:
    """Draws of a fit's parameters.

    Attributes
    ----------
    threshold, width, lapse : (n_draws,), float
    deviance : (n_draws,), float
        Of the draws from the fitted function.
    p : float
        Proportion of these at least as large as the fit's: goodness of fit; small where the function does not fit.
    """

    threshold: np.ndarray
    width: np.ndarray
    lapse: np.ndarray
    deviance: np.ndarray
    p: float

    def interval(self, name: str = "threshold", confidence: float = 0.95) -> tuple[float, float]:
        """Ends of a parameter's percentile interval."""
        tail = 50 * (1 - confidence)
        low, high = np.percentile(getattr(self, name), (tail, 100 - tail))
        return float(low), float(high)

    def find_levels(self, fit: PsychometricFit, p_correct: float) -> np.ndarray:
        """The level of each draw at which a proportion correct is reached, (n_draws,); NaN where it never is."""
        kernel = find_kernel(fit.function)
        proportion = (p_correct - fit.guess) / (1 - fit.guess - self.lapse)
        inside = (proportion > 0) & (proportion < 1)
        shift = invert_all(np.where(inside, proportion, 0.5), kernel) - invert(0.5, kernel)
        x = transform_levels(self.threshold, fit.function) + self.width / SCALE[kernel] * shift
        return np.where(inside, np.exp(x) if fit.function == "weibull" else x, np.nan)


@suggest_keywords
def bootstrap_psychometric(
    fit: PsychometricFit, levels: Any, n_right: Any, n_shown: Any, *, lapse: float | Literal["free"] = 0.02,
    prior: Prior = "none", n_draws: int = 1000, parametric: bool = False, seed: int = DEFAULT_SEED,
) -> PsychometricBootstrap:  # fmt: skip
    """Draw answers anew and fit them, for intervals and for goodness of fit.

    Parameters
    ----------
    fit : PsychometricFit
        Of these data.
    levels, n_right, n_shown, lapse, prior
        As given to :func:`fit_psychometric`.
    n_draws, seed : int
    parametric : bool
        Draw from the fitted function for the intervals too; by default from the observed proportions.

    Returns
    -------
    PsychometricBootstrap

    Notes
    -----
    Source: Wichmann & Hill 2001, Perception & Psychophysics 63, 1314-1329; goodness of fit: part I, "Deviance".
    """
    x, right, shown = check_counts(levels, n_right, n_shown)
    fitter = PsychometricFitter(
        transform_levels(x, fit.function), shown, fit.guess, lapse, find_kernel(fit.function), prior
    )
    rng = make_generator(seed, "bootstrap", "psychometric")
    expected = fit.predict(x)
    n = shown.astype(np.int64)
    modelled = rng.binomial(n, np.clip(expected, 0, 1), (n_draws, len(x))).astype(np.float64)
    theta_modelled, _ = fitter.fit(modelled)
    deviance = 2 * (compute_saturated(modelled, shown) - fitter.likelihood(theta_modelled, modelled))
    if parametric:
        theta = theta_modelled
    else:
        theta, _ = fitter.fit(rng.binomial(n, right / shown, (n_draws, len(x))).astype(np.float64))
    threshold = np.exp(theta[:, 0]) if fit.function == "weibull" else theta[:, 0]
    p = (1 + (deviance >= fit.deviance * (1 - 1e-9)).sum()) / (1 + n_draws)
    return PsychometricBootstrap(threshold, np.exp(theta[:, 1]), theta[:, 2], deviance, float(p))


@suggest_keywords
def bootstrap_psychometrics(
    fits: Sequence[PsychometricFit], levels: Any, n_right: Any, n_shown: Any, *, prior: Prior = "none",
    n_draws: int = 1000, seed: int = DEFAULT_SEED,
) -> list[PsychometricBootstrap]:  # fmt: skip
    """Draw the answers of all conditions anew and fit them, each draw with a shared lapse rate of its own.

    Parameters
    ----------
    fits : sequence of PsychometricFit
        What :func:`fit_psychometrics` gave for these data.
    levels, n_right, n_shown, prior
        As given to it.
    n_draws, seed : int

    Returns
    -------
    list of PsychometricBootstrap
        One of each condition. Goodness of fit is of each condition alone, its lapse rate taken as known.

    Notes
    -----
    Source: as :func:`bootstrap_psychometric`.
    """
    counts = [check_counts(*each) for each in zip(levels, n_right, n_shown, strict=True)]
    first = fits[0]
    fitters = [
        PsychometricFitter(
            transform_levels(x, first.function), shown, first.guess, first.lapse, find_kernel(first.function), prior
        )
        for x, _, shown in counts
    ]
    rng = make_generator(seed, "bootstrap", "psychometrics")
    drawn = [
        rng.binomial(shown.astype(np.int64), right / shown, (n_draws, len(x))).astype(np.float64)
        for x, right, shown in counts
    ]

    def lose(lapse: np.ndarray) -> np.ndarray:
        total = np.zeros(n_draws) if prior == "none" else -9 * np.log1p(-lapse)
        return total - sum(fitter.fit(right, lapse, 1e-7)[1] for fitter, right in zip(fitters, drawn, strict=True))

    lapse = _search(lose, n_draws, min(fitter.most_lapse for fitter in fitters))
    found: list[PsychometricBootstrap] = []
    for fit, fitter, own, (x, right, shown) in zip(fits, fitters, drawn, counts, strict=True):
        theta, _ = fitter.fit(own, lapse)
        alone = bootstrap_psychometric(
            fit, x, right, shown, lapse=fit.lapse, prior=prior, n_draws=n_draws, parametric=True, seed=seed
        )
        threshold = np.exp(theta[:, 0]) if fit.function == "weibull" else theta[:, 0].copy()
        found.append(PsychometricBootstrap(threshold, np.exp(theta[:, 1]), theta[:, 2].copy(), alone.deviance, alone.p))
    return found


def _search(lose: Callable[[np.ndarray], np.ndarray], n: int, most: float) -> np.ndarray:
    """Where each of n functions is least between 0 and most, by golden sections side by side, to 0.002."""
    ratio = (math.sqrt(5) - 1) / 2
    low, high = np.zeros(n), np.full(n, most)
    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    at_inner, at_outer = lose(inner), lose(outer)
    while float((high - low).max()) > 2e-3:
        left = at_inner < at_outer
        low, high = np.where(left, low, inner), np.where(left, outer, high)
        tried = np.where(left, high - ratio * (high - low), low + ratio * (high - low))
        value = lose(tried)
        inner, at_inner, outer, at_outer = (
            np.where(left, tried, outer), np.where(left, value, at_outer),
            np.where(left, inner, tried), np.where(left, at_inner, value),
        )  # fmt: skip
    best = (low + high) / 2
    zero = np.zeros(n)
    return np.where(lose(zero) <= lose(best), zero, best)
