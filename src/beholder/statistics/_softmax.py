"""Multinomial logistic regression along a path of penalties, on rows that may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count

_BLOCK_BYTES = 2**27
_MOST_STEPS = 2000
_FINEST, _COARSEST = 1e-10, 1e-7


@final
@dataclass(frozen=True, eq=False)
class SoftmaxFit:
    """A linear read-out of classes.

    Attributes
    ----------
    weights : (n_classes, n_features), float64
    bias : (n_classes,), float64
    converged : bool
        False where the steps ran out.
    """

    weights: np.ndarray
    bias: np.ndarray
    converged: bool = True


@suggest_keywords
def fit_softmax(rows: Any, labels: np.ndarray, n_classes: int, c: float, start: SoftmaxFit | None = None) -> SoftmaxFit:
    r"""Multinomial logistic regression with an L2 penalty, the intercept without.

    Minimises :math:`C \sum_i -\log p_{y_i}(x_i) + \lVert W \rVert^2 / 2`; of two classes that of one weight vector, as
    scikit-learn's ``LogisticRegression`` does, whose coefficients it gives.

    Parameters
    ----------
    rows : (n_rows, n_features), float
        An array, or anything that is read when sliced; read block by block, once a step.
    labels : (n_rows,), int
        In [0, n_classes).
    n_classes : int
    c : float
        Inverse of the penalty's strength.
    start : SoftmaxFit, optional
        Where to begin, such as a fit with a neighbouring penalty.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fit = fit_softmax(x, np.array([0, 0, 1, 1]), 2, 1.0)
    >>> predict_scores(x, fit).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    from scipy import optimize

    library: Any = optimize
    n, n_features = int(rows.shape[0]), int(rows.shape[1])
    if not (c > 0 and np.isfinite(c)):
        raise InputError("a penalty C above 0", got=f"{c}")
    if len(labels) != n or n_classes < 2 or int(labels.max(initial=0)) >= n_classes:
        raise InputError(
            f"labels of {format_count(n, 'row')} and two classes or more", got=f"{len(labels)} of {n_classes}"
        )
    strength = (2.0 if n_classes == 2 else 1.0) / (c * n)

    def measure(flat: np.ndarray) -> tuple[float, np.ndarray]:
        whole = flat.reshape(n_classes, n_features + 1)
        weights = whole[:, :-1]
        gradient = np.zeros_like(whole)
        loss = 0.0
        for first, block in iter_blocks(rows):
            own = labels[first : first + len(block)]
            shares, total = _compute_shares(block @ weights.T + whole[:, -1], own)
            loss += total
            gradient[:, :-1] += shares.T @ block
            gradient[:, -1] += shares.sum(axis=0)
        gradient /= n
        gradient[:, :-1] += strength * weights
        return loss / n + strength * float(np.square(weights).sum()) / 2, gradient.ravel()

    begin = np.zeros((n_classes, n_features + 1))
    if start is not None:
        begin[:, :-1], begin[:, -1] = start.weights, start.bias
    fine = min(_COARSEST, max(_FINEST, 1e-5 * strength))  # the least curvature times how far weights may be off
    options = {"maxiter": _MOST_STEPS, "maxfun": 2 * _MOST_STEPS, "gtol": fine, "ftol": 0.0, "maxcor": 20}
    found: Any = library.minimize(measure, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    whole = np.asarray(found.x, dtype=np.float64).reshape(n_classes, n_features + 1)
    bias = whole[:, -1] - whole[:, -1].mean()  # a constant for all classes changes nothing
    return SoftmaxFit(np.ascontiguousarray(whole[:, :-1]), bias, int(found.status) != 1)


def _compute_shares(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Probabilities less what is right, and the summed loss; ``logits`` are written to."""
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(labels)), labels].copy()
    np.exp(logits, out=logits)
    sums = logits.sum(axis=1)
    logits /= sums[:, None]
    logits[np.arange(len(labels)), labels] -= 1
    return logits, float((np.log(sums) - right).sum())


@suggest_keywords
def iter_blocks(rows: Any) -> Iterator[tuple[int, np.ndarray]]:
    """First row and float64 values of each block of rows; an array in memory is one."""
    n, n_features = int(rows.shape[0]), int(rows.shape[1])
    in_memory = isinstance(cast(object, rows), np.ndarray)
    step = n if in_memory else max(1, _BLOCK_BYTES // (8 * max(1, n_features)))
    for first in range(0, n, step):
        yield first, np.asarray(rows[first : min(n, first + step)], dtype=np.float64)


@suggest_keywords
def predict_scores(rows: Any, fit: SoftmaxFit) -> np.ndarray:
    """Logits of rows, (n_rows, n_classes), float64; ``rows`` as in :func:`fit_softmax`."""
    return np.concatenate([block @ fit.weights.T + fit.bias for _, block in iter_blocks(rows)])


@suggest_keywords
def fit_softmax_path(
    rows: Any, labels: np.ndarray, n_classes: int, penalties: Sequence[float],
    score: Callable[[SoftmaxFit], float],
) -> tuple[SoftmaxFit, int, np.ndarray]:  # fmt: skip
    """Fit with each penalty, from the strongest on, each from where the last one ended; keep the best.

    Parameters
    ----------
    rows, labels, n_classes
        As for :func:`fit_softmax`.
    penalties : sequence of float
        Values of C.
    score : callable
        Of a fit, such as its accuracy on a validation part; the largest is kept, of equal ones the strongest penalty.

    Returns
    -------
    fit : SoftmaxFit
    place : int
        Of its penalty among ``penalties``.
    scores : (n_penalties,), float64
    """
    values = np.asarray(penalties, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scores = np.full(len(order), np.nan)
    best: tuple[SoftmaxFit, int] | None = None
    fit = None
    for place in order.tolist():
        fit = fit_softmax(rows, labels, n_classes, float(values[place]), fit)
        scores[place] = score(fit)
        if best is None or scores[place] > scores[best[1]]:
            best = fit, place
    if best is None:
        raise InputError("penalties to choose from", got="none")
    return *best, scores


@final
@dataclass(frozen=True)
class SgdRecipe:
    """How a linear read-out is trained by stochastic gradient descent.

    Attributes
    ----------
    n_epochs, batch_size : int
    lr : float
        Divided by 10 after each ``step`` epochs.
    step : int
    momentum, weight_decay : float
    clip : float or None
        Most that the gradient's norm may be.
    """

    n_epochs: int
    lr: float
    step: int
    batch_size: int = 256
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float | None = None


@suggest_keywords
def train_softmax(
    rows: Any, labels: np.ndarray, n_classes: int, recipe: SgdRecipe, generator: np.random.Generator
) -> SoftmaxFit:
    """Train a linear read-out by stochastic gradient descent with momentum, as PyTorch's optimiser counts it.

    Parameters
    ----------
    rows, labels, n_classes
        As for :func:`fit_softmax`; of what is not an array, the rows of a batch are read one by one.
    recipe : SgdRecipe
    generator : numpy.random.Generator
        Of the first weights (normal, deviation .01; bias 0) and of the order of each epoch.
    """
    n, n_features = int(rows.shape[0]), int(rows.shape[1])
    whole = np.zeros((n_classes, n_features + 1))
    whole[:, :-1] = generator.normal(scale=0.01, size=(n_classes, n_features))
    speed = np.zeros_like(whole)
    for epoch in range(recipe.n_epochs):
        lr = recipe.lr / 10 ** (epoch // recipe.step)
        order = generator.permutation(n)
        for first in range(0, n, recipe.batch_size):
            chosen = order[first : first + recipe.batch_size]
            block = _read_rows(rows, chosen)
            shares, _ = _compute_shares(block @ whole[:, :-1].T + whole[:, -1], labels[chosen])
            gradient = np.column_stack([shares.T @ block, shares.sum(axis=0)]) / len(chosen)
            if recipe.clip is not None:
                norm = float(np.linalg.norm(gradient))
                gradient *= min(1.0, recipe.clip / (norm + 1e-6))
            speed *= recipe.momentum
            speed += gradient + recipe.weight_decay * whole
            whole -= lr * speed
    return SoftmaxFit(np.ascontiguousarray(whole[:, :-1]), whole[:, -1].copy(), bool(np.isfinite(whole).all()))


def _read_rows(rows: Any, chosen: np.ndarray) -> np.ndarray:
    places: list[int] = chosen.tolist()
    if isinstance(cast(object, rows), np.ndarray):
        return rows[places]
    return np.concatenate([np.asarray(rows[row : row + 1], dtype=np.float64) for row in places])
