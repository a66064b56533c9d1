"""One layer to all units of a participant: predictions of stimuli that the regression has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.analysis.encoding._ridge import fit_ridge, make_alphas
from beholder.analysis.encoding._scores import correlate_columns, standardize
from beholder.analysis.encoding._splits import Split

EncodeMethod = Literal["ridge", "pls"]
PLS_COMPONENTS = 25
_MOST_STEPS = 5000


@final
@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of one layer, split by split.

    Attributes
    ----------
    predicted : list of (n_test, n_units)
        Of each split.
    r : (n_splits, n_units), float in [-1, 1]
    by_run : list of (n_test, n_whole, n_runs), or None
        Predictions of models fitted to each run alone, split by split, for the units in ``whole``; None where responses
        were measured once.
    whole : (n_whole,), int
        Units of which no run is missing.
    training : (n_splits, n_units), float
        R² within the training stimuli, by leave-one-out; NaN for a method that has none.
    alphas : (n_splits, n_units), float
        NaN for a method without penalties.
    at_smallest, at_largest : float
        Proportion of units and splits with a penalty at an edge of the grid.
    """

    predicted: list[np.ndarray]
    r: np.ndarray
    by_run: list[np.ndarray] | None
    whole: np.ndarray
    training: np.ndarray
    alphas: np.ndarray
    at_smallest: float = 0.0
    at_largest: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class Procedure:
    """How responses are predicted and scored.

    Attributes
    ----------
    method : {"ridge", "pls"}
    alphas : tuple of float, optional
        Penalties of ridge; default a grid scaled to the features of each split's training stimuli.
    inner_folds : int, optional
        Folds by which the penalty is chosen; default leave-one-out.
    n_components : int
        Of PLS.
    reliability : str
        Method of :func:`beholder.statistics.compute_reliability` that corrects.
    constant : float, optional
        Standard deviation up to which a prediction counts as constant; default what rounding leaves.
    zero_center : bool
        Subtract the training stimuli's mean from responses first, which with an intercept changes rounding alone.
    """

    method: EncodeMethod = "ridge"
    alphas: tuple[float, ...] | None = None
    inner_folds: int | None = None
    n_components: int = PLS_COMPONENTS
    reliability: Any = "median-sb"
    constant: float | None = None
    zero_center: bool = False


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted regression: what it predicts, R² within its training stimuli, penalties, how many are at the edges."""

    predict: Callable[[np.ndarray], np.ndarray]
    training: np.ndarray
    alphas: np.ndarray
    edges: tuple[float, float]


def predict_splits(
    features: np.ndarray, responses: np.ndarray, runs: np.ndarray | None, splits: Sequence[Split], how: Procedure
) -> Predicted:
    """Fit each split's training stimuli, predict its test stimuli, and say how well.

    Parameters
    ----------
    features : (n_stimuli, n_features), float
    responses : (n_stimuli, n_units), float
        Averaged over runs; finite.
    runs : (n_stimuli, n_units, n_runs), float, optional
        Each run's own; units with a missing one are not corrected.
    splits : sequence of (train, test)
    how : Procedure

    Returns
    -------
    Predicted
    """
    n_units = responses.shape[1]
    whole = np.arange(0) if runs is None else np.flatnonzero(np.isfinite(runs).all(axis=(0, 2)))
    shape = (len(splits), n_units)
    r, training, alphas = np.empty(shape), np.empty(shape), np.empty(shape)
    predicted: list[np.ndarray] = []
    by_run: list[np.ndarray] = []
    edges: list[tuple[float, float]] = []
    for i, (train, test) in enumerate(splits):
        centre = responses[train].mean(axis=0) if how.zero_center else 0.0
        fitted = _fit(features[train], responses[train] - centre, how)
        found = fitted.predict(features[test])
        predicted.append(found + centre)
        r[i] = correlate_columns(found, responses[test] - centre, how.constant)
        training[i], alphas[i] = fitted.training, fitted.alphas
        edges.append(fitted.edges)
        if runs is not None and len(whole):
            by_run.append(_predict_runs(features, runs[:, whole], train, test, how))
    smallest, largest = np.mean(edges, axis=0)
    return Predicted(predicted, r, by_run or None, whole, training, alphas, float(smallest), float(largest))


def _predict_runs(
    features: np.ndarray, runs: np.ndarray, train: np.ndarray, test: np.ndarray, how: Procedure
) -> np.ndarray:
    """Predictions of models fitted to each run alone, (n_test, n_units, n_runs)."""
    n_units, n_runs = runs.shape[1:]
    targets = runs[train].reshape(len(train), -1)
    targets = targets - targets.mean(axis=0) if how.zero_center else targets
    if how.method == "pls":  # units share components, runs must not
        own = [_fit(features[train], targets[:, run::n_runs], how).predict(features[test]) for run in range(n_runs)]
        found = np.stack(own, axis=2).reshape(len(test), -1)
    else:
        found = _fit(features[train], targets, how).predict(features[test])
    if how.constant is not None:
        found = np.where(standardize(found, constant=how.constant).any(axis=0), found, found.mean(axis=0))
    return found.reshape(len(test), n_units, n_runs)


def _fit(features: np.ndarray, targets: np.ndarray, how: Procedure) -> Fitted:
    return _fit_ridge(features, targets, how) if how.method == "ridge" else fit_pls(features, targets, how.n_components)


def _fit_ridge(features: np.ndarray, targets: np.ndarray, how: Procedure) -> Fitted:
    alphas = make_alphas(features) if how.alphas is None else np.array(how.alphas)
    fit = fit_ridge(features, targets, alphas, how.inner_folds)
    return Fitted(fit.predict, fit.scores, fit.alphas, (fit.at_smallest, fit.at_largest))


def fit_pls(features: np.ndarray, targets: np.ndarray, n_components: int) -> Fitted:
    """Partial least squares of all targets together, features unscaled."""
    from sklearn import cross_decomposition  # pyright: ignore[reportMissingTypeStubs]

    most = min(len(features) - 1, features.shape[1])
    if n_components > most:
        raise InputError(
            f"at most {format_count(most, 'component')} of PLS for "
            f"{format_count(len(features), 'training stimulus')} and {features.shape[1]} features",
            got=f"{n_components}", hint=f"n_components={min(10, most)}",
        )  # fmt: skip
    library: Any = cross_decomposition
    model = library.PLSRegression(n_components=n_components, scale=False, max_iter=_MOST_STEPS)
    with warnings.catch_warnings():
        # Of two directions that covary equally with the targets either will do: noise has many such.
        warnings.filterwarnings("ignore", "Maximum number of iterations", category=UserWarning)
        model.fit(features, targets)
    nothing = np.full(targets.shape[1], np.nan)

    def predict(x: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict(x)).reshape(len(x), -1)

    return Fitted(predict, nothing, nothing, (0.0, 0.0))
