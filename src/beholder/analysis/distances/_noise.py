"""Distances in units of the noise that repeats show: records of mahalanobis and crossnobis."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder.analysis.distances._crossnobis import compute_crossnobis_rdm
from beholder.analysis.distances._precision import compute_mahalanobis_rdm, compute_residuals, estimate_precision
from beholder.analysis.distances._registry import DISTANCES, Distance
from beholder.analysis.distances._repeats import list_repeats, place_pairs

MOST_FEATURES = 10_000
"""Features whose covariance is estimated: 800 MB."""

_CITATION = "Walther, Nili, Ejaz, Alink, Kriegeskorte & Diedrichsen, 2016, NeuroImage 137"


def compute_crossnobis(values: Any, *, folds: Any = None, precision: Any = None) -> np.ndarray:
    """Crossnobis distances of stimuli from their repeats, the noise's precision from residuals unless it is given.

    Parameters
    ----------
    values : (n_stimuli, n_repeats, *features), float
        NaN where a repeat is missing; a stimulus in fewer than two folds has no distance.
    folds : (n_repeats,), optional
    precision : (n_features, n_features), optional
    """
    rows, stimuli, runs = list_repeats(values, folds)
    runs = np.unique(runs, return_inverse=True)[1]
    n_stimuli = int(values.shape[0])
    seen = np.zeros((n_stimuli, int(runs.max(initial=0)) + 1), bool)
    seen[stimuli, runs] = True
    repeated = seen.sum(axis=1) > 1
    kept = repeated[stimuli]
    rows, stimuli, runs = rows[kept], stimuli[kept], runs[kept]
    whole = np.flatnonzero(repeated)
    return place_pairs(
        whole, n_stimuli, lambda: compute_crossnobis_rdm(rows, stimuli, runs, _find_precision(rows, stimuli, precision))
    )


def compute_mahalanobis(values: Any, *, folds: Any = None, precision: Any = None) -> np.ndarray:
    """Mahalanobis distances of means over repeats, the noise's precision from residuals unless it is given."""
    rows, stimuli, _ = list_repeats(values, folds)
    counts = np.bincount(stimuli, minlength=int(values.shape[0]))
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, stimuli, rows)
    whole = np.flatnonzero(counts)
    means = sums[whole] / counts[whole, None]
    return place_pairs(
        whole, len(counts), lambda: compute_mahalanobis_rdm(means, _find_precision(rows, stimuli, precision))
    )


def _find_precision(rows: np.ndarray, stimuli: np.ndarray, precision: Any) -> np.ndarray:
    if precision is not None:
        return np.asarray(precision, dtype=np.float64)
    if rows.shape[1] > MOST_FEATURES:
        raise InputError(
            f"a noise covariance of {MOST_FEATURES:,} features or fewer", got=f"{rows.shape[1]:,} features",
            hint="activations that are pooled or projected, or a precision of your own",
        )  # fmt: skip
    residuals, dof = compute_residuals(rows, stimuli)
    return estimate_precision(residuals, dof=dof)


DISTANCES.add(
    "mahalanobis",
    Distance(
        "squared Mahalanobis distance with the noise covariance shrunk to its diagonal", compute_mahalanobis, _CITATION,
        needs_repeats=True,
    ),
)  # fmt: skip
DISTANCES.add(
    "crossnobis",
    Distance(
        "cross-validated squared Mahalanobis (crossnobis) distance with the noise covariance shrunk to its diagonal",
        compute_crossnobis, _CITATION, needs_repeats=True, can_be_negative=True,
    ),
)  # fmt: skip
