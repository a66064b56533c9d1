"""Cross-validated distances of conditions: no bias by noise, so that some come out negative."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.analysis.distances._precision import check_precision


@suggest_keywords
def compute_crossnobis_rdm(values: Any, conditions: Any, folds: Any, precision: Any = None) -> np.ndarray:
    r"""Cross-validated squared Mahalanobis distance of every pair of conditions, divided by the number of features.

    .. math:: d_{ij} = (s_{ii} + s_{jj} - 2 s_{ij}) / p, \quad
              s_{ij} = \operatorname{mean}_{f(a) \neq f(b)} x_a^\top P x_b

    over all rows a of condition i and b of condition j that lie in different folds, each pair of rows counting the
    same. With as many rows of each condition in every fold this is the leave-one-fold-out estimate.

    Parameters
    ----------
    values : (n_rows, n_features), float
        Finite.
    conditions : (n_rows,)
        Labels: the same for rows that repeat a condition.
    folds : (n_rows,)
        Labels: the run that a row was measured in. Noise must be independent between them.
    precision : (n_features, n_features), float, optional
        Inverse of the noise covariance, as of :func:`estimate_precision`. Default the identity.

    Returns
    -------
    ndarray of float64, (n_conditions * (n_conditions - 1) / 2,)
        In the order of the sorted conditions. Its expectation is 0 for conditions that do not differ; negative values
        are kept.

    Raises
    ------
    InputError
        For lengths that differ, values that are not finite, fewer than two conditions, or a condition that is in one
        fold only: it has nothing to be validated with.

    Notes
    -----
    Source: Walther et al. (2016), Reliability of dissimilarity measures for multi-voxel pattern analysis, NeuroImage
    137. Unequal numbers of repeats are weighted as by ``rsatoolbox.rdm.calc_rdm_unbalanced``; its ``calc_rdm`` averages
    folds and needs every condition in each.

    Examples
    --------
    >>> compute_crossnobis_rdm([[1.0], [0.0], [-1.0], [0.0]], ["a", "b", "a", "b"], [1, 1, 2, 2]).tolist()
    [-1.0]
    """
    rows = np.asarray(values, dtype=np.float64)
    labels, runs = np.asarray(conditions), np.asarray(folds)
    _check_design(rows, labels, runs)
    _, condition_of = np.unique(labels, return_inverse=True)
    _, fold_of = np.unique(runs, return_inverse=True)
    _check_folds(labels, condition_of, fold_of)
    weights = check_precision(precision, rows.shape[1])
    n_conditions = int(condition_of.max()) + 1
    sums, counts = np.zeros((n_conditions, rows.shape[1])), np.zeros(n_conditions)
    within, pairs_within = np.zeros((n_conditions, n_conditions)), np.zeros((n_conditions, n_conditions))
    for fold in range(int(fold_of.max()) + 1):
        chosen = fold_of == fold
        own, n_own = _sum_rows(rows[chosen], condition_of[chosen], n_conditions)
        within += _multiply(own, weights)
        pairs_within += np.outer(n_own, n_own)
        sums += own
        counts += n_own
    similarities = (_multiply(sums, weights) - within) / (np.outer(counts, counts) - pairs_within)
    squares = similarities.diagonal()
    distances = squares[:, None] + squares - similarities - similarities.T
    return distances[np.triu_indices(n_conditions, 1)] / rows.shape[1]


def _check_design(rows: np.ndarray, conditions: np.ndarray, folds: np.ndarray) -> None:
    n_rows = len(rows) if rows.ndim else 0
    if rows.ndim != 2 or not rows.shape[1] or conditions.shape != (n_rows,) or folds.shape != (n_rows,):
        raise InputError(
            "values (n_rows, n_features) with a condition and a fold a row",
            got=f"shapes {rows.shape}, {conditions.shape} and {folds.shape}",
        )
    bad = ~np.isfinite(rows)
    if bad.any():
        n_bad, n_rows = int(bad.sum()), int(bad.any(axis=1).sum())
        raise InputError("finite values", got=f"{n_bad} that are NaN or infinite in {n_rows} of {len(rows)} rows")


def _check_folds(labels: np.ndarray, condition_of: np.ndarray, fold_of: np.ndarray) -> None:
    n_conditions = int(condition_of.max()) + 1
    if n_conditions < 2:
        raise InputError("two conditions or more", got=f"{n_conditions}")
    present = np.zeros((n_conditions, int(fold_of.max()) + 1), bool)
    present[condition_of, fold_of] = True
    alone = np.unique(labels)[present.sum(axis=1) < 2]
    if len(alone):
        shown = ", ".join(repr(name.item()) for name in alone[:5]) + (", …" if len(alone) > 5 else "")
        raise InputError(
            "every condition in two folds or more", got=f"{len(alone)} of {n_conditions} in one only: {shown}",
            hint="folds that are runs, or these conditions left out",
        )  # fmt: skip


def _sum_rows(rows: np.ndarray, condition_of: np.ndarray, n_conditions: int) -> tuple[np.ndarray, np.ndarray]:
    sums = np.zeros((n_conditions, rows.shape[1]))
    np.add.at(sums, condition_of, rows)
    return sums, np.bincount(condition_of, minlength=n_conditions).astype(np.float64)


def _multiply(sums: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return sums @ sums.T if weights is None else sums @ weights @ sums.T
