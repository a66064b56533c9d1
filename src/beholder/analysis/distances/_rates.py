"""How unlike rates are, such as those of spiking neurons."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.analysis.distances._registry import DISTANCES, Distance
from beholder.analysis.distances._repeats import average_repeats, place_pairs


@suggest_keywords
def compute_poisson_rdm(values: Any) -> np.ndarray:
    r"""Symmetric Kullback-Leibler divergence of Poisson rates, divided by the number of features.

    .. math:: \sum (\lambda_x - \lambda_y)(\log \lambda_x - \log \lambda_y) / p, \quad \lambda = (r + 0.1) / 1.1

    Parameters
    ----------
    values : (n_stimuli, n_features), float
        Rates r, 0 or more.

    Returns
    -------
    ndarray of float64, (n_stimuli * (n_stimuli - 1) / 2,)

    Raises
    ------
    InputError
        For rates below 0 or not finite.

    Notes
    -----
    Source: Schütt et al. (2023), Statistical inference on representational geometries, eLife 12, e82566, with its
    prior: rate 1, weight 0.1.

    Examples
    --------
    >>> compute_poisson_rdm(np.array([[1.0], [2.1]])).round(3).tolist()
    [0.693]
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim < 2 or len(rows) < 2:
        raise InputError("at least two rows of features", got=f"shape {rows.shape}")
    rows = rows.reshape(len(rows), -1)
    n_bad = int((~(np.isfinite(rows) & (rows >= 0))).sum())
    if n_bad:
        raise InputError("rates of 0 or more", got=f"{n_bad} values below 0 or not finite")
    rates = (rows + 0.1) / 1.1
    products = rates @ np.log(rates).T
    own = products.diagonal()
    first, second = np.triu_indices(len(rows), 1)
    return (own[first] + own[second] - products[first, second] - products[second, first]) / rows.shape[1]


def _compute(values: Any, *, folds: Any = None, precision: Any = None) -> np.ndarray:
    means = average_repeats(np.asarray(values[0 : values.shape[0]]))
    means = means.reshape(len(means), -1)
    whole = np.flatnonzero(~np.isnan(means).any(axis=1))
    return place_pairs(whole, len(means), lambda: compute_poisson_rdm(means[whole]))


DISTANCES.add(
    "poisson",
    Distance(
        "symmetric Kullback-Leibler divergence of Poisson rates", _compute,
        "Schütt, Kipnis, Diedrichsen & Kriegeskorte, 2023, eLife 12:e82566",
    ),
)  # fmt: skip
