"""Ridge regression of many targets at once: one decomposition for all targets and all penalties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count, format_share
from beholder.analysis.encoding._decomposition import Decomposition, decompose

_N_ALPHAS = 21
_DECADES = 5.0
_BLOCK_BYTES = 2 * 2**20
_EPS = float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A fitted ridge regression.

    Attributes
    ----------
    alphas : (n_targets,), float
        The penalty of each target.
    scores : (n_targets,), float
        Cross-validated R² of that penalty, 1 − Σ(y − ŷ)²/Σ(y − mean)², the mean that of the stimuli that ŷ was fitted
        to. Chosen as the best of several: too high to be reported. NaN for a constant target.
    intercepts : (n_targets,), float
        Mean of each target.
    means : (n_features,), float
        Mean of each feature.
    at_smallest, at_largest : float in [0, 1]
        Proportion of targets whose penalty is at that edge of the grid, or cannot be told from it.
    axes : (n_features, n_directions), float
    weights : (n_directions, n_targets), float
        ``axes @ weights`` are the coefficients.
    """

    alphas: np.ndarray
    scores: np.ndarray
    intercepts: np.ndarray
    means: np.ndarray
    at_smallest: float
    at_largest: float
    axes: np.ndarray
    weights: np.ndarray

    def __repr__(self) -> str:
        n_features, n_targets = len(self.axes), len(self.alphas)
        return (
            f"RidgeFit({format_count(n_features, 'feature')}, {format_count(n_targets, 'target')}, "
            f"median penalty {np.median(self.alphas):.3g})"
        )

    @property
    def coefficients(self) -> np.ndarray:
        """(n_features, n_targets), float."""
        return self.axes @ self.weights

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each edge of the grid at which a fifth of the targets or more have their penalty."""
        said: list[str] = []
        if self.at_smallest >= 0.2:
            said.append(
                f"{format_share(self.at_smallest)} of {format_count(len(self.alphas), 'target')} "
                "take the smallest penalty: smaller ones may fit "
                "better"
            )
        if self.at_largest >= 0.2:
            said.append(
                f"{format_share(self.at_largest)} of {format_count(len(self.alphas), 'target')} "
                "take the largest penalty: the features predict "
                "them hardly better than their mean does, or larger ones fit better"
            )
        return tuple(said)

    def predict(self, x: Any) -> np.ndarray:
        """Predicted targets, (n_stimuli, n_targets), for features x, (n_stimuli, n_features)."""
        features = check_matrix(x, "features")
        if features.shape[1] != len(self.means):
            raise InputError(f"{format_count(len(self.means), 'feature')}, as in the fit", got=f"{features.shape[1]}")
        return ((features - self.means) @ self.axes) @ self.weights + self.intercepts


@suggest_keywords
def make_alphas(x: Any, n_alphas: int = _N_ALPHAS) -> np.ndarray:
    """Penalties for features: evenly spaced in the logarithm, 10⁻⁵ to 10⁵ times their mean squared singular value.

    Parameters
    ----------
    x : (n_stimuli, n_features), float
    n_alphas : int

    Returns
    -------
    (n_alphas,), float64, ascending

    >>> make_alphas([[0.0, 1.0], [1.0, 0.0]], 3).round(5)
    array([1.e-05, 1.e+00, 1.e+05])
    """
    features = check_matrix(x, "features")
    total = float(np.square(features - features.mean(axis=0, dtype=np.float64)).sum(dtype=np.float64))
    n_directions = min(len(features) - 1, features.shape[1])
    if not total > 0:
        raise InputError("features that vary over stimuli", got="rows that are all alike")
    return total / n_directions * np.logspace(-_DECADES, _DECADES, n_alphas)


@suggest_keywords
def fit_ridge(
    x: Any,
    y: Any,
    alphas: Sequence[float] | np.ndarray | None = None,
    folds: int | Sequence[Any] | np.ndarray | None = None,
) -> RidgeFit:
    r"""Ridge regression with an intercept, the penalty of each target chosen by cross-validation.

    :math:`\hat w = (X^\top X + \alpha I)^{-1} X^\top y` of centred X and y, α the penalty whose squared error on
    stimuli left out is least. One decomposition, of the smaller of X Xᵀ and Xᵀ X, serves all penalties and targets.

    Parameters
    ----------
    x : (n_stimuli, n_features), float
        Finite. float32 is computed in float32 where y is float32 too.
    y : (n_stimuli, n_targets) or (n_stimuli,), float
        Finite.
    alphas : sequence of float, optional
        Penalties above 0; default :func:`make_alphas`.
    folds : int or (n_stimuli,), optional
        A number of runs of consecutive stimuli, or the fold of each stimulus. Default leave-one-out, in closed form.

    Returns
    -------
    RidgeFit

    Raises
    ------
    InputError
        Shapes that do not fit, values that are not finite, fewer than three stimuli, penalties not above 0.

    Notes
    -----
    Oracle: scikit-learn's ``RidgeCV(alpha_per_target=True)``. Leave-one-out errors are e/(1 − h) written without
    differences of large numbers, so that penalties as small as 1e-40 give the limit, not 0/0.

    Source: Hoerl & Kennard (1970), Technometrics 12, 55-67; Rifkin & Lippert (2007), MIT-CSAIL-TR-2007-025.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(1).normal(size=(50, 4))
    >>> fit = fit_ridge(x, x @ np.ones((4, 2)), alphas=[0.01, 1, 100], folds=None)
    >>> fit.alphas
    array([0.01, 0.01])
    """
    features, targets = check_matrix(x, "features"), check_matrix(y, "targets")
    if len(features) != len(targets):
        raise InputError("as many rows of features as of targets", got=f"{len(features)} and {len(targets)}")
    if len(features) < 3:
        raise InputError("at least three stimuli for a regression", got=f"{len(features)}")
    penalties = make_alphas(features) if alphas is None else np.asarray(alphas, dtype=np.float64).reshape(-1)
    if not len(penalties) or not (np.isfinite(penalties).all() and (penalties > 0).all()):
        raise InputError("penalties above 0", got="none" if not len(penalties) else f"{penalties.min():g}")
    kind = np.result_type(features.dtype, targets.dtype)
    features, targets = features.astype(kind, copy=False), targets.astype(kind, copy=False)
    whole = decompose(features, float(penalties.min()))
    used, place = tell_apart(penalties, whole)
    if folds is None:
        errors, spread = _leave_one_out(whole, targets, used)
    else:
        errors, spread = _cross_validate(features, targets, used, read_folds(folds, len(features)))
    best = errors.argmin(axis=0)
    return _make_fit(whole, targets, penalties[place], used, errors, spread, best)


def _make_fit(
    whole: Decomposition, targets: np.ndarray, named: np.ndarray, used: np.ndarray, errors: np.ndarray,
    spread: np.ndarray, best: np.ndarray,
) -> RidgeFit:  # fmt: skip
    chosen = named[best]
    means = targets.mean(axis=0, dtype=np.float64).astype(targets.dtype)
    flat = np.ptp(targets, axis=0) <= 1e-12 * np.abs(targets).max(axis=0)
    weights = whole.project(targets - means)
    weights *= whole.shrink(chosen)
    weights[:, flat] = 0
    usable = ~flat & (spread > 0)
    least = np.take_along_axis(errors, best[None], axis=0)[0]
    scores = 1 - np.divide(least, spread, out=np.full(len(best), np.nan), where=usable)
    several = usable & (len(used) > 1)
    n = max(1, int(usable.sum()))
    low, high = (float((several & (best == edge)).sum()) / n for edge in (used.argmin(), used.argmax()))
    return RidgeFit(chosen, scores, means, whole.means, low, high, whole.axes, weights)


def tell_apart(penalties: np.ndarray, whole: Decomposition) -> tuple[np.ndarray, np.ndarray]:
    """The penalties that floating point tells apart, in the order given, and the place of the first of each among all.

    A tie goes to the first, so that of penalties that give the same fit the one that was named first is chosen.
    """
    low, high = whole.squares.min(initial=np.inf) * _EPS, whole.squares.max(initial=0) / _EPS
    clipped = penalties if not len(whole.squares) else np.clip(penalties, low, high)
    place = np.sort(np.unique(clipped, return_index=True)[1])
    return clipped[place], place


def _iter_blocks(n_rows: int, targets: np.ndarray) -> Iterator[slice]:
    width = max(64, _BLOCK_BYTES // (n_rows * targets.itemsize))
    for start in range(0, targets.shape[1], width):
        yield slice(start, start + width)


def _leave_one_out(whole: Decomposition, targets: np.ndarray, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors, (n_alphas, n_targets), and those of the mean of the others, (n_targets,)."""
    n, left = len(targets), whole.left
    n_directions = left.shape[1]
    is_full = n_directions == n - 1
    beyond = np.zeros(n) if is_full else np.clip(1 - 1 / n - np.square(left).sum(axis=1, dtype=np.float64), 0, None)
    remains = alphas[:, None] / (whole.squares + alphas[:, None])
    leverages = beyond + remains @ np.square(left, dtype=np.float64).T
    # A stimulus that alone defines a direction tells nothing of itself at any penalty: its error is that of the mean.
    leverages = np.where(leverages > 0, leverages, 1)
    errors = np.empty((len(alphas), targets.shape[1]))
    spread = np.empty(targets.shape[1])
    for block in _iter_blocks(n, targets):
        centred = targets[:, block] - targets[:, block].mean(axis=0, dtype=np.float64).astype(targets.dtype)
        scores = left.T @ centred
        rest = None if is_full else centred - left @ scores
        for i in range(len(alphas)):
            part = (left * (remains[i] / leverages[i][:, None]).astype(left.dtype)) @ scores
            if rest is not None:
                part += rest / leverages[i][:, None].astype(left.dtype)
            errors[i, block] = np.einsum("ij,ij->j", part, part)
        spread[block] = np.einsum("ij,ij->j", centred, centred) * (n / (n - 1)) ** 2
    return errors, spread


def _cross_validate(
    features: np.ndarray, targets: np.ndarray, alphas: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.linalg import blas

    errors, spread = np.zeros((len(alphas), targets.shape[1])), np.zeros(targets.shape[1])
    library: Any = blas
    multiply = library.strmm if targets.dtype == np.float32 else library.dtrmm
    for fold in np.unique(folds):
        test = np.flatnonzero(folds == fold)
        train = np.flatnonzero(folds != fold)
        part = decompose(features[train], float(alphas.min()))
        seen = (features[test] - part.means) @ part.axes
        # Errors outside the span of the test features are the same for all penalties.
        is_tall = seen.shape[0] > seen.shape[1]
        basis, upper = np.linalg.qr(seen) if is_tall else (None, seen)
        shrinks = [np.asfortranarray(upper * part.shrink(alpha)) for alpha in alphas]
        for block in _iter_blocks(len(train), targets):
            means = targets[train, block].mean(axis=0, dtype=np.float64).astype(targets.dtype)
            scores = np.asfortranarray(part.project(targets[train, block] - means))
            wanted = targets[test, block] - means
            squares = np.einsum("ij,ij->j", wanted, wanted)
            spread[block] += squares
            if basis is not None:
                wanted = basis.T @ wanted
                errors[:, block] += np.clip(squares - np.einsum("ij,ij->j", wanted, wanted), 0, None)
            for i, shrunk in enumerate(shrinks):
                found: np.ndarray = multiply(1.0, shrunk, scores) if is_tall else shrunk @ scores
                found -= wanted
                errors[i, block] += np.einsum("ij,ij->j", found, found)
    return errors, spread


def read_folds(folds: int | Sequence[Any] | np.ndarray, n_stimuli: int) -> np.ndarray:
    """The number of each stimulus's fold, (n_stimuli,): an int cuts them into runs of consecutive stimuli."""
    if isinstance(folds, int | np.integer):
        if not 2 <= folds <= n_stimuli:
            raise InputError(
                f"2 to {format_count(n_stimuli, 'fold')} of {format_count(n_stimuli, 'stimulus')}", got=f"{folds}"
            )
        return np.concatenate(
            [np.full(len(part), i) for i, part in enumerate(np.array_split(np.arange(n_stimuli), folds))]
        )
    labels = np.asarray(folds)
    if labels.shape != (n_stimuli,):
        raise InputError(f"a fold for each of {format_count(n_stimuli, 'stimulus')}", got=f"shape {labels.shape}")
    numbers = np.unique(labels, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(numbers)
    if len(sizes) < 2 or n_stimuli - sizes.max() < 2:
        raise InputError("two folds or more, with two stimuli outside each", got=f"sizes {sizes.tolist()[:8]}")
    return numbers


def check_matrix(values: Any, what: str) -> np.ndarray:
    """A matrix of finite floats, a row a stimulus; one axis is one column."""
    array: np.ndarray = np.asarray(values)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise InputError(f"{what} of shape (n_stimuli, n)", got=f"shape {array.shape}")
    if array.dtype.name not in ("float32", "float64"):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    n_bad = int(array.size - np.isfinite(array).sum())
    if n_bad:
        raise InputError(
            f"finite {what}", got=f"{n_bad} of {format_count(array.size, 'value')} that are NaN or infinite"
        )
    return array
