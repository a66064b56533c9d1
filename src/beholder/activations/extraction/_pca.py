"""Principal components of a matrix that is read by blocks of rows and never held.

Three ways, chosen by the shape alone:

* as many rows as columns or more: the covariance of the columns, one pass;
* fewer rows: the inner products of all pairs of rows, blocks against blocks;
* both above ``EXACT_LIMIT``: a random subspace, refined by passes over the rows (Halko, Martinsson
  and Tropp, Finding structure with randomness, SIAM Review 53, 2011, algorithms 4.4 and 5.3).

All sums are in double precision, about the mean of the first block, so that a large mean costs no
digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator

EXACT_LIMIT = 9600
COMPONENT_BYTES = 512 * 2**20
_POWER_PASSES = 4
_OVERSAMPLING = 16
_FIRST_WIDTH = 512

Blocks = Callable[[int], Iterator[np.ndarray]]
"""Starts a new pass: yields fresh float64 blocks of rows, in order, so many times the usual rows."""


@dataclass(frozen=True)
class Components:
    """A fitted PCA.

    Attributes
    ----------
    mean : ndarray, (n_features,)
        Mean row.
    axes : ndarray, (n_features, n_components), or None
        Orthonormal directions, largest variance first, the largest entry of each positive. None where
        they would be larger than the limit; the fitted rows' own scores are then in ``scores``.
    scores : ndarray, (n_rows, n_components), or None
        Coordinates of the fitted rows, the largest of each component positive; only where ``axes`` is None.
    variances : ndarray, (n_components,)
        Variance along each direction (over n_rows - 1).
    total : float
        Sum of all columns' variances.
    method : str
        ``covariance``, ``rows`` or ``randomized``.
    """

    mean: np.ndarray
    axes: np.ndarray | None
    scores: np.ndarray | None
    variances: np.ndarray
    total: float
    method: str

    @property
    def n_components(self) -> int:
        """Number of directions kept."""
        return len(self.variances)


def fit_components(
    blocks: Blocks, shape: tuple[int, int], *, variance: float | None, n_components: int | None, seed: int
) -> Components:
    """Fit a PCA.

    Parameters
    ----------
    blocks : callable
        Gives a new pass over the rows.
    shape : (n_rows, n_features)
    variance : float in (0, 1), optional
        Keep the fewest components that hold more than this proportion of the variance.
    n_components : int, optional
        Keep so many; wins over ``variance``.
    seed : int
        Only the randomized way uses it.

    Raises
    ------
    InputError
        When more components are asked for than there are, or nothing varies.
    """
    n_rows, n_features = shape
    most = min(n_rows, n_features)
    if n_rows < 2:
        raise InputError("at least 2 rows for a PCA", got=str(n_rows))
    if n_components is not None and not 1 <= n_components <= most:
        expected = f"between 1 and {most} components ({n_rows} rows, {n_features} columns)"
        raise InputError(expected, got=str(n_components))
    if variance is not None and not 0 < variance < 1:
        raise InputError("a proportion of variance between 0 and 1", got=str(variance))
    if most > EXACT_LIMIT:
        return _fit_randomized(blocks, shape, variance, n_components, seed)
    if n_features <= n_rows:
        return _fit_covariance(blocks, shape, variance, n_components)
    return _fit_rows(blocks, shape, variance, n_components)


def _choose_count(variances: np.ndarray, total: float, variance: float | None, n_components: int | None) -> int:
    if n_components is not None:
        return n_components
    if not total > 0:
        raise InputError("activations that vary", got="rows that are all alike, which have no principal components")
    proportion = 0.9 if variance is None else variance
    return min(int(np.searchsorted(np.cumsum(variances) / total, proportion, side="right")) + 1, len(variances))


def _decompose(matrix: np.ndarray, n_rows: int, variance: float | None, n_components: int | None) -> tuple:
    """Leading eigenvectors of a matrix given by its upper triangle, as many as are asked for."""
    from scipy.linalg import eigh

    total = float(np.trace(matrix)) / (n_rows - 1)
    size = len(matrix)
    if n_components is None:
        values = eigh(matrix, lower=False, eigvals_only=True)[::-1].clip(0) / (n_rows - 1)
        count = _choose_count(values, total, variance, None)
    else:
        count = n_components
    values, vectors = eigh(matrix, lower=False, subset_by_index=(size - count, size - 1), overwrite_a=True)
    return values[::-1].clip(0), np.ascontiguousarray(vectors[:, ::-1]), total


def _fit_covariance(
    blocks: Blocks, shape: tuple[int, int], variance: float | None, n_components: int | None
) -> Components:
    from scipy.linalg.blas import dsyrk

    n_rows, n_features = shape
    products = np.zeros((n_features, n_features), order="F")
    shift, total = np.zeros(n_features), np.zeros(n_features)
    for i, rows in enumerate(blocks(1)):
        if i == 0:
            shift = rows.mean(axis=0)
        rows -= shift
        total += rows.sum(axis=0)
        products = dsyrk(1.0, rows.T, beta=1.0, c=products, overwrite_c=1)
    for i in range(n_features):  # upper triangle, row by row: no second matrix
        products[i, i:] -= total[i] * total[i:] / n_rows
    values, axes, sum_of_variances = _decompose(products, n_rows, variance, n_components)
    return Components(
        shift + total / n_rows, _fix_signs(axes), None, values / (n_rows - 1), sum_of_variances, "covariance"
    )


def _fit_rows(blocks: Blocks, shape: tuple[int, int], variance: float | None, n_components: int | None) -> Components:
    n_rows, n_features = shape
    products = np.zeros((n_rows, n_rows))
    shift, total = np.zeros(n_features), np.zeros(n_features)
    start = 0
    for i, left in enumerate(blocks(4)):
        if i == 0:
            shift = left.mean(axis=0)
        left -= shift
        total += left.sum(axis=0)
        stop = start + len(left)
        products[start:stop, start:stop] = left @ left.T
        first = 0
        for right in blocks(1) if start else ():
            if first == start:
                break
            right -= shift
            products[start:stop, first : first + len(right)] = left @ right.T
            first += len(right)
        start = stop
    for i in range(n_rows):
        products[i, i + 1 :] = products[i + 1 :, i]
    means = products.mean(axis=0)
    products -= means
    products -= means[:, None]
    products += means.mean()
    values, vectors, sum_of_variances = _decompose(products, n_rows, variance, n_components)
    scale = np.sqrt(values)
    mean = shift + total / n_rows
    variances = values / (n_rows - 1)
    if n_features * len(values) * 8 > COMPONENT_BYTES:
        return Components(mean, None, _fix_signs(vectors * scale), variances, sum_of_variances, "rows")
    axes = np.zeros((n_features, len(values)))
    weights = vectors / np.where(scale > 0, scale, 1)
    start = 0
    for rows in blocks(1):
        rows -= mean
        axes += rows.T @ weights[start : start + len(rows)]
        start += len(rows)
    return Components(mean, _fix_signs(_complete_axes(axes, scale)), None, variances, sum_of_variances, "rows")


def _complete_axes(axes: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Make directions without variance orthonormal to the others too."""
    empty = scale <= scale[0] * 1e-10
    if not empty.any():
        return axes
    axes[:, empty] = np.eye(len(axes), int(empty.sum()))
    completed, upper = np.linalg.qr(axes)
    completed *= np.where(np.diag(upper) < 0, -1.0, 1.0)
    completed[:, ~empty] = axes[:, ~empty]
    return completed


def _fit_randomized(
    blocks: Blocks, shape: tuple[int, int], variance: float | None, n_components: int | None, seed: int
) -> Components:
    n_rows, n_features = shape
    shift, total, squares = np.zeros(n_features), np.zeros(n_features), 0.0
    for i, rows in enumerate(blocks(1)):
        if i == 0:
            shift = rows.mean(axis=0)
        rows -= shift
        total += rows.sum(axis=0)
        squares += float(np.vdot(rows, rows))
    mean = shift + total / n_rows
    sum_of_variances = (squares - float(total @ total) / n_rows) / (n_rows - 1)
    widest = min(n_rows, n_features, COMPONENT_BYTES // (8 * n_features))
    width = min(widest, _FIRST_WIDTH if n_components is None else n_components + _OVERSAMPLING)
    generator = make_generator(seed, "pca", n_rows, n_features)
    axes = np.linalg.qr(generator.standard_normal((n_features, width)))[0]
    while True:
        values, axes = _refine(blocks, mean, axes)
        variances = values.clip(0) / (n_rows - 1)
        count = _choose_count(variances, sum_of_variances, variance, n_components)
        if count <= width - _OVERSAMPLING or (n_components is not None and count <= width):
            break
        if width == widest:
            raise InputError(
                f"a PCA of at most {widest} components for {n_features} columns",
                got=f"{n_components}" if n_components else "a proportion of variance that needs more",
                hint=f"--reduce srp:{EXACT_LIMIT // 2} first, or --n_components with a smaller number",
            )
        more = generator.standard_normal((n_features, min(width, widest - width)))
        axes = np.linalg.qr(np.hstack([axes, more]))[0]
        width = axes.shape[1]
    return Components(mean, _fix_signs(axes[:, :count]), None, variances[:count], sum_of_variances, "randomized")


def _refine(blocks: Blocks, mean: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn ``axes`` towards the leading directions; eigenvalues and directions, largest first."""
    for _ in range(_POWER_PASSES):
        turned = np.zeros_like(axes)
        for rows in blocks(1):
            rows -= mean
            turned += rows.T @ (rows @ axes)
        axes = np.linalg.qr(turned)[0]
    products = np.zeros((axes.shape[1], axes.shape[1]))
    for rows in blocks(1):
        rows -= mean
        scores = rows @ axes
        products += scores.T @ scores
    values, vectors = np.linalg.eigh(products)
    return values[::-1], axes @ vectors[:, ::-1]


def _fix_signs(columns: np.ndarray) -> np.ndarray:
    """Make the entry of largest size in each column positive."""
    largest = columns[np.argmax(np.abs(columns), axis=0), np.arange(columns.shape[1])]
    return columns * np.where(largest < 0, -1.0, 1.0)
