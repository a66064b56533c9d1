"""Variance explained, corrected for the noise of responses and of what predicts them; how far it would vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from beholder.analysis.encoding._predict import Predicted, Procedure
from beholder.analysis.encoding._refit import Refits
from beholder.analysis.encoding._scores import correct_explained_variance, correlate_columns
from beholder.analysis.encoding._splits import Split
from beholder.statistics import compute_reliability


def correct_each_split(found: Predicted, runs: np.ndarray, splits: Sequence[Split], how: Procedure) -> np.ndarray:
    """Corrected variance explained of each split, (n_splits, n_units), as published; NaN for a unit with a missing run.

    Divided by the reliability of the training responses and that of the test predictions.
    """
    corrected = np.full(found.r.shape, np.nan)
    for i, ((train, _), own) in enumerate(zip(splits, found.by_run or [], strict=False)):
        responses_hold = compute_reliability(runs[train][:, found.whole], how.reliability, floor=True)
        predictions_hold = compute_reliability(own, how.reliability, floor=True, constant=0.0)
        corrected[i, found.whole] = correct_explained_variance(
            found.r[i, found.whole], responses_hold, predictions_hold
        )
    return corrected


def correct_pooled(found: Predicted, runs: np.ndarray, how: Procedure) -> np.ndarray:
    """Corrected variance explained of folds, (n_units,); NaN for a unit with a missing run.

    The mean r over folds squared, divided by the reliability of all responses and that of all predictions, taken about
    each fold's mean.
    """
    corrected = np.full(found.r.shape[1], np.nan)
    if found.by_run:
        own = np.concatenate([part - part.mean(axis=0) for part in found.by_run])
        responses_hold = compute_reliability(runs[:, found.whole], how.reliability, floor=True)
        predictions_hold = compute_reliability(own, how.reliability, floor=True, constant=0.0)
        r = found.r.mean(axis=0)[found.whole]
        corrected[found.whole] = correct_explained_variance(r, responses_hold, predictions_hold)
    return corrected


def leave_parts_out(
    plan: Callable[[Sequence[Split]], Refits], responses: np.ndarray, runs: np.ndarray, splits: Sequence[Split],
    how: Procedure, parts: np.ndarray, regions: Sequence[np.ndarray], *, each_split: bool,
) -> np.ndarray:  # fmt: skip
    """Corrected variance explained of each region without each part of the stimuli, (n_parts, n_regions).

    A part is neither fitted to nor tested on. Medians over splits, then over units.

    Parameters
    ----------
    plan : callable
        Regressions of the layer, for other splits.
    responses : (n_stimuli, n_units), float
    runs : (n_stimuli, n_units, n_runs), float
    splits : sequence of (train, test)
    how : Procedure
    parts : (n_stimuli,), int
    regions : sequence of (n_units_of_it,), int
    each_split : bool
        Splits overlap: correct each.
    """
    whole = np.flatnonzero(np.isfinite(runs).all(axis=(0, 2)))
    rows: list[list[float]] = []
    for part in np.unique(parts):
        fewer = [(train[parts[train] != part], test[parts[test] != part]) for train, test in splits]
        refits = plan(fewer)
        pairs = zip(refits.predict(responses), fewer, strict=True)
        r = np.stack([correlate_columns(own, responses[test]) for own, (_, test) in pairs])
        of_runs = [refits.predict(runs[:, whole, run]) for run in range(runs.shape[2])]
        by_run = [np.stack(own, axis=2) for own in zip(*of_runs, strict=True)]
        found = Predicted([], r, by_run, whole, r, r)
        if each_split:
            corrected = summarize_splits(correct_each_split(found, runs, fewer, how), median=True)
        else:
            corrected = correct_pooled(found, runs[parts != part], how)
        rows.append([find_median(corrected[units]) for units in regions])
    return np.array(rows)


def summarize_splits(values: np.ndarray, *, median: bool) -> np.ndarray:
    """Median or mean over splits of the values that there are, (n_units,)."""
    found = np.full(values.shape[1], np.nan)
    some = ~np.isnan(values).all(axis=0)
    found[some] = (np.nanmedian if median else np.nanmean)(values[:, some], axis=0)
    return found


def find_median(values: np.ndarray) -> float:
    """Median of the values that there are; NaN of none."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else np.nan


def find_jackknife_half_width(without: np.ndarray) -> float:
    """Half the 95 % interval of what is known without each part, (n_parts,); Student's, n_parts - 1 degrees of freedom.

    Source: Efron (1982), The jackknife, the bootstrap and other resampling plans, chapter 3.
    """
    from scipy.special import stdtrit

    n = len(without)
    variance = float(np.square(without - without.mean()).sum()) * (n - 1) / n
    return float(stdtrit(n - 1, 0.975)) * np.sqrt(variance) if n > 1 else np.nan
