"""Psychometric functions and the maximum of their likelihood, of many data sets side by side."""

from __future__ import annotations

import math
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError

MOST_LAPSE = 0.5
_ITERATIONS = 300
# z(0.95) - z(0.05) of each standard function, so that the width is the way from 5 to 95 %
SCALE = {
    "logit": 2 * math.log(19),
    "probit": 2 * 1.6448536269514722,
    "gumbel": math.log(-math.log(0.05)) - math.log(-math.log(0.95)),
}


def check_counts(levels: Any, n_right: Any, n_shown: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, right answers and trials as numbers, where they can be counts."""
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


def find_kernel(name: str) -> str:
    """The form that is fitted: Weibull's is Gumbel's of logarithms."""
    return "gumbel" if name == "weibull" else name


def transform_levels(x: Any, name: str) -> Any:
    """Levels as the form takes them."""
    return np.log(x) if name == "weibull" else x


def invert(proportion: float, kernel: str) -> float:
    """The argument at which the standard function has a proportion."""
    return float(invert_all(np.float64(proportion), kernel))


def invert_all(proportion: Any, kernel: str) -> np.ndarray:
    """The same of many."""
    from scipy.special import logit, ndtri

    if kernel == "gumbel":
        return np.log(-np.log1p(-proportion))
    return cast(np.ndarray, logit(proportion) if kernel == "logit" else ndtri(proportion))


def _place(x: np.ndarray, theta: np.ndarray, kernel: str) -> tuple[np.ndarray, np.ndarray]:
    """The function's argument z (n_sets, n_levels), and its slope over the level (n_sets, 1)."""
    slope = SCALE[kernel] * np.exp(-theta[:, 1:2])
    return invert(0.5, kernel) + slope * (x - theta[:, :1]), slope


def predict(x: np.ndarray, theta: np.ndarray, guess: float, kernel: str) -> np.ndarray:
    """Proportions correct (n_sets, n_levels) for theta (n_sets, 3): threshold, logarithm of the width, lapse rate."""
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


def compute_saturated(right: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Log-likelihood (n_sets,) of the observed proportions."""
    from scipy.special import xlogy

    return (xlogy(right, right / shown) + xlogy(shown - right, (shown - right) / shown)).sum(axis=1)


@final
class PsychometricFitter:
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
        self.most_lapse = min(MOST_LAPSE, (1 - guess) * (1 - 1e-6))

    def likelihood(self, theta: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(n_sets,) for theta (n_sets, 3) and right (n_sets, n_levels)."""
        from scipy.special import xlog1py, xlogy

        psi = np.clip(predict(self.x, theta, self.guess, self.kernel), 0.0, 1.0)
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
        psi = np.clip(predict(self.x, grid, self.guess, self.kernel), 1e-300, 1.0)
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
