"""A layer as a matrix of features that is never larger than stimuli by stimuli."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from beholder._core.errors import InputError

IN_MEMORY_BYTES = 2**30
_BLOCK_BYTES = 128 * 2**20
_COLUMNS = 8192


def read_features(layer: Any, name: str = "layer", max_bytes: int = IN_MEMORY_BYTES) -> np.ndarray:
    """Features of all stimuli, replicates averaged: (n_stimuli, n), n at most the number of stimuli.

    A layer with more features than stimuli is turned onto the directions in which its stimuli differ: coordinates with
    the same inner products between stimuli, so that every ridge regression, PLS without scaling and distance of it
    has the same result. Its inner products are summed over blocks where it is larger than ``max_bytes``, and the layer
    is never held.

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
    if 8 * n_stimuli * n_features <= max_bytes:
        whole = flatten_rows(layer[0:n_stimuli])
        products = _multiply(whole - whole.mean(axis=0))
    else:
        products = _multiply_blocks(layer, n_stimuli, max(1, _BLOCK_BYTES // (8 * n_features)))
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
    return values.reshape(len(values), -1).astype(np.float64)


def _multiply(rows: np.ndarray) -> np.ndarray:
    products = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], _COLUMNS):
        part = rows[:, start : start + _COLUMNS]
        products += part @ part.T
    return products


def _multiply_blocks(layer: Any, n_stimuli: int, step: int) -> np.ndarray:
    """Inner products of rows about their mean, four blocks of rows against one at a time."""
    shift = flatten_rows(layer[0 : min(step, n_stimuli)]).mean(axis=0)

    def read(start: int) -> np.ndarray:
        return flatten_rows(layer[start : min(start + step, n_stimuli)]) - shift

    products = np.zeros((n_stimuli, n_stimuli))
    for first in range(0, n_stimuli, 4 * step):
        left = np.concatenate([read(start) for start in range(first, min(first + 4 * step, n_stimuli), step)])
        last = first + len(left)
        products[first:last, first:last] = left @ left.T
        for start in range(0, first, step):
            part = left @ read(start).T
            products[first:last, start : start + part.shape[1]] = part
            products[start : start + part.shape[1], first:last] = part.T
    means = products.mean(axis=0)
    products -= means
    products -= means[:, None]
    products += means.mean()
    return products
