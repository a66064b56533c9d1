"""Fitting psychometric functions: threshold, width and lapse rate, with goodness of fit and bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.seeds import DEFAULT_SEED, make_generator

FitFunction = Literal["logit", "probit", "gumbel", "weibull"]
Prior = Literal["none", "weak"]

_SYNONYMS = {"logistic": "logit", "normal": "probit"}
_NAMES = ("logit", "probit", "gumbel", "weibull")
_MOST_LAPSE = 0.5
_ITERATIONS = 300
_LOG_2 = math.log(2)
# z(0.95) - z(0.05) of each standard function, so that the width is the way from 5 to 95 %
_SCALE = {
    "logit": 2 * math.log(19),
    "probit": 2 * 1.6448536269514722,
    "gumbel": math.log(-math.log(0.05)) - math.log(-math.log(0.95)),
}


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
        x = _transform(np.asarray(levels, dtype=np.float64), self.function)
        theta = np.array([[_transform(np.float64(self.threshold), self.function), math.log(self.width), self.lapse]])
        return _predict(x.ravel(), theta, self.guess, _kernel(self.function))[0].reshape(np.shape(levels))

    def find_level(self, p_correct: float) -> float:
        """The level at which this proportion correct is reached: the threshold by another criterion."""
        proportion = (p_correct - self.guess) / (1 - self.guess - self.lapse)
        if not 0 < proportion < 1:
            raise InputError(
                f"a proportion correct between {self.guess:g} and {1 - self.lapse:g}", got=f"{p_correct:g}"
            )
        kernel = _kernel(self.function)
        x = _transform(np.float64(self.threshold), self.function) + self.width / _SCALE[kernel] * (
            _invert(proportion, kernel) - _invert(0.5, kernel)
        )
        return float(np.exp(x)) if self.function == "weibull" else float(x)


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
        kernel = _kernel(fit.function)
        proportion = (p_correct - fit.guess) / (1 - fit.guess - self.lapse)
        inside = (proportion > 0) & (proportion < 1)
        shift = _invert_all(np.where(inside, proportion, 0.5), kernel) - _invert(0.5, kernel)
        x = _transform(self.threshold, fit.function) + self.width / _SCALE[kernel] * shift
        return np.where(inside, np.exp(x) if fit.function == "weibull" else x, np.nan)


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
    x, right, shown = _check_counts(levels, n_right, n_shown)
    name = _check_function(function)
    _check_rates(guess, lapse)
    if prior not in ("none", "weak"):
        raise UnknownNameError("prior", prior, ["none", "weak"])
    if name == "weibull" and (x <= 0).any():
        raise InputError("levels above 0 for weibull", got=f"{x.min():g}", hint="gumbel, for levels in logarithms")
    fitter = _Fitter(_transform(x, name), shown, guess, lapse, _kernel(name), prior)
    theta, _ = fitter.fit(right[None])
    return _describe(fitter, theta[0], right, x, name)


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
    x, right, shown = _check_counts(levels, n_right, n_shown)
    fitter = _Fitter(_transform(x, fit.function), shown, fit.guess, lapse, _kernel(fit.function), prior)
    rng = make_generator(seed, "bootstrap", "psychometric")
    expected = fit.predict(x)
    n = shown.astype(np.int64)
    modelled = rng.binomial(n, np.clip(expected, 0, 1), (n_draws, len(x))).astype(np.float64)
    theta_modelled, _ = fitter.fit(modelled)
    deviance = 2 * (_saturated(modelled, shown) - fitter.likelihood(theta_modelled, modelled))
    if parametric:
        theta = theta_modelled
    else:
        theta, _ = fitter.fit(rng.binomial(n, right / shown, (n_draws, len(x))).astype(np.float64))
    threshold = np.exp(theta[:, 0]) if fit.function == "weibull" else theta[:, 0]
    p = (1 + (deviance >= fit.deviance * (1 - 1e-9)).sum()) / (1 + n_draws)
    return PsychometricBootstrap(threshold, np.exp(theta[:, 1]), theta[:, 2], deviance, float(p))


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

    most = min(_MOST_LAPSE, (1 - guess) * (1 - 1e-6))
    found: Any = minimize_scalar(lose, bounds=(0, most), method="bounded", options={"xatol": 1e-7})
    best = 0.0 if lose(0.0) <= found.fun else float(found.x)
    return [fit_psychometric(*each, function, guess, best, prior=prior) for each in conditions]


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
    x, _, shown = _check_counts(levels, np.zeros(np.shape(levels)), n_shown)
    name = _check_function(function)
    _check_rates(guess, lapse)
    if right.ndim != 2 or right.shape[1] != len(x) or (right < 0).any() or (right > shown).any():
        raise InputError(f"right answers (n_sets, {len(x)}) from 0 to those shown", got=f"shape {right.shape}")
    theta, _ = _Fitter(_transform(x, name), shown, guess, lapse, _kernel(name), prior).fit(right)
    threshold = np.exp(theta[:, 0]) if name == "weibull" else theta[:, 0]
    return np.stack([threshold, np.exp(theta[:, 1]), theta[:, 2]], axis=1)


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
    counts = [_check_counts(*each) for each in zip(levels, n_right, n_shown, strict=True)]
    first = fits[0]
    fitters = [
        _Fitter(_transform(x, first.function), shown, first.guess, first.lapse, _kernel(first.function), prior)
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


@final
class _Fitter:
    """Many data sets of the same levels fitted side by side: parameters are (threshold, log width, lapse)."""

    def __init__(
        self, x: np.ndarray, shown: np.ndarray, guess: float, lapse: float | str, kernel: str, prior: str
    ) -> None:
        self.x, self.shown, self.guess, self.kernel, self.prior = x, shown, guess, kernel, prior
        self.free = lapse == "free"
        self.lapse = 0.02 if isinstance(lapse, str) else float(lapse)
        places = np.unique(x)
        self.range = float(places[-1] - places[0])
        self.middle = float(places[-1] + places[0]) / 2
        step = float(np.diff(places).min())
        self.widths = (step / 100, 100 * self.range)
        self.thresholds = (self.middle - 10 * self.range, self.middle + 10 * self.range)
        self.most_lapse = min(_MOST_LAPSE, (1 - guess) * (1 - 1e-6))

    def likelihood(self, theta: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(n_sets,) for theta (n_sets, 3) and right (n_sets, n_levels)."""
        from scipy.special import xlog1py, xlogy

        psi = np.clip(_predict(self.x, theta, self.guess, self.kernel), 0.0, 1.0)
        return (xlogy(right, psi) + xlog1py(self.shown - right, -psi)).sum(axis=1)

    def _penalty(self, theta: np.ndarray) -> np.ndarray:
        if self.prior == "none":
            return np.zeros(len(theta))
        at, wide = theta[:, 0], theta[:, 1]
        value = -(((at - self.middle) / self.range) ** 2) / 2 - (wide - math.log(self.range / 2)) ** 2 / 2
        return value + (9 * np.log1p(-theta[:, 2]) if self.free else 0)

    def objective(self, theta: np.ndarray, right: np.ndarray) -> np.ndarray:
        """What is made as large as can be."""
        return self.likelihood(theta, right) + self._penalty(theta)

    def fit(
        self, right: np.ndarray, lapse: np.ndarray | None = None, tolerance: float = 1e-12
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best parameters (n_sets, 3) and the objective there, by scoring from the best of a grid.

        Where it is not free, each set may have a lapse rate of its own. A set ends when a step gains less than the
        tolerance, relative to the objective.
        """
        theta = self._start(right)
        if lapse is not None:
            theta[:, 2] = lapse
        value = np.maximum(self.objective(theta, right), -1e300)
        damping = np.full(len(theta), 1e-3)
        going = np.ones(len(theta), dtype=bool)
        for _ in range(_ITERATIONS):
            rows = np.flatnonzero(going)
            if not len(rows):
                break
            tried = self._step(theta[rows], right[rows], damping[rows])
            found = np.maximum(self.objective(tried, right[rows]), -1e300)
            better = found > value[rows]
            gain = found - value[rows]
            moved = np.abs(tried - theta[rows]).max(axis=1)
            theta[rows[better]], value[rows[better]] = tried[better], found[better]
            damping[rows] = np.where(better, np.maximum(damping[rows] / 10, 1e-12), damping[rows] * 10)
            done = (better & (gain < tolerance * (1 + np.abs(value[rows])))) | (moved < 1e-10) | (damping[rows] > 1e12)
            going[rows[done]] = False
        return theta, value

    def _start(self, right: np.ndarray) -> np.ndarray:
        low, high = float(self.x.min()), float(self.x.max())
        places = np.linspace(low - self.range / 4, high + self.range / 4, 25)
        widths = self.range * np.array([0.05, 0.15, 0.4, 0.8, 1.6, 4.0])
        lapses = np.array([0.005, 0.05, 0.2]) if self.free else np.array([self.lapse])
        lapses = np.minimum(lapses, self.most_lapse)
        grid = np.stack([each.ravel() for each in np.meshgrid(places, np.log(widths), lapses, indexing="ij")], axis=1)
        psi = np.clip(_predict(self.x, grid, self.guess, self.kernel), 1e-300, 1.0)
        # both terms are linear in the counts, so that the whole grid is two products
        no = np.log(np.maximum(1 - psi, 1e-300))
        scores = right @ np.log(psi).T + (self.shown - right) @ no.T + self._penalty(grid)
        return grid[scores.argmax(axis=1)].copy()

    def _step(self, theta: np.ndarray, right: np.ndarray, damping: np.ndarray) -> np.ndarray:
        """One step of Fisher scoring, damped, within the bounds."""
        psi, slopes = _differentiate(self.x, theta, self.guess, self.kernel)
        inner = np.clip(psi, 1e-12, 1 - 1e-12)
        weight = self.shown / (inner * (1 - inner))
        score = (right / self.shown - psi) * weight
        gradient = np.einsum("bl,blp->bp", score, slopes)
        information = np.einsum("bl,blp,blq->bpq", weight, slopes, slopes)
        if self.prior == "weak":
            gradient[:, 0] -= (theta[:, 0] - self.middle) / self.range**2
            gradient[:, 1] -= theta[:, 1] - math.log(self.range / 2)
            information[:, 0, 0] += 1 / self.range**2
            information[:, 1, 1] += 1
            if self.free:
                gradient[:, 2] -= 9 / (1 - theta[:, 2])
                information[:, 2, 2] += 9 / (1 - theta[:, 2]) ** 2
        fixed = np.zeros(theta.shape, dtype=bool)
        fixed[:, 2] = not self.free
        if self.free:
            fixed[:, 2] = ((theta[:, 2] <= 0) & (gradient[:, 2] < 0)) | (
                (theta[:, 2] >= self.most_lapse) & (gradient[:, 2] > 0)
            )
        gradient[fixed] = 0
        information[np.broadcast_to(fixed[:, :, None], information.shape)] = 0
        information[np.broadcast_to(fixed[:, None, :], information.shape)] = 0
        diagonal = np.einsum("bpp->bp", information)
        diagonal += damping[:, None] * np.maximum(diagonal, 1e-10) + fixed + 1e-300
        step = cast(np.ndarray, np.linalg.solve(information, gradient[:, :, None]))[:, :, 0]
        step[:, 0] = np.clip(step[:, 0], -self.range, self.range)
        step[:, 1] = np.clip(step[:, 1], -1, 1)
        tried = theta + step
        tried[:, 0] = np.clip(tried[:, 0], *self.thresholds)
        tried[:, 1] = np.clip(tried[:, 1], *np.log(self.widths))
        tried[:, 2] = np.clip(tried[:, 2], 0, self.most_lapse) if self.free else theta[:, 2]
        return tried


def _describe(fitter: _Fitter, theta: np.ndarray, right: np.ndarray, levels: np.ndarray, name: str) -> PsychometricFit:
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
    proportion = (_predict(fitter.x, theta[None], fitter.guess, fitter.kernel)[0] - fitter.guess) / (
        1 - fitter.guess - theta[2]
    )
    if not ((proportion > 0.005) & (proportion < 0.995)).any():
        warnings.append("the answers change in one step between two levels: the width cannot be told")
    elif width >= fitter.widths[1] * 0.99:
        warnings.append("the answers do not change with the level: the width is at its highest and cannot be told")
    if fitter.free and (theta[2] <= 0 or theta[2] >= fitter.most_lapse):
        warnings.append(f"the lapse rate is at its bound, {theta[2]:g}")
    deviance = 2 * float(_saturated(right[None], fitter.shown)[0] - likelihood)
    return PsychometricFit(
        threshold, width, fitter.guess, float(theta[2]), deviance, likelihood, name, len(np.unique(levels)),
        int(fitter.shown.sum()), tuple(warnings),
    )  # fmt: skip


def _check_counts(levels: Any, n_right: Any, n_shown: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, right, shown = (np.asarray(each, dtype=np.float64) for each in (levels, n_right, n_shown))
    if x.ndim != 1 or not x.shape == right.shape == shown.shape:
        raise InputError(
            "levels, right answers and trials of one length", got=f"{x.shape}, {right.shape}, {shown.shape}"
        )
    if not np.isfinite(x).all() or len(np.unique(x)) < 2:
        raise InputError("at least two levels, finite", got=f"{len(np.unique(x))}")
    if not ((shown > 0) & (right >= 0) & (right <= shown)).all():
        raise InputError(
            "trials above 0 at each level, and right answers from 0 to their number",
            got=f"{right.tolist()} of {shown.tolist()}", hint="leave levels without trials out",
        )  # fmt: skip
    return x, right, shown


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


def _kernel(name: str) -> str:
    return "gumbel" if name == "weibull" else name


def _transform(x: Any, name: str) -> Any:
    return np.log(x) if name == "weibull" else x


def _invert(proportion: float, kernel: str) -> float:
    return float(_invert_all(np.float64(proportion), kernel))


def _invert_all(proportion: Any, kernel: str) -> np.ndarray:
    from scipy.special import logit, ndtri

    if kernel == "gumbel":
        return np.log(-np.log1p(-proportion))
    return cast(np.ndarray, logit(proportion) if kernel == "logit" else ndtri(proportion))


def _place(x: np.ndarray, theta: np.ndarray, kernel: str) -> tuple[np.ndarray, np.ndarray]:
    """The function's argument z (n_sets, n_levels), and its slope over the level (n_sets, 1)."""
    slope = _SCALE[kernel] * np.exp(-theta[:, 1:2])
    return _invert(0.5, kernel) + slope * (x - theta[:, :1]), slope


def _predict(x: np.ndarray, theta: np.ndarray, guess: float, kernel: str) -> np.ndarray:
    from scipy.special import expit, ndtr

    z, _ = _place(x, theta, kernel)
    proportions = {
        "gumbel": lambda: -np.expm1(-np.exp(np.minimum(z, 700))),
        "logit": lambda: expit(z),
        "probit": lambda: ndtr(z),
    }
    return guess + (1 - guess - theta[:, 2:]) * proportions[kernel]()


def _differentiate(x: np.ndarray, theta: np.ndarray, guess: float, kernel: str) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (n_sets, n_levels) and their slopes over the parameters (n_sets, n_levels, 3)."""
    from scipy.special import expit, ndtr

    z, slope = _place(x, theta, kernel)
    if kernel == "gumbel":
        inner = np.exp(np.minimum(z, 700))
        proportion, density = -np.expm1(-inner), np.exp(np.minimum(z, 700) - inner)
    elif kernel == "logit":
        proportion = expit(z)
        density = proportion * (1 - proportion)
    else:
        proportion, density = ndtr(z), np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    room = 1 - guess - theta[:, 2:]
    slopes = np.stack(
        [-room * density * slope, -room * density * slope * (x - theta[:, :1]), -proportion], axis=2
    )  # fmt: skip
    return guess + room * proportion, slopes


def _saturated(right: np.ndarray, shown: np.ndarray) -> np.ndarray:
    from scipy.special import xlogy

    return (xlogy(right, right / shown) + xlogy(shown - right, (shown - right) / shown)).sum(axis=1)
