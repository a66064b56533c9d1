"""A map of stimuli in two dimensions from their dissimilarities."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.statistics._rdm_comparison import condense_rdm, count_stimuli


@suggest_keywords
def map_stimuli(rdm: Any) -> tuple[np.ndarray, float]:
    """Classical multidimensional scaling: places whose distances are as like the dissimilarities as a plane allows.

    Parameters
    ----------
    rdm : array, (n_stimuli, n_stimuli) or (n_pairs,)
        Finite dissimilarities.

    Returns
    -------
    places : (n_stimuli, 2)
        Along the two directions in which stimuli differ most, the first one first; signs so that each direction's
        largest coordinate is positive.
    proportion : float
        Of the stimuli's variance that the two directions hold.

    Notes
    -----
    Source: Torgerson, Psychometrika 17, 1952.

    Examples
    --------
    >>> places, proportion = map_stimuli([1.0, 2.0, 1.0])  # three points in a row
    >>> [round(float(x), 6) + 0.0 for x in abs(places[:, 0])], round(proportion, 6)
    ([1.0, 0.0, 1.0], 1.0)
    """
    pairs = condense_rdm(rdm)
    n = count_stimuli(len(pairs))
    squares = np.zeros((n, n))
    squares[np.triu_indices(n, 1)] = pairs**2
    squares += squares.T
    products = -0.5 * (squares - squares.mean(axis=0) - squares.mean(axis=1, keepdims=True) + squares.mean())
    sizes, directions = np.linalg.eigh(products)
    kept = np.maximum(sizes[::-1][:2], 0)
    places = directions[:, ::-1][:, :2] * np.sqrt(kept)
    if places.shape[1] < 2:
        places = np.hstack([places, np.zeros((n, 2 - places.shape[1]))])
    signs = np.sign(places[np.abs(places).argmax(axis=0), np.arange(2)])
    total = np.maximum(sizes, 0).sum()
    return places * np.where(signs == 0, 1, signs), float(kept.sum() / total) if total > 0 else 1.0
