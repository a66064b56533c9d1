"""Repeats of stimuli as rows with labels, as means, and pairs of some stimuli among those of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords


@suggest_keywords
def average_repeats(values: np.ndarray) -> np.ndarray:
    """Mean over repeats that are not missing: (n_stimuli, n_repeats, *features) to (n_stimuli, *features).

    NaN where all repeats are missing.
    """
    known = ~np.isnan(values)
    n_known = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1, dtype=np.float64)
    return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)


def list_repeats(values: Any, folds: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeats that are not missing as rows.

    Parameters
    ----------
    values : (n_stimuli, n_repeats, *features), float
        A repeat with a NaN in any feature is missing.
    folds : (n_repeats,) or (n_stimuli, n_repeats), optional
        The run of each repeat. Default a run of its own.

    Returns
    -------
    rows : (n_rows, n_features), float64
    stimuli : (n_rows,), int
    folds : (n_rows,)

    Raises
    ------
    InputError
        For values without repeats, or another number of folds.
    """
    array = np.asarray(values[0 : values.shape[0]], dtype=np.float64)
    if array.ndim < 3 or array.shape[1] < 2:
        raise InputError(
            "two repeats or more of each stimulus", got=f"values of shape {array.shape}",
            hint="--distance squared-euclidean, which needs none",
        )  # fmt: skip
    n_stimuli, n_repeats = array.shape[:2]
    labels = np.asarray(cast(Any, range(n_repeats) if folds is None else folds))
    if labels.shape not in ((n_repeats,), (n_stimuli, n_repeats)):
        raise InputError(f"a fold for each of {n_repeats} repeats", got=f"shape {labels.shape}")
    labels = np.broadcast_to(labels.astype(str), (n_stimuli, n_repeats)).reshape(-1)
    rows = array.reshape(n_stimuli * n_repeats, -1)
    known = ~np.isnan(rows).any(axis=1)
    stimuli = cast(Any, np.arange(n_stimuli))
    return rows[known], np.repeat(stimuli, n_repeats)[known], labels[known]


def place_pairs(places: np.ndarray, n_stimuli: int, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The condensed RDM of some stimuli among those of all: NaN for a pair with any other.

    Parameters
    ----------
    places : (n_some,), int
        Ascending; fewer than two have no pair, and nothing is computed.
    n_stimuli : int
    compute : callable
        Gives (n_some * (n_some - 1) / 2,).

    Examples
    --------
    >>> place_pairs(np.array([0, 2]), 3, lambda: np.array([0.5])).tolist()
    [nan, 0.5, nan]
    """
    if len(places) == n_stimuli:
        return compute()
    out = np.full(n_stimuli * (n_stimuli - 1) // 2, np.nan)
    if len(places) < 2:
        return out
    i, j = np.triu_indices(len(places), 1)
    rows, columns = places[i], places[j]
    out[rows * (2 * n_stimuli - rows - 1) // 2 + columns - rows - 1] = compute()
    return out
