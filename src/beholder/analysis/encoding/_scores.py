"""How well predictions fit: signed correlation, its error over stimuli, chance, corrected variance explained."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords

_ROUNDING = 1e-10
PUBLISHED_CONSTANT = 1e-8


def standardize(values: np.ndarray, scale: np.ndarray | None = None, constant: float | None = None) -> np.ndarray:
    """Columns centred and of length 1; 0 where they do not vary.

    Parameters
    ----------
    values : (n_stimuli, n_units), float
    scale : (n_units,), optional
        What variation is small against; default the largest value of each column.
    constant : float, optional
        A standard deviation up to which a column does not vary, instead.
    """
    centred = values - values.mean(axis=0, dtype=np.float64)
    norms = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    if constant is None:
        limit = _ROUNDING * (np.abs(values).max(axis=0) if scale is None else scale)
        varies = np.abs(centred).max(axis=0) > limit
    else:
        varies = norms / np.sqrt(len(values)) > constant
    return np.where(varies, centred / np.where(norms > 0, norms, 1), 0)


def correlate_columns(predicted: np.ndarray, measured: np.ndarray, constant: float | None = None) -> np.ndarray:
    """Pearson's r of each unit over stimuli, (n_units,); 0 where the prediction, NaN where the response is constant.

    Parameters
    ----------
    predicted, measured : (n_stimuli, n_units), float
    constant : float, optional
        A standard deviation up to which a prediction does not vary; default what rounding leaves.
    """
    size = np.abs(measured - measured.mean(axis=0)).max(axis=0)
    target = standardize(measured)
    r = np.einsum("ij,ij->j", standardize(predicted, size, constant), target)
    return np.where(target.any(axis=0), np.clip(r, -1, 1), np.nan)


@suggest_keywords
def correct_explained_variance(r: Any, reliability: Any, predicted_reliability: Any) -> np.ndarray:
    """Explained proportion of the explainable variance: r²/(reliability of responses · reliability of predictions).

    Values above 1 occur where reliabilities are low; they are kept.

    Parameters
    ----------
    r : (n_units,), float in [-1, 1]
    reliability, predicted_reliability : (n_units,), float above 0
        Of averaged responses, and of predictions made from the same runs: variances' shares, so that they divide r²,
        not r.

    Source: Spearman (1904), American Journal of Psychology 15, 72-101; Schoppe et al. (2016), Frontiers in
    Computational Neuroscience 10, 10; Feather et al. (2023), Nature Neuroscience 26.

    >>> round(float(correct_explained_variance(0.6, 0.5, 0.9)), 6)
    0.8
    """
    product = np.asarray(reliability, dtype=np.float64) * np.asarray(predicted_reliability, dtype=np.float64)
    squared = np.square(np.asarray(r, dtype=np.float64))
    return np.divide(squared, product, out=np.full(np.broadcast(squared, product).shape, np.nan), where=product > 0)
