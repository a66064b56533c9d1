"""Dissimilarities between stimuli, their comparison, and sparsity."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.activations.formats._rows import (
    ROW_METHODS,
    LayerValues,
    Rows,
    as_rows,
    count_block_rows,
    flatten_rows,
    iter_row_blocks,
    normalize_rows,
    with_replicates,
)
from beholder.activations.similarity._condensed import cut_rows

logger = logging.getLogger("beholder")

METHODS = (*ROW_METHODS, "gaussian")

_IN_MEMORY_BYTES = 512 * 2**20
_COLUMN_BYTES = 32 * 2**20
_BLOCK_BYTES = 128 * 2**20


@suggest_keywords
def compute_rdm(F: Any, method: str = "correlation") -> np.ndarray:
    """Dissimilarity of every pair of rows.

    ``correlation`` and ``cosine``: 1 - similarity, the similarity clipped to [-1, 1].
    ``euclidean``: D, the distance. ``gaussian``: 1 - exp(-D^2 / mean(D^2)), the mean over all pairs in
    both orders, each row with itself among them.

    Parameters
    ----------
    F : array-like, (n, ...)
        An array or tensor, its axes after the first joined; or a store's layer, whose replicates are
        averaged. A layer above 512 MB is read block by block and never held.
    method : {"correlation", "cosine", "euclidean", "gaussian"}

    Returns
    -------
    ndarray of float64, (n, n)
        Symmetric, zeros on the diagonal. Correlation and cosine of float32 are computed in float32.
        Pairs with a row that has no direction (constant for correlation, zero for cosine) are NaN.

    Raises
    ------
    UnknownNameError
        For another method.
    InputError
        For fewer than two rows.

    Notes
    -----
    Source: Kriegeskorte, Mur and Bandettini, Representational similarity analysis, Front. Syst.
    Neurosci. 2, 2008.

    Examples
    --------
    >>> compute_rdm(np.array([[1.0, 0.0], [0.0, 1.0]]), "cosine")
    array([[0., 1.],
           [1., 0.]])
    """
    _check_method(method)
    values = as_rows(with_replicates(F))
    shape = tuple(int(size) for size in values.shape)
    if len(shape) < 2 or shape[0] < 2:
        raise InputError("at least two rows of features", got=f"shape {shape}")
    averaged = isinstance(values, LayerValues)
    n_features = math.prod(shape[2:] if averaged else shape[1:])
    if shape[0] * n_features * np.dtype(values.dtype).itemsize <= _IN_MEMORY_BYTES:
        rows = flatten_rows(np.asarray(values[0 : shape[0]]), averaged)
        return _finish(*_multiply_rows(rows, method), method)
    return _finish(*_multiply_blocks(values, averaged, method), method)


@suggest_keywords
def compute_rdm_from_blocks(blocks: Iterable[np.ndarray], method: str = "correlation") -> np.ndarray:
    """The same from a matrix that comes in blocks of columns.

    Parameters
    ----------
    blocks : iterable of ndarray, (n, n_columns)
        All rows of some columns at a time.
    method : str
        As for :func:`compute_rdm`.

    Returns
    -------
    ndarray of float64, (n, n)
    """
    _check_method(method)
    products: Any = 0.0
    sums: Any = 0.0
    n_columns = 0
    for block in blocks:
        block = np.asarray(block, dtype=np.float64)
        products += block @ block.T
        sums += block.sum(axis=1)
        n_columns += block.shape[1]
    if n_columns == 0 or len(products) < 2:
        raise InputError("blocks of at least two rows", got="none")
    squares = products.diagonal().copy()
    if method == "correlation":
        products -= np.outer(sums, sums) / n_columns
        squares_centred = products.diagonal().copy()
        squares_centred[squares_centred <= squares * 1e-13] = 0
        squares = squares_centred
    return _finish(products, squares, method)


@suggest_keywords
def correlate_rdms(rdm_1: np.ndarray, rdm_2: np.ndarray, correlation: str = "pearson") -> float:
    """Correlation of two dissimilarity matrices over their strict upper triangles.

    Parameters
    ----------
    rdm_1, rdm_2 : ndarray, (n, n)
        At least three rows; only entries above the diagonal are read.
    correlation : {"pearson", "spearman"}

    Returns
    -------
    float
        NaN where one triangle is constant or holds a NaN.

    Raises
    ------
    InputError
        When the shapes are not square and equal.

    Examples
    --------
    >>> import numpy as np
    >>> rdm = compute_rdm(np.random.default_rng(0).normal(size=(5, 20)))
    >>> round(correlate_rdms(rdm, rdm**2, "spearman"), 6)
    1.0
    """
    if correlation not in ("pearson", "spearman"):
        raise UnknownNameError("correlation", correlation, ("pearson", "spearman"))
    first, second = np.asarray(rdm_1), np.asarray(rdm_2)
    if first.shape != second.shape or first.ndim != 2 or first.shape[0] != first.shape[1] or len(first) < 3:
        raise InputError("two square matrices of one size, 3 or more", got=f"{first.shape} and {second.shape}")
    above = np.triu_indices(len(first), 1)
    a, b = first[above].astype(np.float64), second[above].astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return math.nan
    if correlation == "spearman":
        from scipy.stats import rankdata

        a, b = rankdata(a), rankdata(b)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(np.clip(a @ b / scale, -1, 1)) if scale > 0 else math.nan


@suggest_keywords
def sparsity(A: Any) -> float:
    """Proportion of values that are zero or negative.

    Parameters
    ----------
    A : array-like
        Read block by block.

    Examples
    --------
    >>> sparsity(np.array([0.0, -1.0, 2.0, 3.0]))
    0.5
    """
    values = as_rows(A)
    size = math.prod(int(n) for n in values.shape)
    if size == 0:
        raise InputError("at least one value", got=f"shape {tuple(values.shape)}")
    return sum(int(np.count_nonzero(rows <= 0)) for _, rows in iter_row_blocks(values)) / size


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise UnknownNameError("dissimilarity method", method, METHODS)


def _multiply_rows(rows: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    if method in ("correlation", "cosine"):
        normalized = normalize_rows(rows, method)
        has_direction: Any = normalized.any(axis=1)
        return (normalized @ normalized.T).astype(np.float64), has_direction.astype(np.float64)
    shift = rows.mean(axis=0, dtype=np.float64)
    products: Any = np.zeros((len(rows), len(rows)))
    step = max(1, _COLUMN_BYTES // (8 * len(rows)))
    for start in range(0, rows.shape[1], step):
        part = rows[:, start : start + step] - shift[start : start + step]
        products += part @ part.T
    return products, products.diagonal().copy()


def _multiply_blocks(values: Rows, averaged: bool, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Inner products of all pairs of rows, blocks of rows against blocks of rows."""
    n_rows = int(values.shape[0])
    products, squares = np.zeros((n_rows, n_rows)), np.zeros(n_rows)
    step = count_block_rows(values, _BLOCK_BYTES)
    shift = flatten_rows(np.asarray(values[0:step]), averaged).mean(axis=0, dtype=np.float64)

    def read(start: int, stop: int) -> np.ndarray:
        rows = normalize_rows(flatten_rows(np.asarray(values[start:stop]), averaged), method)
        return rows - shift if method in ("euclidean", "gaussian") else rows

    for start in range(0, n_rows, 4 * step):
        left = np.concatenate([read(a, b) for a, b in cut_rows(start, min(start + 4 * step, n_rows), step)])
        stop = start + len(left)
        products[start:stop, start:stop] = left @ left.T
        squares[start:stop] = products.diagonal()[start:stop]
        if method in ("correlation", "cosine"):
            squares[start:stop] = left.any(axis=1)
        for a, b in cut_rows(0, start, step):
            part = left @ read(a, b).T
            products[start:stop, a:b] = part
            products[a:b, start:stop] = part.T
    return products, squares


def _finish(products: np.ndarray, squares: np.ndarray, method: str) -> np.ndarray:
    """From inner products and squared lengths to dissimilarities, in place."""
    if method in ("correlation", "cosine"):
        lost = squares <= 0
        norms = np.sqrt(np.where(lost, 1, squares))
        products /= norms
        products /= norms[:, None]
        np.clip(products, -1, 1, out=products)
        np.subtract(1, products, out=products)
        if lost.any():
            logger.warning("%d of %d rows have no direction: their %s is NaN", lost.sum(), len(lost), method)
            products[lost] = np.nan
            products[:, lost] = np.nan
    else:
        products *= -2
        products += squares
        products += squares[:, None]
        np.maximum(products, 0, out=products)
        np.fill_diagonal(products, 0)
        if method == "euclidean":
            np.sqrt(products, out=products)
        else:
            mean = products.mean()
            products /= -mean if mean > 0 else -1
            np.expm1(products, out=products)
            np.negative(products, out=products)
    np.fill_diagonal(products, 0)
    for i in range(len(products)):  # the last bits of the two halves differ
        products[i + 1 :, i] = products[i, i + 1 :]
    return products
