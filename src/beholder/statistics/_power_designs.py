"""Power by simulation from pilot data: differences of thresholds, differences of error consistency."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.statistics._psychometric_fit import PsychometricFit, fit_psychometric_sets


@suggest_keywords
def draw_threshold_differences(
    fits: tuple[PsychometricFit, PsychometricFit], levels: Any, n_trials: int, *, between_sd: float, effect_sd: float,
    n_people: int = 2000, seed: int = DEFAULT_SEED,
) -> np.ndarray:  # fmt: skip
    """Differences of two thresholds as fitted to the answers of drawn people, (n_people,), the second less the first.

    Parameters
    ----------
    fits : (PsychometricFit, PsychometricFit)
        The two conditions: thresholds are the means over people; width, guess and lapse rates are everybody's.
    levels : (n_levels,), float
        Shown in both conditions.
    n_trials : int
        At each level in each condition.
    between_sd, effect_sd : float
        Standard deviations between people of the mean of their thresholds, and of their difference.
    n_people, seed : int
    """
    if n_trials < 1 or between_sd < 0 or effect_sd < 0:
        got = f"{n_trials}, {between_sd:g}, {effect_sd:g}"
        raise InputError("trials of at least 1, standard deviations of at least 0", got=got)
    x = np.asarray(levels, dtype=np.float64)
    rng = make_generator(seed, "power", "thresholds")
    own = between_sd * rng.standard_normal(n_people)
    half = effect_sd * rng.standard_normal(n_people) / 2
    shown = np.full(len(x), n_trials)
    found: list[np.ndarray] = []
    for sign, fit in zip((-1, 1), fits, strict=True):
        moved = fit.threshold + own + sign * half
        chance = fit.predict(x[None, :] - (moved - fit.threshold)[:, None])
        right = rng.binomial(n_trials, np.clip(chance, 0, 1)).astype(np.float64)
        found.append(fit_psychometric_sets(x, right, shown, fit.function, fit.guess, fit.lapse)[:, 0])
    # what lies outside the levels is no threshold that anybody would use
    inside = np.all([(each >= x.min()) & (each <= x.max()) for each in found], axis=0)
    return np.where(inside, found[1] - found[0], np.nan)


@suggest_keywords
def simulate_t_power(
    differences: Any, n: int, *, alpha: float = 0.05, n_simulations: int = 1000, seed: int = DEFAULT_SEED
) -> float:
    """Proportion of experiments of n people in which a two-sided t-test of their differences from 0 comes out.

    Parameters
    ----------
    differences : (n_people,), float
        That people are drawn from; those of NaN are drawn, too, and left out of the test.
    n : int
        At least 2.
    alpha, n_simulations, seed
    """
    from scipy.stats import t

    if n < 2:
        raise InputError("at least 2 participants", got=str(n))
    values = np.asarray(differences, dtype=np.float64)
    rng = make_generator(seed, "power", "t", n)
    drawn = values[rng.integers(len(values), size=(n_simulations, n))]
    known = np.isfinite(drawn).sum(axis=1)
    drawn = np.where(np.isfinite(drawn), drawn, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = drawn.sum(axis=1) / known
        spread = np.sqrt(np.maximum((drawn**2).sum(axis=1) - known * mean**2, 0) / (known - 1))
        statistic = np.abs(mean) / (spread / np.sqrt(known))
    p: np.ndarray = 2 * np.asarray(cast(Any, t).sf(statistic, np.maximum(known - 1, 1)))
    return float((np.where((known > 1) & ~np.isnan(p), p, 1.0) < alpha).mean())


@suggest_keywords
def simulate_kappa_power(
    correct_1: Any, correct_2: Any, people: Any, n: int, *, scale: float = 1.0, alpha: float = 0.05,
    n_simulations: int = 1000, seed: int = DEFAULT_SEED,
) -> float:  # fmt: skip
    r"""Proportion of experiments of n stimuli in which two networks' error consistency with people differs.

    Stimuli are drawn from the pilot's with replacement, all answers to one together. The difference of the mean kappas
    is tested two-sided by its large-sample standard error over stimuli.

    Parameters
    ----------
    correct_1, correct_2 : (n_stimuli,), bool
        Of the two networks.
    people : (n_people, n_stimuli), bool
        Of one person or several.
    n : int
        Stimuli, at least 2.
    scale : float
        What the pilot's difference is multiplied by.
    alpha, n_simulations, seed

    Notes
    -----
    Source: Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72, for the variance of kappa.
    """
    from scipy.special import ndtr

    first, second = (np.asarray(each, dtype=np.float64) for each in (correct_1, correct_2))
    reference = np.atleast_2d(np.asarray(people, dtype=np.float64))
    if n < 2 or first.ndim != 1 or first.shape != second.shape or reference.shape[1:] != first.shape:
        raise InputError("answers of all to the same stimuli, at least 2", got=f"{first.shape}, {reference.shape}, {n}")
    observed = _find_difference(first[None], second[None], reference[:, None])[0][0]
    if math.isnan(observed):
        return math.nan
    rng = make_generator(seed, "power", "kappa", n)
    hits, done, chunk = 0, 0, max(1, 2_000_000 // (n * len(reference)))
    while done < n_simulations:
        size = min(chunk, n_simulations - done)
        places = rng.integers(len(first), size=(size, n))
        value, se = _find_difference(first[places], second[places], reference[:, places])
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.abs(value - (1 - scale) * observed) / se
        hits += int((2 * ndtr(-np.where(np.isnan(z), 0, z)) < alpha).sum())
        done += size
    return hits / n_simulations


def _find_difference(first: np.ndarray, second: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean kappa of the first less that of the second, and its standard error: (n_draws,) for (n_draws, n_stimuli)."""
    value, influence = np.zeros(len(first)), np.zeros(first.shape)
    for person in people:
        one, moves_one = _find_influence(first, person)
        two, moves_two = _find_influence(second, person)
        value += (one - two) / len(people)
        influence += (moves_one - moves_two) / len(people)
    return value, np.sqrt((influence**2).mean(axis=1) / first.shape[1])


def _find_influence(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kappa, (n_draws,), and what each stimulus adds to it, (n_draws, n_stimuli)."""
    same = (x == y).astype(np.float64)
    a, b = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    observed, expected = same.mean(axis=1, keepdims=True), a * b + (1 - a) * (1 - b)
    moved = (2 * b - 1) * (x - a) + (2 * a - 1) * (y - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        influence = ((same - observed) * (1 - expected) - (1 - observed) * moved) / (1 - expected) ** 2
        kappa = (observed - expected) / (1 - expected)
    return kappa[:, 0], influence
