"""RDMs of several models together: non-negative weights, and how well they do on other stimuli."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count

SCORES = ("spearman", "pearson")

_LEAST_STIMULI = 4


@final
@dataclass(frozen=True)
class Combination:
    """A weighted sum of model RDMs, and how well sums fitted to other stimuli predict.

    Attributes
    ----------
    weights : (n_models,), float
        0 or more, of all stimuli: for RDMs scaled to a standard deviation of 1.
    score : float
        Mean correlation with the target over pairs of held-out stimuli, the weights fitted without them.
    fixed_score : float
        The same of the unweighted sum of the scaled RDMs, on the same pairs.
    single_scores : (n_models,), float
        The same of each model alone.
    n_folds, n_repeats : int
        Splits of the stimuli.
    """

    weights: np.ndarray
    score: float
    fixed_score: float
    single_scores: np.ndarray
    n_folds: int
    n_repeats: int


@suggest_keywords
def combine_rdms(
    target: Any, models: Any, method: str = "spearman", n_folds: int = 5, n_repeats: int = 10, seed: int = DEFAULT_SEED
) -> Combination:
    r"""Predict an RDM by a weighted sum of others, :math:`\min_{w \geq 0, b} \| d - b - \sum_m w_m d_m \|^2`.

    Stimuli are dealt into folds. Weights are fitted to the pairs of stimuli that are both outside a fold and scored on
    the pairs that are both inside; pairs with one stimulus on either side are left out, since they would carry a
    held-out stimulus into the fit. Weights are not negative: a model must not be subtracted to explain a distance.

    Parameters
    ----------
    target : (n_pairs,), float
        Condensed; NaN pairs are left out.
    models : (n_models, n_pairs), float
    method : {"spearman", "pearson"}
        How predictions are scored.
    n_folds : int
        2 or more, each of four stimuli at least.
    n_repeats : int
        Ways of dealing stimuli into folds, whose scores are averaged.
    seed : int

    Raises
    ------
    InputError
        For shapes that do not fit, a model that does not vary, or too few stimuli for the folds.

    Notes
    -----
    Sources: Khaligh-Razavi and Kriegeskorte (2014), Deep supervised, but not unsupervised, models may explain IT
    cortical representation, PLoS Comput. Biol. 10; Jozwik et al. (2016), Visual features as stepping stones toward
    semantics, Neuropsychologia 83.

    Examples
    --------
    >>> rdms = np.random.default_rng(0).random((2, 190))
    >>> found = combine_rdms(rdms[0] + 2 * rdms[1], rdms, "pearson")
    >>> round(found.score, 3), round(float(found.weights[1] / found.weights[0]))
    (1.0, 2)
    """
    check_score(method)
    wanted, scaled, n_stimuli = prepare_rdms(target, models)
    check_folds(n_stimuli, n_folds, n_repeats)
    scores: list[np.ndarray] = []
    for train, test in iter_splits(n_stimuli, n_folds, n_repeats, seed):
        train, test = train[np.isfinite(wanted[train])], test[np.isfinite(wanted[test])]
        if len(train) < len(scaled) + 2 or len(test) < 3:
            raise InputError(
                "pairs enough on either side of every split",
                got=f"{len(train)} to fit {format_count(len(scaled), 'weight')} and {len(test)} to test",
                hint="fewer folds, or fewer missing pairs",
            )  # fmt: skip
        weights = fit_weights(wanted[train], scaled[:, train])
        predicted = np.vstack([weights @ scaled[:, test], scaled[:, test].sum(axis=0), scaled[:, test]])
        scores.append(np.array([correlate_rdms(wanted[test], each, method) for each in predicted]))
    means = np.mean(scores, axis=0)
    known = np.isfinite(wanted)
    weights = fit_weights(wanted[known], scaled[:, known])
    return Combination(weights, float(means[0]), float(means[1]), means[2:], n_folds, n_repeats)


def check_score(method: str) -> None:
    """Refuse a name that is no score."""
    if method not in SCORES:
        raise UnknownNameError("score", method, SCORES)


def check_folds(n_stimuli: int, n_folds: int, n_repeats: int) -> None:
    """Refuse folds of fewer than four stimuli."""
    if n_folds < 2 or n_repeats < 1 or n_stimuli // max(n_folds, 1) < _LEAST_STIMULI:
        raise InputError(
            f"2 folds or more of {_LEAST_STIMULI} stimuli at least",
            got=f"{format_count(n_folds, 'fold')} of {format_count(n_stimuli, 'stimulus')}, {n_repeats} times",
            hint=f"n_folds={max(2, n_stimuli // _LEAST_STIMULI)}" if n_stimuli >= 2 * _LEAST_STIMULI else None,
        )


def fit_weights(target: np.ndarray, models: np.ndarray) -> np.ndarray:
    """Non-negative least squares with a free intercept, from (n_pairs,) and (n_models, n_pairs)."""
    from scipy.optimize import nnls

    solve = cast(Any, nnls)
    centred = models - models.mean(axis=1, keepdims=True)
    wanted = target - target.mean()
    triangle = cast(Any, np.linalg.qr(np.column_stack([centred.T, wanted]), mode="r"))
    weights, _ = solve(triangle[: len(models), : len(models)], triangle[: len(models), -1])
    return np.asarray(weights, dtype=np.float64)


def prepare_rdms(target: Any, models: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Condensed RDMs as float64, models scaled to a standard deviation of 1, and the number of stimuli."""
    wanted = np.asarray(target, dtype=np.float64)
    several = np.atleast_2d(np.asarray(models, dtype=np.float64))
    if wanted.ndim != 1 or several.ndim != 2 or several.shape[1:] != wanted.shape:
        raise InputError(
            "a condensed RDM and models (n_models, n_pairs) of the same pairs",
            got=f"shapes {wanted.shape} and {several.shape}",
        )
    n_stimuli = round((1 + np.sqrt(1 + 8 * len(wanted))) / 2)
    if n_stimuli * (n_stimuli - 1) // 2 != len(wanted):
        raise InputError("as many pairs as some number of stimuli has", got=f"{len(wanted)}")
    wanted = np.where(np.isfinite(several).all(axis=0), wanted, np.nan)
    known = np.isfinite(wanted)
    if not known.any():
        raise InputError("pairs without NaN", got="none")
    spreads = several[:, known].std(axis=1)
    flat = np.flatnonzero(spreads <= 1e-12 * np.abs(several[:, known]).max(axis=1))
    if len(flat) or np.ptp(wanted[known]) == 0:
        raise InputError("RDMs that vary", got=f"model {flat[0]} constant" if len(flat) else "a constant target")
    return wanted, several / spreads[:, None], n_stimuli


def iter_splits(n_stimuli: int, n_folds: int, n_repeats: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs outside each fold of stimuli, and inside."""
    generator = make_generator(seed, "folds of stimuli")
    first, second = np.triu_indices(n_stimuli, 1)
    for _ in range(n_repeats):
        fold_of = generator.permutation(np.arange(n_stimuli) % n_folds)
        for fold in range(n_folds):
            inside = fold_of == fold
            yield np.flatnonzero(~inside[first] & ~inside[second]), np.flatnonzero(inside[first] & inside[second])


def correlate_rdms(wanted: np.ndarray, predicted: np.ndarray, method: str) -> float:
    """Of values or ranks; 0 where predictions do not vary, such as of weights that are all 0."""
    from beholder.activations import rank_values

    a, b = (rank_values(wanted), rank_values(predicted)) if method == "spearman" else (wanted, predicted)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0
