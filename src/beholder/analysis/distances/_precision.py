"""Covariance of the noise by shrinkage, its inverse, and distances in its units."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.activations import compute_condensed_rdm

SHRINKAGES = ("diagonal", "identity", "none", "variances")


@suggest_keywords
def estimate_precision(residuals: Any, shrinkage: str = "diagonal", dof: int | None = None) -> np.ndarray:
    r"""Inverse of the noise covariance, estimated from residuals and shrunk so that it can be inverted.

    ``diagonal``: correlations are shrunk towards 0 by :math:`\lambda = \sum \widehat{Var}(r_{ij}) / \sum r_{ij}^2`
    (Schäfer and Strimmer 2005). ``identity``: the covariance is shrunk towards its mean variance (Ledoit and Wolf
    2004). ``none``: the sample covariance. ``variances``: its diagonal alone.

    Parameters
    ----------
    residuals : (n_rows, n_features), float
        What is left of the measurements when the conditions' effect is taken away (:func:`compute_residuals`).
    shrinkage : {"diagonal", "identity", "none", "variances"}
    dof : int, optional
        Degrees of freedom of the residuals. Default n_rows - 1; of residuals from condition means, the number of rows
        less that of conditions.

    Returns
    -------
    ndarray of float64, (n_features, n_features)

    Raises
    ------
    InputError
        For a feature that does not vary, values that are not finite, or a covariance that has no inverse.

    Notes
    -----
    Sources: Schäfer and Strimmer (2005), Stat. Appl. Genet. Mol. Biol. 4, 32; Ledoit and Wolf (2004), J. Multivar.
    Anal. 88, 365-411. Sums of squared products are one product of squares: no array of rows × features × features.
    ``rsatoolbox`` agrees but for its ``prec_from_measurements``, which counts (conditions - 1) × repeats degrees of
    freedom; residuals from condition means have conditions × (repeats - 1).

    Examples
    --------
    >>> estimate_precision([[1.0, 2.0], [-1.0, 2.0], [1.0, -2.0], [-1.0, -2.0]], "none").round(4).tolist()
    [[0.75, 0.0], [0.0, 0.1875]]
    """
    if shrinkage not in SHRINKAGES:
        raise UnknownNameError("shrinkage", shrinkage, SHRINKAGES)
    rows = np.asarray(residuals, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise InputError("residuals (n_rows, n_features), two rows or more", got=f"shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise InputError("finite residuals", got=f"{int((~np.isfinite(rows)).sum())} values that are NaN or infinite")
    rows = rows - rows.mean(axis=0)
    free = len(rows) - 1 if dof is None else dof
    if free < 1:
        raise InputError("one degree of freedom or more", got=f"{free}")
    variances = np.vecdot(rows.T, rows.T) / free
    constant = np.flatnonzero(variances <= 0)
    if len(constant) and shrinkage != "identity":
        n_features = rows.shape[1]
        raise InputError(
            "features that vary", got=f"{len(constant)} of {n_features} constant, the first of them {constant[0]}",
            hint="these left out",
        )  # fmt: skip
    if shrinkage == "variances":
        return np.diag(1 / variances)
    return _invert(_shrink(rows, free, shrinkage))


@suggest_keywords
def compute_residuals(values: Any, conditions: Any, folds: Any = None) -> tuple[np.ndarray, int]:
    """What repeats differ by from their condition's mean, and the degrees of freedom that are left.

    Parameters
    ----------
    values : (n_rows, n_features), float
    conditions : (n_rows,)
    folds : (n_rows,), optional
        With these, the mean is that of the condition within its fold.

    Returns
    -------
    residuals : (n_rows, n_features), float64
    dof : int
        Rows less means: what :func:`estimate_precision` takes.

    Raises
    ------
    InputError
        When no condition is repeated.

    Examples
    --------
    >>> residuals, dof = compute_residuals([[1.0], [3.0], [5.0]], ["a", "a", "b"])
    >>> residuals.tolist(), dof
    ([[-1.0], [1.0], [0.0]], 1)
    """
    rows = np.array(values, dtype=np.float64)
    _, groups = np.unique(np.asarray(conditions), return_inverse=True)
    if folds is not None:
        _, fold_of = np.unique(np.asarray(folds), return_inverse=True)
        _, groups = np.unique(groups * (int(fold_of.max()) + 1) + fold_of, return_inverse=True)
    if rows.ndim != 2 or groups.shape != (len(rows),):
        raise InputError("values (n_rows, n_features) with a condition a row", got=f"{rows.shape} and {groups.shape}")
    counts = np.bincount(groups)
    dof = len(rows) - len(counts)
    if dof < 1:
        raise InputError(
            "repeated conditions", got=f"{len(rows)} rows of {len(counts)} conditions, none of them repeated"
        )
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, groups, rows)
    rows -= (sums / counts[:, None])[groups]
    return rows, dof


@suggest_keywords
def compute_mahalanobis_rdm(values: Any, precision: Any) -> np.ndarray:
    r"""Squared Mahalanobis distance :math:`(x - y)^\top P (x - y) / p`, divided by the number of features.

    Parameters
    ----------
    values : (n_stimuli, n_features), float
    precision : (n_features, n_features), float
        Inverse of the noise covariance, as of :func:`estimate_precision`.

    Returns
    -------
    ndarray of float64, (n_stimuli * (n_stimuli - 1) / 2,)
        Biased upwards by noise, as every squared distance that is not cross-validated.

    Raises
    ------
    InputError
        For values that are not finite, or a precision that is not positive definite or of another size.

    Notes
    -----
    Source: Walther et al. (2016), NeuroImage 137.

    Examples
    --------
    >>> compute_mahalanobis_rdm(np.eye(2), np.diag([2.0, 4.0])).round(6).tolist()
    [3.0]
    """
    rows = np.asarray(values, dtype=np.float64)
    rows = rows.reshape(len(rows), -1) if rows.ndim > 1 else rows[:, None]
    weights: Any = check_precision(np.asarray(precision), rows.shape[1])
    try:
        factor = np.linalg.cholesky(cast(np.ndarray, weights))
    except np.linalg.LinAlgError:
        raise InputError("a precision that is positive definite", got="another matrix") from None
    return compute_condensed_rdm(rows @ factor, "squared-euclidean")


def check_precision(precision: Any, n_features: int) -> np.ndarray | None:
    """A precision matrix for so many features as float64, None as it is.

    Raises
    ------
    InputError
        For another shape, values that are not finite, or a matrix that is not symmetric.
    """
    if precision is None:
        return None
    matrix = np.asarray(precision, dtype=np.float64)
    if matrix.shape != (n_features, n_features):
        raise InputError(f"a precision of shape ({n_features}, {n_features})", got=f"shape {matrix.shape}")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, atol=1e-8 * np.abs(matrix).max()):
        raise InputError("a precision that is finite and symmetric", got="another matrix")
    return matrix


def _shrink(rows: np.ndarray, dof: int, shrinkage: str) -> np.ndarray:
    n_rows, n_features = rows.shape
    products = rows.T @ rows
    if shrinkage == "none":
        return products / dof
    squares = (rows**2).T @ (rows**2)
    diagonal = cast(Any, np.arange(n_features))
    if shrinkage == "identity":
        covariance = products / n_rows
        mean = covariance.trace() / n_features
        spread = float(((covariance - mean * np.eye(n_features)) ** 2).sum())
        noise = min(float((squares / n_rows - covariance**2).sum()) / n_rows, spread)
        share = noise / spread if spread > 0 else 1.0
        shrunk = (1 - share) * covariance
        shrunk[diagonal, diagonal] += share * mean
        return shrunk * (n_rows / dof)
    covariance = products / dof
    variances = covariance.diagonal().copy()
    correlations = products / np.sqrt(np.outer(variances, variances)) / (n_rows - 1)
    spreads = n_rows / dof**2 * (squares / np.outer(variances, variances) / (n_rows - 1) - correlations**2)
    total = float((correlations**2).sum() - (correlations.diagonal() ** 2).sum())
    share = float(spreads.sum() - spreads.trace()) / total if total > 0 else 1.0
    covariance *= 1 - min(max(share, 0.0), 1.0)
    covariance[diagonal, diagonal] = variances
    return covariance


def _invert(covariance: np.ndarray) -> np.ndarray:
    try:
        factor: np.ndarray = np.linalg.cholesky(covariance)
        if factor.diagonal().min() ** 2 < 1e-14 * covariance.diagonal().max():
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        raise InputError(
            "a noise covariance that has an inverse", got=f"one of {len(covariance)} features that has none",
            hint="shrinkage 'diagonal', or more residuals",
        ) from None  # fmt: skip
    inverse: np.ndarray = np.linalg.inv(covariance)
    return (inverse + inverse.T) / 2
