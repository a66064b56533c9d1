"""Dissimilarities of all pairs of rows as one vector, tile by tile: no square matrix, no layer held whole."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.wording import format_count
from beholder.activations.formats._rows import LayerValues, Rows, as_rows, count_features, flatten_rows, with_replicates

logger = logging.getLogger("beholder")

CONDENSED_METHODS = ("correlation", "cosine", "euclidean", "squared-euclidean", "gaussian")
"""Distances between rows that :func:`compute_condensed_rdm` takes."""
FLOAT32_ROWS = 10_000
"""More rows than these have their dissimilarities in float32."""

_GROUP_BYTES = 512 * 2**20
_BLOCK_BYTES = 128 * 2**20
_TILE_ROWS = 1280
_PASS_VALUES = 2**18

_Lengths = np.ndarray | None


@suggest_keywords
def compute_condensed_rdm(F: Any, method: str = "correlation") -> np.ndarray:
    """Dissimilarity of every pair of rows, in the order of ``scipy.spatial.distance.pdist``.

    ``correlation`` and ``cosine``: 1 - similarity, the similarity clipped to [-1, 1]. ``euclidean``: D, the distance.
    ``squared-euclidean``: D² / n_features. ``gaussian``: 1 - exp(-D² / mean(D²)), the mean over all pairs in both
    orders, each row with itself among them.

    Parameters
    ----------
    F : array-like, (n, ...)
        An array or tensor, its axes after the first joined; or a store's layer, whose replicates are averaged. Rows are
        read in groups of 512 MB and never all held, unless they come in memory.
    method : {"correlation", "cosine", "euclidean", "squared-euclidean", "gaussian"}

    Returns
    -------
    ndarray, (n * (n - 1) / 2,)
        float64, or float32 above 10,000 rows. Correlation and cosine of float32 are computed in float32, distances in
        float64. Pairs with a row that has no direction (constant for correlation, zero for cosine) are NaN.

    Raises
    ------
    UnknownNameError
        For another method.
    InputError
        For fewer than two rows, or rows that are not finite.

    Notes
    -----
    Source: Kriegeskorte, Mur and Bandettini, Representational similarity analysis, Front. Syst. Neurosci. 2, 2008.

    Examples
    --------
    >>> compute_condensed_rdm(np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), "euclidean").round(3).tolist()
    [1.414, 2.0, 3.162]
    """
    if method not in CONDENSED_METHODS:
        raise UnknownNameError("dissimilarity method", method, CONDENSED_METHODS)
    values = as_rows(with_replicates(F))
    shape = tuple(int(size) for size in values.shape)
    if len(shape) < 2 or shape[0] < 2:
        raise InputError("at least two rows of features", got=f"shape {shape}")
    averaged = isinstance(values, LayerValues)
    n_features = math.prod(shape[2:] if averaged else shape[1:])
    by_angle = method in ("correlation", "cosine")
    shift = None if by_angle else _find_shift(values, averaged)

    lost: set[int] = set()

    def prepare(start: int, stop: int) -> tuple[np.ndarray, _Lengths]:
        rows = flatten_rows(np.asarray(values[start:stop]), averaged)
        with np.errstate(invalid="ignore", over="ignore"):
            if shift is not None:
                return _shift_rows(rows, start, shift)
            directions = _turn_to_directions(rows, start, method)
        lost.update((start + np.flatnonzero(np.isnan(directions[:, 0]))).tolist())
        return directions, None

    out = np.empty(shape[0] * (shape[0] - 1) // 2, np.float64 if shape[0] <= FLOAT32_ROWS else np.float32)
    _fill_pairs(out, shape[0], _plan_groups(values, by_angle), prepare)
    if lost:
        logger.warning("%d of %d rows have no direction: their %s is NaN", len(lost), shape[0], method)
    return _finish(out, method, n_features, shape[0])


@suggest_keywords
def compute_gram(F: Any) -> np.ndarray:
    r"""Inner products of every pair of rows less their mean row, :math:`K = H X X^\top H`.

    Parameters
    ----------
    F : array-like, (n, ...)
        As for :func:`compute_condensed_rdm`; read in groups of rows.

    Returns
    -------
    ndarray of float64, (n, n)
        Symmetric; rows and columns sum to 0; all 0 where rows differ by rounding only. Products of float32 are summed
        in float32 over 4,096 features at a time and in float64 over those.

    Raises
    ------
    InputError
        For fewer than two rows, or rows that are not finite.

    Examples
    --------
    >>> compute_gram(np.array([[1.0, 0.0], [3.0, 0.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    values = as_rows(with_replicates(F))
    if len(values.shape) < 2 or int(values.shape[0]) < 2:
        raise InputError("at least two rows of features", got=f"shape {tuple(values.shape)}")
    averaged = isinstance(values, LayerValues)
    shift, n_rows = _find_shift(values, averaged), int(values.shape[0])
    products = np.empty((n_rows, n_rows))
    groups = _plan_groups(values, directions=True)

    def read(start: int, stop: int) -> np.ndarray:
        rows = flatten_rows(np.asarray(values[start:stop]), averaged)
        with np.errstate(invalid="ignore"):
            shifted = rows - shift.astype(rows.dtype)
        if not np.isfinite(shifted).all():
            raise _refuse_rows(rows, start)
        return shifted

    for (start, stop), blocks in groups:
        left = read(start, stop)
        _multiply_columns(left, left, products[start:stop, start:stop])
        for low, high in blocks:
            part = products[start:stop, low:high]
            _multiply_columns(left, read(low, high), part)
            products[low:high, start:stop] = part.T
    if products.diagonal().max() <= 1e-28 * float(shift @ shift):
        products[:] = 0
    means = products.mean(axis=0)
    products -= means
    products -= (means - means.mean())[:, None]
    for i in range(n_rows):  # the last bits of the two halves differ
        products[i + 1 :, i] = products[i, i + 1 :]
    return products


_Groups = list[tuple[tuple[int, int], list[tuple[int, int]]]]


def _plan_groups(values: Rows, directions: bool) -> _Groups:
    """Rows that are held together, and for each of these groups the blocks of later rows that it is compared with."""
    n_rows, itemsize = int(values.shape[0]), np.dtype(values.dtype).itemsize
    row_bytes = count_features(values) * max(itemsize, 4 if directions and itemsize <= 4 else 8)
    group, block = max(1, _GROUP_BYTES // row_bytes), max(1, _BLOCK_BYTES // row_bytes)
    if isinstance(values, np.ndarray):
        group = max(group, -(-n_rows // 2))
    return [
        ((start, min(start + group, n_rows)), list(cut_rows(min(start + group, n_rows), n_rows, block)))
        for start in range(0, n_rows, group)
    ]


def cut_rows(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """Ends of blocks of so many rows; the last may be smaller."""
    for low in range(start, stop, step):
        yield low, min(low + step, stop)


def _find_shift(values: Rows, averaged: bool) -> np.ndarray:
    """A row near the mean one, float64: distances keep their digits where values are far from zero."""
    step = max(1, _BLOCK_BYTES // (8 * count_features(values)))
    with np.errstate(invalid="ignore"):
        rows = flatten_rows(np.asarray(values[0 : min(step, int(values.shape[0]))]), averaged)
        return rows.mean(axis=0, dtype=np.float64)


def _turn_to_directions(rows: np.ndarray, start: int, method: str) -> np.ndarray:
    """Rows of length 1, less their mean for correlation; NaN where there is no direction."""
    out = np.empty(rows.shape, rows.dtype)
    step = max(1, _PASS_VALUES // rows.shape[1])
    flat_below = (4 * np.finfo(rows.dtype).eps) ** 2 * rows.shape[1]
    for low, high in cut_rows(0, len(rows), step):
        part, turned = rows[low:high], out[low:high]
        if method == "correlation":
            means = part.mean(axis=1, dtype=np.float64)
            np.subtract(part, means.astype(rows.dtype)[:, None], out=turned)
            lost_below = flat_below * means**2
        else:
            turned[:] = part
            lost_below = np.zeros(len(part))
        squares = np.vecdot(turned, turned).astype(np.float64)
        if not np.isfinite(squares).all():
            turned[:] = part - part.mean(axis=1, keepdims=True) if method == "correlation" else part
            if not np.isfinite(part).all():
                raise _refuse_rows(part, start + low)
            squares = np.einsum("ij,ij->i", turned, turned, dtype=np.float64)
        lengths = np.sqrt(squares)
        lengths[squares <= lost_below] = np.nan
        turned *= (1 / lengths).astype(rows.dtype)[:, None]
    return out


def _shift_rows(rows: np.ndarray, start: int, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    out = rows - shift
    squares = np.vecdot(out, out)
    if not np.isfinite(squares).all():
        raise _refuse_rows(rows, start)
    return out, squares


def _refuse_rows(rows: np.ndarray, start: int) -> InputError:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    n_bad = int((~np.isfinite(rows)).sum())
    where = (
        f"in {format_count(len(bad), 'row')}, the first of them row {start + int(bad[0])}"
        if len(bad)
        else "after squaring"
    )
    return InputError("finite features", got=f"{format_count(n_bad, 'value')} that are NaN or infinite {where}")


def _multiply_columns(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    out[:] = 0
    for low, high in cut_rows(0, left.shape[1], 4096):
        out += left[:, low:high] @ right[:, low:high].T


def _fill_pairs(
    out: np.ndarray, n_rows: int, groups: _Groups, prepare: Callable[[int, int], tuple[np.ndarray, _Lengths]]
) -> None:
    """Similarities (rows of length 1) or squared distances (rows with their squared lengths) of all pairs."""
    room = np.empty(0)
    for (start, stop), blocks in groups:
        left, squares = prepare(start, stop)
        step = -(-len(left) // -(-len(left) // _TILE_ROWS))  # equal ones
        if len(room) < step * len(left):
            room = np.empty(step * len(left), left.dtype)
        for low, high in cut_rows(0, len(left), step):
            for first, last in ((low, high), (high, len(left))):  # rows with themselves cost half, as BLAS's syrk
                if first == last:
                    continue
                tile = room[: (high - low) * (last - first)].reshape(high - low, -1)
                np.matmul(left[low:high], left[first:last].T, out=tile)
                own = None if squares is None else (squares[low:high], squares[first:last])
                _write_tile(out, n_rows, tile, start + low, start + first, own)
        for low, high in blocks:
            right, other = prepare(low, high)
            for top, bottom in cut_rows(0, len(left), step):
                both = None if squares is None or other is None else (squares[top:bottom], other)
                _write_tile(out, n_rows, left[top:bottom] @ right.T, start + top, low, both)


def _write_tile(
    out: np.ndarray, n_rows: int, tile: np.ndarray, row: int, column: int, squares: tuple[np.ndarray, np.ndarray] | None
) -> None:
    for low, high in cut_rows(0, len(tile), max(1, _PASS_VALUES // tile.shape[1])):
        part = tile[low:high]
        if squares is None:
            np.clip(part, -1, 1, out=part)
            np.subtract(1, part, out=part)
        else:
            part *= -2
            part += squares[0][low:high, None]
            part += squares[1]
            np.maximum(part, 0, out=part)
        for i, values in enumerate(part, start=row + low):
            first = max(column, i + 1)
            place = i * (2 * n_rows - i - 1) // 2 + first - i - 1
            kept = values[first - column :]
            out[place : place + len(kept)] = kept


def _finish(out: np.ndarray, method: str, n_features: int, n_rows: int) -> np.ndarray:
    if method == "euclidean":
        return np.sqrt(out, out=out)
    if method == "squared-euclidean":
        out /= n_features
    if method == "gaussian":
        mean = 2 * float(out.sum(dtype=np.float64)) / n_rows**2
        out /= -mean if mean > 0 else -1
        np.expm1(out, out=out)
        np.negative(out, out=out)
    return out
