"""CKA of all layers of one side with all of another, and without each stimulus, from sums over tiles of kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from beholder._core.errors import InputError
from beholder.activations import compute_gram

HELD_BYTES = 2**30
"""Kernels of both sides together that are held; above, tiles are computed from rows that are read in groups."""

_GROUP_BYTES = 512 * 2**20
_BLOCK_BYTES = 128 * 2**20
_TILE_BYTES = 64 * 2**20
_COLUMNS = 4096


@final
@dataclass(frozen=True, eq=False)
class AlignedSides:
    """CKA of every layer of one side with every layer of another.

    Attributes
    ----------
    values : (n_layers, n_others), float64
        NaN where one side does not vary.
    left_out : (n_layers, n_others, n_stimuli), float64
        The same without one stimulus.
    """

    values: np.ndarray
    left_out: np.ndarray


class Kernels(Protocol):
    """Inner products of stimuli, centred, of several sets of features."""

    n_sets: int
    n_stimuli: int

    def iter_tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Rows, columns and (n_sets, n_rows, n_columns); tiles above the diagonal stand for those below as well."""
        ...

    def multiply(self, place: int, vectors: np.ndarray) -> np.ndarray:
        """The kernel of one set times (n_stimuli, n_vectors)."""
        ...

    def get_diagonals(self) -> np.ndarray:
        """(n_sets, n_stimuli)."""
        ...


def read_kernel(layer: Any) -> np.ndarray:
    """Inner products of stimuli less their mean, of (n_stimuli, n_replicates, *features), which is read once."""
    return compute_gram(_flatten(layer) if isinstance(layer, np.ndarray) else layer)


@final
class HeldKernels:
    """Kernels in memory.

    Parameters
    ----------
    kernels : sequence of (n_stimuli, n_stimuli), float64
        As of :func:`read_kernel`.
    """

    def __init__(self, kernels: Sequence[np.ndarray]) -> None:
        self.kernels = list(kernels)
        self.n_sets, self.n_stimuli = len(self.kernels), len(self.kernels[0])

    def iter_tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Bands of whole rows."""
        step = max(1, _TILE_BYTES // (8 * self.n_sets * self.n_stimuli))
        for start in range(0, self.n_stimuli, step):
            rows = slice(start, min(start + step, self.n_stimuli))
            yield rows, slice(0, self.n_stimuli), np.stack([each[rows] for each in self.kernels])

    def multiply(self, place: int, vectors: np.ndarray) -> np.ndarray:
        """Of the kernel that is held."""
        return self.kernels[place] @ vectors

    def get_diagonals(self) -> np.ndarray:
        """Of those that are held."""
        return np.stack([each.diagonal() for each in self.kernels])


@final
class StreamedKernels:
    """Kernels that are never held: tiles of inner products of rows, read in groups that fit in memory.

    Parameters
    ----------
    sets : sequence of (n_stimuli, n_replicates, *features)
        Read when sliced, a few times.
    group_bytes, block_bytes, tile_bytes : int
        Rows that are held of all sets together, rows that they are compared with, and a tile of all sets.
    """

    def __init__(
        self, sets: Sequence[Any], group_bytes: int = _GROUP_BYTES, block_bytes: int = _BLOCK_BYTES,
        tile_bytes: int = _TILE_BYTES,
    ) -> None:  # fmt: skip
        self._sets = list(sets)
        self.n_sets, self.n_stimuli = len(sets), int(sets[0].shape[0])
        row_bytes = sum(8 * math.prod(int(size) for size in each.shape[2:]) for each in sets)
        self._group, self._block = max(1, group_bytes // row_bytes), max(1, block_bytes // row_bytes)
        self._tile = max(1, math.isqrt(tile_bytes // (8 * self.n_sets)))
        self._means = [self._average(each) for each in self._sets]
        self._diagonals = np.zeros((self.n_sets, self.n_stimuli))
        for place in range(self.n_sets):
            for rows, values in self._iter_blocks(place):
                self._diagonals[place, rows] = np.einsum("ij,ij->i", values, values, dtype=np.float64)
            if self._diagonals[place].max() <= 1e-28 * float(self._means[place] @ self._means[place]):
                self._diagonals[place] = 0

    def _average(self, layer: Any) -> np.ndarray:
        total = np.zeros(math.prod(int(size) for size in layer.shape[2:]))
        for start in range(0, self.n_stimuli, self._block):
            total += _flatten(layer[start : min(start + self._block, self.n_stimuli)]).sum(axis=0, dtype=np.float64)
        if not np.isfinite(total).all():
            raise InputError("finite features", got="NaN or infinite values")
        return total / self.n_stimuli

    def _read(self, place: int, rows: slice) -> np.ndarray:
        values = _flatten(self._sets[place][rows])
        return values - self._means[place].astype(values.dtype)

    def _iter_blocks(self, place: int) -> Iterator[tuple[slice, np.ndarray]]:
        for rows in _cut(0, self.n_stimuli, self._block):
            yield rows, self._read(place, rows)

    def iter_tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Tiles on and above the diagonal."""
        for group in _cut(0, self.n_stimuli, self._group):
            left = [self._read(place, group) for place in range(self.n_sets)]
            for rows in _cut(group.start, group.stop, self._tile):
                for columns in _cut(rows.start, group.stop, self._tile):
                    yield rows, columns, self._make_tile(left, left, rows, columns, group.start, group.start)
            for block in _cut(group.stop, self.n_stimuli, self._block):
                right = [self._read(place, block) for place in range(self.n_sets)]
                for rows in _cut(group.start, group.stop, self._tile):
                    for columns in _cut(block.start, block.stop, self._tile):
                        yield rows, columns, self._make_tile(left, right, rows, columns, group.start, block.start)

    def _make_tile(
        self, left: Sequence[np.ndarray], right: Sequence[np.ndarray], rows: slice, columns: slice, top: int, first: int
    ) -> np.ndarray:
        tile = np.zeros((self.n_sets, rows.stop - rows.start, columns.stop - columns.start))
        for place, (one, two) in enumerate(zip(left, right, strict=True)):
            if not self._diagonals[place].any():
                continue
            own = one[rows.start - top : rows.stop - top]
            other = two[columns.start - first : columns.stop - first]
            for part in _cut(0, own.shape[1], _COLUMNS):
                tile[place] += own[:, part] @ other[:, part].T
        return tile

    def multiply(self, place: int, vectors: np.ndarray) -> np.ndarray:
        """By way of the features: X (X' v)."""
        found = np.zeros(vectors.shape)
        if self._diagonals[place].any():
            weights: Any = 0.0
            for rows, values in self._iter_blocks(place):
                weights = weights + values.T.astype(np.float64) @ vectors[rows]
            for rows, values in self._iter_blocks(place):
                found[rows] = values.astype(np.float64) @ weights
        return found

    def get_diagonals(self) -> np.ndarray:
        """Squared lengths of rows."""
        return self._diagonals


def _flatten(block: Any) -> np.ndarray:
    """(n_rows, n_replicates, *features) as (n_rows, n_features), replicates averaged, single precision or double."""
    values = np.asarray(block)
    values = values[:, 0] if values.shape[1] == 1 else values.mean(axis=1, dtype=np.float64)
    kind = np.float32 if values.dtype in (np.float16, np.float32) else np.float64
    return values.reshape(len(values), -1).astype(kind, copy=False)


def _cut(start: int, stop: int, step: int) -> Iterator[slice]:
    for low in range(start, stop, step):
        yield slice(low, min(low + step, stop))


def align_sides(kernels: Kernels, n_layers: int, debiased: bool = True) -> AlignedSides:
    r"""CKA of the first sets with the others, with all stimuli and without each one.

    With T the sum of products of two kernels, S their sums and Q the product of their sums of rows, HSIC is in
    proportion to :math:`T + S_K S_L / ((n-1)(n-2)) - 2 Q / (n-2)` without diagonals (debiased), or
    :math:`T + S_K S_L / n^2 - 2 Q / n`. Leaving a stimulus out takes its row and column from each sum.

    Parameters
    ----------
    kernels : Kernels
        Of the layers of one side, then of the other.
    n_layers : int
        Sets that are of the first side; the others follow.
    debiased : bool

    Notes
    -----
    Source: Song et al. (2012), Feature selection via dependence maximization, JMLR 13, 1393-1434, equation 5.
    """
    n, n_sets = kernels.n_stimuli, kernels.n_sets
    if n < 4:
        raise InputError("four stimuli or more", got=f"{n}")
    first, second = slice(0, n_layers), slice(n_layers, n_sets)
    diagonals = kernels.get_diagonals()
    sums, own = np.zeros((n_sets, n)), np.zeros((n_sets, n))
    crossed = np.zeros((n_layers, n_sets - n_layers, n))
    for rows, columns, tile in kernels.iter_tiles():
        mirrored = [(columns, tile.transpose(0, 2, 1))] if columns.start >= rows.stop else []
        for stimuli, products in [(rows, tile), *mirrored]:
            sums[:, stimuli] += products.sum(axis=2)
            own[:, stimuli] += np.einsum("sij,sij->si", products, products)
            pairs = np.matmul(products[first].transpose(1, 0, 2), products[second].transpose(1, 2, 0))
            crossed[:, :, stimuli] += pairs.transpose(1, 2, 0)
    if debiased:
        sums, own = sums - diagonals, own - diagonals**2
        crossed -= diagonals[first][:, None] * diagonals[second][None]
    rest = np.zeros_like(diagonals) if debiased else diagonals

    def multiply(place: int, vectors: np.ndarray) -> np.ndarray:
        found = kernels.multiply(place, vectors.T).T
        return found - diagonals[place] * vectors if debiased else found

    turned = np.stack([multiply(place, sums[[place]])[0] for place in range(n_sets)])
    squares = _collect(own, sums, sums, turned, turned, rest, rest, debiased)
    values, left_out = np.full(crossed.shape[:2], math.nan), np.full(crossed.shape, math.nan)
    flat = squares[0] <= 1e-24 * np.maximum(kernels.get_diagonals().sum(axis=1) ** 2, 1e-300)
    by_other = [multiply(place, sums[first]) for place in range(n_layers, n_sets)]
    for layer in range(n_layers):
        by_layer = multiply(layer, sums[second])
        for place, other in enumerate(range(n_layers, n_sets)):
            if flat[layer] or flat[other]:
                continue
            whole, without = _collect(
                crossed[layer, place], sums[layer], sums[other], by_layer[place], by_other[place][layer], rest[layer],
                rest[other], debiased,
            )  # fmt: skip
            values[layer, place] = whole / math.sqrt(squares[0][layer] * squares[0][other])
            scale = squares[1][layer] * squares[1][other]
            left_out[layer, place] = without / np.sqrt(np.where(scale > 0, scale, math.nan))
    return AlignedSides(values, left_out)


def _collect(
    crossed: np.ndarray, sums_1: np.ndarray, sums_2: np.ndarray, turned_1: np.ndarray, turned_2: np.ndarray,
    diagonal_1: np.ndarray, diagonal_2: np.ndarray, debiased: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """HSIC, but for a factor, of all stimuli and without each: stimuli are the last axis.

    Parameters
    ----------
    crossed : (..., n_stimuli)
        Sums of products of the rows of two kernels.
    sums_1, sums_2 : (..., n_stimuli)
        Sums of rows.
    turned_1, turned_2 : (..., n_stimuli)
        Each kernel times the other's sums of rows.
    diagonal_1, diagonal_2 : (..., n_stimuli)
    """
    n = crossed.shape[-1]
    total, paired = crossed.sum(axis=-1), (sums_1 * sums_2).sum(axis=-1)
    whole_1, whole_2 = sums_1.sum(axis=-1), sums_2.sum(axis=-1)
    both = diagonal_1 * diagonal_2
    total_left = total[..., None] - 2 * crossed + both
    paired_left = paired[..., None] - sums_1 * sums_2 - turned_1 - turned_2 + crossed
    paired_left += diagonal_1 * sums_2 + diagonal_2 * sums_1 - both
    left_1, left_2 = whole_1[..., None] - 2 * sums_1 + diagonal_1, whole_2[..., None] - 2 * sums_2 + diagonal_2
    return (
        _estimate(total, whole_1 * whole_2, paired, n, debiased),
        _estimate(total_left, left_1 * left_2, paired_left, n - 1, debiased),
    )


def _estimate(total: Any, wholes: Any, paired: Any, n: int, debiased: bool) -> Any:
    """HSIC up to a factor that cancels in CKA."""
    if debiased:
        return total + wholes / ((n - 1) * (n - 2)) - 2 * paired / (n - 2)
    return total + wholes / n**2 - 2 * paired / n
