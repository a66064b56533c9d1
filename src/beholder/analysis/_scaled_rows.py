"""Rows of a layer that are scaled as they are read, so that a layer larger than memory is never held."""

from __future__ import annotations

import math
from typing import final

import numpy as np

from beholder._core.errors import InputError
from beholder.analysis._features import flatten_rows, read_features
from beholder.analysis._join import LayerRows
from beholder.statistics import iter_blocks


@final
class ScaledRows:
    """Rows less a mean, divided; read when sliced, in double precision.

    Parameters
    ----------
    layer : LayerRows
        (n_stimuli, n_replicates, *features); replicates are averaged.
    name : str
        For messages.
    mean, divisor : (n_features,), optional
    """

    def __init__(
        self, layer: LayerRows, name: str, mean: np.ndarray | None = None, divisor: np.ndarray | None = None
    ) -> None:
        self._layer, self.name = layer, name
        self.mean, self.divisor = mean, divisor
        self.shape: tuple[int, int] = (int(layer.shape[0]), math.prod(int(size) for size in layer.shape[2:]))

    def __getitem__(self, index: slice) -> np.ndarray:
        rows = flatten_rows(self._layer[index])
        if not np.isfinite(rows).all():
            raise InputError("finite activations", got=f"NaN or infinite values in {self.name}")
        if self.mean is not None and self.divisor is not None:
            rows -= self.mean
            rows /= self.divisor
        return rows


@final
class _AsLayer:
    """Rows with an axis of replicates, as :func:`read_features` takes them."""

    def __init__(self, rows: ScaledRows) -> None:
        self._rows = rows
        self.shape = (rows.shape[0], 1, rows.shape[1])
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, index: slice) -> np.ndarray:
        return self._rows[index][:, None]


def measure_scale(rows: ScaledRows, of: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature; of one that does not vary an infinite divisor.

    Parameters
    ----------
    rows : ScaledRows
        Read twice, block by block.
    of : str
        What the rows are, for the message where nothing varies.
    """
    mean = np.zeros(rows.shape[1])
    for _, block in iter_blocks(rows):
        mean += block.sum(axis=0) / rows.shape[0]
    squares, largest = np.zeros_like(mean), np.zeros_like(mean)
    for _, block in iter_blocks(rows):
        squares += np.square(block - mean).sum(axis=0) / rows.shape[0]
        largest = np.maximum(largest, np.abs(block).max(axis=0))
    spread = np.sqrt(squares)
    if not (spread > 1e-12 * largest).any():
        raise InputError(f"features that vary over {of}", got="rows that are all alike")
    return mean, np.where(spread > 1e-12 * largest, spread, np.inf)


def read_turned(rows: ScaledRows) -> np.ndarray:
    """Coordinates of rows, more features than rows turned onto the directions in which rows differ: (n_rows, n)."""
    return read_features(_AsLayer(rows), rows.name)
