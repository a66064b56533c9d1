"""The singular directions of a matrix of features, from the smaller of its two products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

_ILL_CONDITIONED = 1e-8


@final
@dataclass(frozen=True, eq=False)
class Decomposition:
    """Centred features as ``left · √squares · axesᵀ``.

    Attributes
    ----------
    means : (n_features,), float
    left : (n_stimuli, n_directions), float
        Orthonormal columns, each of mean 0.
    squares : (n_directions,), float64
        Squared singular values, above what rounding leaves of 0.
    axes : (n_features, n_directions), float
        Orthonormal columns.
    """

    means: np.ndarray
    left: np.ndarray
    squares: np.ndarray
    axes: np.ndarray

    def project(self, targets: np.ndarray) -> np.ndarray:
        """Inner products with the left directions, (n_directions, n_targets), of centred targets."""
        return self.left.T @ targets

    def shrink(self, alphas: Any) -> np.ndarray:
        """s/(s² + α): (n_directions,) for one penalty, (n_directions, n_targets) for one a target."""
        penalties = np.asarray(alphas, dtype=np.float64)
        squares = self.squares if penalties.ndim == 0 else self.squares[:, None]
        return (np.sqrt(squares) / (squares + penalties)).astype(self.left.dtype)


def decompose(features: np.ndarray, smallest_penalty: float) -> Decomposition:
    """Decompose features, (n_stimuli, n_features).

    By the eigenvectors of X Xᵀ or Xᵀ X, whichever is smaller, in double precision; by X's own singular values where the
    products would lose directions that the smallest penalty leaves in.
    """
    means = features.mean(axis=0, dtype=np.float64).astype(features.dtype)
    centred = features - means
    n_stimuli, n_features = centred.shape
    is_wide = n_stimuli <= n_features
    products = (centred @ centred.T if is_wide else centred.T @ centred).astype(np.float64)
    squares, vectors = np.linalg.eigh(products)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    n_most = min(n_stimuli - 1, n_features)
    squares, vectors = squares[:n_most], vectors[:, :n_most]
    largest = float(squares[0])
    if largest > 0 and max(float(squares[-1]), 0.0) + smallest_penalty < _ILL_CONDITIONED * largest:
        return _decompose_exactly(centred, means, n_most)
    kept = squares > largest * max(centred.shape) * np.finfo(features.dtype).eps
    squares, vectors = squares[kept], vectors[:, kept].astype(features.dtype)
    roots = np.sqrt(squares).astype(features.dtype)
    if is_wide:
        return Decomposition(means, vectors, squares, centred.T @ vectors / roots)
    return Decomposition(means, centred @ vectors / roots, squares, vectors)


def _decompose_exactly(centred: np.ndarray, means: np.ndarray, n_most: int) -> Decomposition:
    left, values, right = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    kept = np.flatnonzero(values > values[0] * max(centred.shape) * np.finfo(centred.dtype).eps)[:n_most]
    kind = centred.dtype
    return Decomposition(means, left[:, kept].astype(kind), np.square(values[kept]), right[kept].T.astype(kind))
