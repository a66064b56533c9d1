"""Tuning curves of units, and what they say: preferred value, bandwidth, selectivity, contrast."""

from __future__ import annotations

import numpy as np

from beholder._core.errors import InputError


def average_by_value(responses: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values in ascending order, and mean responses to each: (n_values,) and (n_values, n_units).

    Parameters
    ----------
    responses : (n_stimuli, n_units), float
    values : (n_stimuli,), float
    """
    known, numbers = np.unique(values, return_inverse=True)
    sums = np.zeros((len(known), responses.shape[1]))
    np.add.at(sums, numbers, responses)
    return known, sums / np.bincount(numbers)[:, None]


def find_preferred(values: np.ndarray, curves: np.ndarray, period: float | None = None) -> np.ndarray:
    """The value that drives each unit most, (n_units,).

    Circular: the direction of the mean vector of the curve above its minimum. Otherwise the value of the largest mean.
    NaN for a flat curve.
    """
    flat = np.ptp(curves, axis=0) <= 1e-12 * np.abs(curves).max(axis=0)
    if period is None:
        found = values[curves.argmax(axis=0)].astype(np.float64)
    else:
        angle = 2 * np.pi * values / period
        vector = (curves - curves.min(axis=0)).T @ np.exp(1j * angle)
        found = (np.angle(vector) * period / (2 * np.pi)) % period
        # Rounding must not make the largest float below a period of what is 0.
        found = np.where(period - found < 1e-9 * period, 0.0, found)
    return np.where(flat, np.nan, found)


def measure_selectivity(values: np.ndarray, curves: np.ndarray, period: float | None = None) -> np.ndarray:
    r"""How selective each unit is, (n_units,), in [0, 1]; 0 for a flat curve.

    Of r, the curve above its minimum. Circular: 1 − circular variance, :math:`|\sum r e^{i\theta}| / \sum r`. Otherwise
    sparseness, :math:`(1 - (\sum r / n)^2 / (\sum r^2 / n)) / (1 - 1/n)`.

    Sources: Ringach et al. (2002), Journal of Neuroscience 22, 5639-5651; Vinje & Gallant (2000), Science 287,
    1273-1276.
    """
    r = curves - curves.min(axis=0)
    flat = np.ptp(curves, axis=0) <= 1e-12 * np.abs(curves).max(axis=0)
    if period is not None:
        vector = np.abs(r.T @ np.exp(2j * np.pi * values / period))
        return np.where(flat, 0, vector / np.where(flat, 1, r.sum(axis=0)))
    n = len(values)
    squares = np.where(flat, 1, np.square(r).mean(axis=0))
    return np.where(flat, 0, (1 - np.square(r.mean(axis=0)) / squares) / (1 - 1 / n))


def measure_bandwidth(values: np.ndarray, curves: np.ndarray, period: float | None = None) -> np.ndarray:
    """Full width of each curve at half its height above its minimum, about its largest value, (n_units,).

    Straight lines between values. NaN where the curve does not fall to half on both sides.
    """
    n = len(values)
    x = values.astype(np.float64)
    if period is not None:
        x = np.concatenate([x - period, x, x + period])
        curves = np.concatenate([curves, curves, curves])
    half = (curves.max(axis=0) + curves.min(axis=0)) / 2
    found = np.full(curves.shape[1], np.nan)
    for unit in range(curves.shape[1]):
        curve = curves[:, unit]
        if np.ptp(curve) <= 1e-12 * np.abs(curve).max():
            continue
        peak = int(curve[:n].argmax()) + (n if period is not None else 0)
        left = np.flatnonzero(curve[:peak] <= half[unit])
        right = np.flatnonzero(curve[peak:] <= half[unit])
        if len(left) and len(right):
            a, b = left[-1], peak + right[0]
            level = float(half[unit])
            low = float(np.interp(level, curve[[a, a + 1]], x[[a, a + 1]]))
            high = float(np.interp(level, curve[[b, b - 1]], x[[b, b - 1]]))
            width = high - low
            found[unit] = width if period is None or width <= period else np.nan
    return found


def shuffle_units(
    responses: np.ndarray, values: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Whether responses differ between values more than between stimuli of one value, against shuffled labels.

    Parameters
    ----------
    responses : (n_stimuli, n_units), float
    values : (n_stimuli,), float
        Some with several stimuli.
    orders : (n_permutations, n_stimuli), int

    Returns
    -------
    explained : (n_units,), float
        Proportion of a unit's variance over stimuli that is between values (η²).
    p : (n_units,), float
        (1 + shuffles that explain as much) / (1 + shuffles).
    proportion : float
        Of units with p ≤ .05.
    shuffled : (n_permutations,), float
        The same proportion, of each shuffle among the others.

    Source: Good (2005), Permutation, parametric and bootstrap tests of hypotheses, chapter 3.
    """
    _, numbers = np.unique(values, return_inverse=True)
    counts = np.bincount(numbers)
    if counts.max() < 2:
        raise InputError("several stimuli of one value, to tell tuning from chance", got="one of each")
    design = np.eye(len(counts))[numbers] / np.sqrt(counts)[numbers][:, None]
    centred = responses - responses.mean(axis=0)
    total = np.square(centred).sum(axis=0)
    varies = total > 1e-20 * np.square(responses).sum(axis=0)
    explained = np.empty((1 + len(orders), responses.shape[1]))
    for i, order in enumerate([np.arange(len(values)), *orders]):
        between = np.square(design[order].T @ centred).sum(axis=0)
        explained[i] = np.where(varies, between / np.where(varies, total, 1), 0)
    n = len(explained)
    # Rank of each among all: the observed one and every shuffle are treated alike.
    rounded = np.round(explained, 12)
    ranks = np.stack([(rounded >= each).sum(axis=0) / n for each in rounded])
    ranks[:, ~varies] = 1
    tuned = (ranks <= 0.05).mean(axis=1)
    return explained[0], ranks[0], float(tuned[0]), tuned[1:]


def compare_contrast(clean: np.ndarray, averaged: np.ndarray) -> np.ndarray:
    """How much of the clean exposure's contrast averaged replicates keep, (n_units,): ratio of the curves' ranges.

    Parameters
    ----------
    clean, averaged : (n_values, n_units), float
        Tuning curves of the first exposure, and of the mean of all. NaN where the clean curve is flat.
    """
    before = np.ptp(clean, axis=0)
    flat = before <= 1e-12 * np.abs(clean).max(axis=0)
    return np.divide(np.ptp(averaged, axis=0), before, out=np.full(len(before), np.nan), where=~flat)
