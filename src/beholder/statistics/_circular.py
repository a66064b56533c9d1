"""Circular variables, such as orientation or time of day: differences, means, and bias towards a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator


@final
@dataclass(frozen=True)
class CircularBias:
    """How far decoded values are pulled towards a reference, or pushed away from it.

    Attributes
    ----------
    estimate, low, high : float
        Mean error towards the reference, in the variable's units, with the 95 % interval of drawing stimuli: above 0
        attraction, below 0 repulsion.
    p : float
        Two-sided, by flipping the signs of errors: of there being neither.
    n : int
        Stimuli that count: those whose reference is neither their own value nor opposite to it.
    error : float
        Mean absolute error of decoding over all stimuli, whatever its direction; chance is period / 4.
    """

    estimate: float
    low: float
    high: float
    p: float
    n: int
    error: float


@suggest_keywords
def wrap_difference(a: Any, b: Any, period: float) -> np.ndarray:
    """A - b around the circle, in [-period / 2, period / 2).

    >>> wrap_difference([170.0, 10.0], [10.0, 170.0], 180).tolist()
    [-20.0, 20.0]
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return (difference + period / 2) % period - period / 2


@suggest_keywords
def compute_circular_bias(
    decoded: Any, values: Any, references: Any, period: float, n_draws: int = 2000, seed: int = DEFAULT_SEED
) -> CircularBias:
    r"""Attraction or repulsion of a decoded circular variable: the mean error towards a reference.

    .. math:: \operatorname{mean}_i \; (\hat v_i - v_i) \cdot \operatorname{sign}(r_i - v_i)

    with differences taken around the circle. References are such as the orientation that came before or that surrounds.

    Parameters
    ----------
    decoded, values, references : (n_stimuli,), float
        What was decoded, what was shown, and what may attract or repel; NaN reference: not counted.
    period : float
        360 for directions, 180 for orientations, 24 for hours.
    n_draws, seed : int
        Of the interval and of p.

    Raises
    ------
    InputError
        For lengths that differ, a period that is not above 0, values that are not finite, or fewer than five stimuli
        that count.

    Notes
    -----
    A mean of signed errors is 0 where decoding is unbiased, however poor it is; a bias that grows and falls with the
    distance of the reference is averaged over the distances that were shown. Source: Fischer and Whitney (2014), Serial
    dependence in visual perception, Nature Neuroscience 17, 738-743.

    Examples
    --------
    >>> shown = np.arange(0.0, 180, 10)
    >>> found = compute_circular_bias(shown + 3, shown, shown + 20, period=180)
    >>> round(found.estimate, 6), found.n
    (3.0, 18)
    """
    given = [np.asarray(each, dtype=np.float64) for each in (decoded, values, references)]
    if given[0].ndim != 1 or any(each.shape != given[0].shape for each in given):
        raise InputError("three lists of one length", got=f"shapes {', '.join(str(each.shape) for each in given)}")
    if not period > 0 or not math.isfinite(period):
        raise InputError("a period above 0", got=f"{period}")
    if not (np.isfinite(given[0]).all() and np.isfinite(given[1]).all()):
        raise InputError("finite values", got="NaN among those decoded or shown")
    errors = wrap_difference(given[0], given[1], period)
    apart = wrap_difference(np.nan_to_num(given[2]), given[1], period)
    near = 1e-9 * period
    counted = np.isfinite(given[2]) & (np.abs(apart) > near) & (np.abs(apart) < period / 2 - near)
    n = int(counted.sum())
    if n < 5:
        raise InputError(
            "five stimuli or more whose reference is neither their own value nor opposite to it",
            got=f"{n} of {len(errors)}",
        )
    towards = errors[counted] * np.sign(apart[counted])
    drawn = make_generator(seed, "bias draws").integers(0, n, (n_draws, n))
    low, high = np.percentile(towards[drawn].mean(axis=1), (2.5, 97.5))
    signs = make_generator(seed, "bias signs").integers(0, 2, (n_draws, n)) * 2 - 1
    reached = int((np.abs((signs * towards).mean(axis=1)) >= abs(towards.mean()) - 1e-12 * period).sum())
    return CircularBias(
        float(towards.mean()), float(low), float(high), (1 + reached) / (1 + n_draws), n, float(np.abs(errors).mean())
    )


@suggest_keywords
def decode_circular(
    features: Any, values: Any, period: float, folds: Any, alpha: float = 1.0, left_out: Any = None
) -> np.ndarray:
    r"""Decode a circular variable from features of stimuli that the decoder has not seen.

    Ridge regression to cosine and sine of the variable, :math:`\hat v = \operatorname{atan2}(\hat s, \hat c)`. Features
    are centred and scaled by the training stimuli alone; the penalty is ``alpha`` times the mean eigenvalue of their
    kernel.

    Parameters
    ----------
    features : (n_stimuli, n_features), float
    values : (n_stimuli,) or (n_draws, n_stimuli), float
        In the units of ``period``; draws, such as values in other orders, are decoded each by itself.
    period : float
    folds : (n_stimuli,)
        Labels: stimuli of one fold are decoded by a decoder fitted to all others.
    alpha : float
        Above 0.
    left_out : (n_stimuli,), bool, optional
        Stimuli that are decoded and no decoder is fitted to.

    Returns
    -------
    ndarray of float64, of the values' shape
        In [0, period).

    Raises
    ------
    InputError
        For shapes that do not fit, values that are not finite, or a single fold.

    Examples
    --------
    >>> shown = np.arange(0.0, 360, 15)
    >>> features = np.cos(np.deg2rad(shown[:, None] - np.arange(0, 360, 45)))
    >>> found = decode_circular(features, shown, 360, np.arange(24) % 4, alpha=1e-3)
    >>> bool(np.abs(wrap_difference(found, shown, 360)).max() < 2)
    True
    """
    rows, shown, labels = (
        np.asarray(features, dtype=np.float64),
        np.asarray(values, dtype=np.float64),
        np.asarray(folds),
    )
    rows = rows.reshape(len(rows), -1) if rows.ndim > 1 else rows
    fitted = np.ones(len(rows), dtype=bool) if left_out is None else ~np.asarray(left_out, dtype=bool)
    right = shown.ndim in (1, 2) and shown.shape[-1:] == labels.shape == fitted.shape == (len(rows),)
    if rows.ndim != 2 or not right:
        raise InputError(
            "features (n_stimuli, n_features) with a value and a fold each",
            got=f"shapes {rows.shape}, {shown.shape} and {labels.shape}",
        )
    if not (np.isfinite(rows).all() and np.isfinite(shown).all()) or not period > 0 or not alpha > 0:
        raise InputError("finite features and values, a period and an alpha above 0", got="others")
    if len(np.unique(labels)) < 2:
        raise InputError("two folds or more", got="1")
    angles = np.atleast_2d(shown).T * (2 * math.pi / period)
    n_draws = angles.shape[1]
    targets = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    decoded = np.empty((len(rows), 2 * n_draws))
    for label in np.unique(labels):
        test = labels == label
        decoded[test] = _predict(rows[~test & fitted], targets[~test & fitted], rows[test], alpha)
    found = np.arctan2(decoded[:, n_draws:], decoded[:, :n_draws]).T * (period / (2 * math.pi)) % period
    return found.reshape(shown.shape)


def _predict(train: np.ndarray, targets: np.ndarray, test: np.ndarray, alpha: float) -> np.ndarray:
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(mean), spread, np.inf)
    train, test = (train - mean) / spread, (test - mean) / spread
    kernel = train @ train.T
    kernel[np.diag_indices(len(kernel))] += alpha * max(kernel.trace() / len(kernel), 1e-300)
    centre = targets.mean(axis=0)
    weights = cast(np.ndarray, np.linalg.solve(kernel, targets - centre))
    return test @ train.T @ weights + centre
