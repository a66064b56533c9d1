"""Arrays read block by block: what the exports, the post-processing and the measures ask of their input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol, cast, final, runtime_checkable

import numpy as np

from beholder._core.errors import InputError

BLOCK_BYTES = 64 * 2**20
ROW_METHODS = ("correlation", "cosine", "euclidean")
"""How unlike two rows are, whatever the others."""


@runtime_checkable
class Rows(Protocol):
    """Anything with a shape and a dtype whose slices along the first axis are arrays."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes, rows first."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the numbers."""
        ...

    def __getitem__(self, index: Any) -> Any:
        """Rows of the array."""
        ...


@runtime_checkable
class LayerValues(Rows, Protocol):
    """One layer's activations: (n_stimuli, n_replicates, *features), with the stimuli's ids."""

    @property
    def stimulus_ids(self) -> Any:
        """One id a row."""
        ...


@runtime_checkable
class LayerFile(LayerValues, Protocol):
    """A store's layer, whose own shape has the axis of replicates only where there are several."""

    @property
    def with_replicates(self) -> LayerValues:
        """The same layer as (n_stimuli, n_replicates, *features), however many."""
        ...


def with_replicates(values: Any) -> Any:
    """A store's layer as (n_stimuli, n_replicates, *features); everything else as it is."""
    return values.with_replicates if isinstance(values, LayerFile) else values


@final
class RowView:
    """A layer's activations without their replicate axis when it is 1, and flat if asked for.

    Parameters
    ----------
    values : Rows, (n_stimuli, n_replicates, *features), or a store's layer
        Activations; read only when sliced.
    flatten : bool
        Join the feature axes into one, row-major.
    """

    def __init__(self, values: Rows, *, flatten: bool = False) -> None:
        values = with_replicates(values)
        shape = tuple(int(size) for size in values.shape)
        if len(shape) < 2:
            raise InputError("activations of shape (n_stimuli, n_replicates, *features)", got=f"shape {shape}")
        features = (math.prod(shape[2:]),) if flatten or len(shape) == 2 else shape[2:]
        self._values = values
        self.shape: tuple[int, ...] = (shape[0], *(() if shape[1] == 1 else shape[1:2]), *features)
        self.dtype = np.dtype(values.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice) -> np.ndarray:
        rows = np.asarray(self._values[index])
        return rows.reshape(rows.shape[0], *self.shape[1:])


def as_rows(features: Any) -> Rows:
    """``features`` themselves if they can be sliced by rows, else a numpy array of them (tensors, lists)."""
    if isinstance(features, np.ndarray):
        return cast(Rows, features)
    if isinstance(features, Rows) and isinstance(features[0:0], np.ndarray):
        return features
    return cast(Rows, np.asarray(features))


def count_features(values: Rows) -> int:
    """Numbers in one row."""
    return math.prod(int(size) for size in values.shape[1:])


def count_block_rows(values: Rows, max_bytes: int = BLOCK_BYTES) -> int:
    """Rows that fit ``max_bytes``, at least one; depends on nothing but the shape and the type."""
    row_bytes = max(1, count_features(values) * np.dtype(values.dtype).itemsize)
    return max(1, max_bytes // row_bytes)


def iter_row_blocks(values: Rows, max_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``(start, rows)`` from the first row to the last."""
    n_rows = int(values.shape[0])
    step = count_block_rows(values, max_bytes)
    for start in range(0, n_rows, step):
        yield start, np.asarray(values[start : min(start + step, n_rows)])


def flatten_rows(block: np.ndarray, averaged: bool) -> np.ndarray:
    """Rows of features, float32 or float64; a layer's replicates are averaged.

    Parameters
    ----------
    block : (n, ...) or, of a layer, (n, n_replicates, *features)
    averaged : bool
        The second axis is that of replicates.
    """
    if averaged:
        block = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float64)
    rows = block.reshape(len(block), -1)
    if rows.dtype.kind != "f":
        return rows.astype(np.float64)
    return rows.astype(np.float32) if rows.dtype == np.float16 else rows


def normalize_rows(rows: np.ndarray, method: str) -> np.ndarray:
    """Rows of length 1 for correlation and cosine (0 where there is no direction), else the rows, double."""
    if method in ("euclidean", "gaussian"):
        return rows.astype(np.float64)
    if method == "correlation":
        size = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        rows = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(rows.dtype)
        flat = np.abs(rows).max(axis=1, keepdims=True, initial=0) <= size * np.finfo(rows.dtype).eps * 4
        rows[flat[:, 0]] = 0
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))[:, None]
    return (rows / np.where(norms > 0, norms, 1)).astype(rows.dtype)
