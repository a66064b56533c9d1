"""A layer larger than memory, whose features are scaled by the training stimuli as it is read."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder.analysis._features import flatten_rows, read_features

_BLOCK_BYTES = 256 * 2**20


@final
class StreamedFeatures:
    """Features of a layer that is read in blocks of stimuli and never held.

    Parameters
    ----------
    layer : (n_stimuli, n_replicates, *features)
        Read when sliced.
    name : str
        What messages call it.
    """

    def __init__(self, layer: Any, name: str) -> None:
        self._layer, self._name = layer, name
        self._n = int(layer.shape[0])
        self._n_features = math.prod(int(size) for size in layer.shape[2:])
        self._step = max(1, _BLOCK_BYTES // (8 * self._n_features * max(1, int(layer.shape[1]))))

    def scale_by(self, train: np.ndarray) -> np.ndarray:
        """Coordinates of all stimuli, features divided by their standard deviation over the training stimuli.

        Turned onto the directions in which stimuli differ, so that they have the inner products of the scaled features;
        features that do not vary over the training stimuli are left out.

        Parameters
        ----------
        train : (n_train,), int

        Returns
        -------
        (n_stimuli, n), float64, n at most n_stimuli
        """
        center, spread, most = self._measure(train)
        kept = spread > 1e-12 * most
        if not kept.any():
            raise InputError("features that vary over the training stimuli", got="rows that are all alike")
        divisor = np.where(kept, spread, np.inf)
        return read_features(_ScaledRows(self._layer, center, divisor), self._name)

    def _measure(self, train: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, standard deviation and largest absolute value of each feature over the training stimuli, two passes."""
        total, most, squares = (np.zeros(self._n_features) for _ in range(3))
        for rows in self._iter_blocks(train):
            total += rows.sum(axis=0)
            np.maximum(most, np.abs(rows).max(axis=0), out=most)
        center = total / len(train)
        for rows in self._iter_blocks(train):
            squares += np.square(rows - center).sum(axis=0)
        return center, np.sqrt(squares / len(train)), most

    def _iter_blocks(self, train: np.ndarray) -> Any:
        chosen = np.zeros(self._n, dtype=bool)
        chosen[train] = True
        for start in range(0, self._n, self._step):
            mine = chosen[start : start + self._step]
            if mine.any():
                rows = flatten_rows(self._layer[start : min(self._n, start + self._step)])[mine]
                if not np.isfinite(rows).all():
                    raise InputError("finite activations", got=f"NaN or infinite values in {self._name}")
                yield rows


@final
class _ScaledRows:
    """A layer less its mean, divided by a number a feature; read when sliced."""

    def __init__(self, layer: Any, center: np.ndarray, divisor: np.ndarray) -> None:
        self._layer, self._center, self._divisor = layer, center, divisor
        self.shape: tuple[int, ...] = (int(layer.shape[0]), 1, len(center))
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, rows: slice) -> np.ndarray:
        values = flatten_rows(self._layer[rows])
        return ((values - self._center) / self._divisor)[:, None, :]
