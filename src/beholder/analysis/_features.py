"""A layer as a matrix of features that is never larger than stimuli by stimuli."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder.activations import compute_gram

IN_MEMORY_BYTES = 2**30


def read_features(layer: Any, name: str = "layer") -> np.ndarray:
    """Features of all stimuli, replicates averaged: (n_stimuli, n), n at most the number of stimuli.

    A layer with more features than stimuli is turned onto the directions in which its stimuli differ: coordinates with
    the same inner products between stimuli, so that every ridge regression, PLS without scaling and distance of it
    has the same result. Its inner products are computed block by block (:func:`beholder.activations.compute_gram`), in
    double precision, and the layer is never held.

    Parameters
    ----------
    layer : (n_stimuli, n_replicates, *features)
        Read when sliced.
    name : str
        What messages call it.

    Returns
    -------
    (n_stimuli, n), float64
        Centred where turned.

    Raises
    ------
    InputError
        Values that are not finite; stimuli that are all alike.
    """
    n_stimuli, n_features = int(layer.shape[0]), math.prod(int(size) for size in layer.shape[2:])
    if n_features <= n_stimuli:
        features = flatten_rows(layer[0:n_stimuli])
        _check(float(np.square(features - features.mean(axis=0)).sum()), name)
        return features
    products = compute_gram(_DoubleRows(layer, name))
    _check(float(np.trace(products)), name)
    squares, vectors = np.linalg.eigh(products)
    kept = squares > squares[-1] * n_stimuli * np.finfo(np.float64).eps
    return (vectors[:, kept] * np.sqrt(squares[kept]))[:, ::-1]


def _check(total: float, name: str) -> None:
    if not math.isfinite(total):
        raise InputError("finite activations", got=f"NaN or infinite values in {name}")
    if not total > 0:
        raise InputError("activations that differ between stimuli", got=f"{name}, where all stimuli are alike")


def flatten_rows(block: Any) -> np.ndarray:
    """Activations, (n_stimuli, n_replicates, *features), as (n_stimuli, n_features), float64: replicates averaged."""
    values = np.asarray(block)
    values = values[:, 0] if values.shape[1] == 1 else values.mean(axis=1, dtype=np.float64)
    return values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float64)


@final
class _DoubleRows:
    """A layer in double precision, read when sliced."""

    def __init__(self, layer: Any, name: str) -> None:
        self._layer, self._name = layer, name
        self.shape: tuple[int, ...] = tuple(int(size) for size in layer.shape)
        self.dtype = np.dtype(np.float64)
        self.stimulus_ids = tuple(map(str, range(self.shape[0])))

    def __getitem__(self, rows: slice) -> np.ndarray:
        values = np.asarray(self._layer[rows]).astype(np.float64)
        if not np.isfinite(values).all():
            raise InputError("finite activations", got=f"NaN or infinite values in {self._name}")
        return values
