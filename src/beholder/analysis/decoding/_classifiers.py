"""Linear classifiers behind one form: fit to some rows, name the class of others; scaled and reduced within the fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final, get_args

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.wording import format_count

Classifier = Literal["centroid", "logistic", "svm", "lda"]
Predict = Callable[[np.ndarray], np.ndarray]

_MOST_STEPS = 1000


def check_classifier(name: str) -> None:
    """Refuse what is none."""
    if name not in get_args(Classifier):
        raise UnknownNameError("classifier", name, get_args(Classifier))


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """Training rows scaled and turned, and how others are.

    Attributes
    ----------
    rows : (n_rows, n), float
    turn : callable
        The same of other rows.
    """

    rows: np.ndarray
    turn: Callable[[np.ndarray], np.ndarray]


def prepare_rows(x: np.ndarray, *, scale: bool = True, n_components: int | None = None) -> Prepared:
    """Center, scale and reduce training rows, by what they alone say; labels have no part in it.

    Parameters
    ----------
    x : (n_rows, n_features), float
    scale : bool
        Divide features by their standard deviation; those that do not vary are left out.
    n_components : int, optional
        Principal components to keep. Without, more features than rows are turned onto the rows' own directions, outside
        of which none of the classifiers has a weight.
    """
    center, spread = x.mean(axis=0), x.std(axis=0)
    kept = np.flatnonzero(spread > 1e-12 * np.abs(x).max(axis=0, initial=0))
    if not len(kept):
        raise InputError("features that vary over the training stimuli", got="rows that are all alike")
    divisor = spread[kept] if scale else np.ones(len(kept))

    def turn(others: np.ndarray) -> np.ndarray:
        return (others[:, kept] - center[kept]) / divisor

    rows = turn(x)
    if n_components is None and len(kept) <= len(x):
        return Prepared(rows, turn)
    most = min(len(x) - 1, len(kept))
    if n_components is not None and not 1 <= n_components <= most:
        raise InputError(
            f"1 to {format_count(most, 'component')} of {format_count(len(x), 'training stimulus')}",
            got=f"{n_components}",
        )
    _, values, directions = np.linalg.svd(rows, full_matrices=False)
    axes = directions[: n_components or int((values > values[0] * 1e-10).sum())].T
    return Prepared(rows @ axes, lambda others: turn(others) @ axes)


def fit_classifier(rows: np.ndarray, labels: np.ndarray, classifier: Classifier) -> Predict:
    """Fit a classifier to prepared training rows.

    ============  ===============================================================================================
    classifier    what it is
    ============  ===============================================================================================
    ``centroid``  the class whose mean is nearest
    ``logistic``  multinomial logistic regression with an L2 penalty, C = 1, classes weighted equally
    ``svm``       linear support vector machine, C = 1, one against the rest, classes weighted equally
    ``lda``       linear discriminant analysis, covariance within classes shrunk by Ledoit and Wolf's formula
    ============  ===============================================================================================

    Parameters
    ----------
    rows : (n_rows, n), float
    labels : (n_rows,), int
    classifier : str

    Returns
    -------
    callable
        Classes of rows, (n_rows,), int.

    Source: scikit-learn, whose estimators these are; Ledoit & Wolf (2004), J. Multivariate Analysis 88, 365-411.
    """
    return _FITS[classifier](rows, labels)


def _fit_centroid(rows: np.ndarray, labels: np.ndarray) -> Predict:
    classes = np.unique(labels)
    means = np.stack([rows[labels == each].mean(axis=0) for each in classes])
    squares = np.square(means).sum(axis=1) / 2
    return lambda others: classes[(others @ means.T - squares).argmax(axis=1)]


def _fit_logistic(rows: np.ndarray, labels: np.ndarray) -> Predict:
    from sklearn import linear_model  # pyright: ignore[reportMissingTypeStubs]

    library: Any = linear_model
    return library.LogisticRegression(class_weight="balanced", max_iter=_MOST_STEPS).fit(rows, labels).predict


def _fit_svm(rows: np.ndarray, labels: np.ndarray) -> Predict:
    from sklearn import svm  # pyright: ignore[reportMissingTypeStubs]

    library: Any = svm
    model = library.LinearSVC(class_weight="balanced", dual=True, max_iter=20 * _MOST_STEPS, random_state=0)
    return model.fit(rows, labels).predict


def _fit_lda(rows: np.ndarray, labels: np.ndarray) -> Predict:
    from sklearn import covariance  # pyright: ignore[reportMissingTypeStubs]

    library: Any = covariance
    classes, numbers = np.unique(labels, return_inverse=True)
    means = np.stack([rows[numbers == each].mean(axis=0) for each in range(len(classes))])
    within, _ = library.ledoit_wolf(rows - means[numbers], assume_centered=True)
    weights: np.ndarray = np.linalg.solve(np.asarray(within, dtype=np.float64), means.T)
    offsets = np.einsum("cf,fc->c", means, weights) / 2
    return lambda others: classes[(others @ weights - offsets).argmax(axis=1)]


_FITS: dict[str, Callable[[np.ndarray, np.ndarray], Predict]] = {
    "centroid": _fit_centroid, "logistic": _fit_logistic, "svm": _fit_svm, "lda": _fit_lda,
}  # fmt: skip
