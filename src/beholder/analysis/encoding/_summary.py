"""Scores of units summed up over regions: estimates, intervals, what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._predict import Predicted, Procedure, correct_each_split, correct_pooled
from beholder.analysis.encoding._splits import Split
from beholder.analysis.encoding._uncertainty import choose_units, find_interval, permute_mean_r


@final
@dataclass(frozen=True, eq=False)
class RegionScore:
    """How well a layer predicts a region of a participant.

    Attributes
    ----------
    n_units : int
    r, low, high : float
        Mean over units and splits of r; the 95 % interval over stimuli, NaN for splits that overlap.
    tested_r : float
        Mean r of the units that the test is computed from.
    null : (n_permutations,), float
        The same of responses in other orders; empty where none were asked for, or too few exist.
    corrected, sd_splits : float
        Median over units of the corrected variance explained; its standard deviation over splits that overlap.
    n_corrected, n_above_1 : int
        Units that have one, and those above 1.
    by_split, training : (n_splits,), float
        Mean r over units, of test stimuli, and mean R² within the training stimuli.
    """

    n_units: int
    r: float
    low: float
    high: float
    tested_r: float
    null: np.ndarray
    corrected: float
    sd_splits: float
    n_corrected: int
    n_above_1: int
    by_split: np.ndarray
    training: np.ndarray


@final
@dataclass(frozen=True, eq=False)
class Tested:
    """A layer's scores for a participant: by region, and of each unit.

    Attributes
    ----------
    regions : dict of str to RegionScore
    r, corrected, alphas : (n_units,), float
        Over splits: mean r (median of the published recipe's), corrected variance explained, median penalty.
    corrected_of_splits, alphas_of_splits : (n_splits, n_units), float
        One row where folds are corrected together.
    at_smallest, at_largest : float
        Share of penalties at an edge of the grid.
    """

    regions: dict[str, RegionScore]
    r: np.ndarray
    corrected: np.ndarray
    alphas: np.ndarray
    corrected_of_splits: np.ndarray
    alphas_of_splits: np.ndarray
    at_smallest: float
    at_largest: float


def summarize_units(
    found: Predicted, person: Participant, splits: Sequence[Split], how: Procedure, features: np.ndarray | None,
    orders: np.ndarray, seed: int, *, each_split: bool,
) -> Tested:  # fmt: skip
    """Sum up predictions over regions.

    Parameters
    ----------
    found : Predicted
    person : Participant
    splits : sequence of (train, test)
    how : Procedure
    features : (n_stimuli, n_features), float, or None
        What the predictions were made from: intervals and tests fit again. None for neither.
    orders : (n_permutations, n_stimuli), int
        Other orders of the stimuli; none for no test.
    seed : int
    each_split : bool
        Splits overlap: correct each, and take medians over them.
    """
    n_units = len(person.units)
    by_split = np.full((1, n_units), np.nan)
    if person.runs is not None and found.by_run is not None:
        if each_split:
            by_split = correct_each_split(found, person.runs, splits, how)
        else:
            by_split = correct_pooled(found, person.runs, how)[None]
    r = _summarize(found.r, median=each_split)
    corrected = _summarize(by_split, median=True)
    regions: dict[str, RegionScore] = {}
    for region in dict.fromkeys(person.regions.tolist()):
        # A unit that gives all test stimuli of a fold the same response has no r there.
        units = np.flatnonzero((person.regions == region) & ~np.isnan(found.r).any(axis=0))
        if not len(units):
            continue
        estimate = float(r[units].mean())
        low = high = tested_r = np.nan
        null = np.empty(0)
        if features is not None:
            few = choose_units(units, seed)
            tested_r = float(r[few].mean())
            low, high = find_interval(features, person.responses[:, few], splits, how, estimate, seed)
            null = permute_mean_r(features, person.responses[:, few], splits, how, orders)
        known = corrected[units][~np.isnan(corrected[units])]
        regions[region] = RegionScore(
            len(units), estimate, low, high, tested_r, null, float(np.median(known)) if len(known) else np.nan,
            _spread(by_split[:, units]) if each_split else np.nan, len(known), int((known > 1).sum()),
            found.r[:, units].mean(axis=1), found.training[:, units].mean(axis=1),
        )  # fmt: skip
    alphas = np.median(found.alphas, axis=0)
    return Tested(
        regions, r, corrected, alphas, by_split, found.alphas, found.at_smallest, found.at_largest
    )  # fmt: skip


def _summarize(values: np.ndarray, *, median: bool) -> np.ndarray:
    """Median or mean over splits of the values that there are, (n_units,)."""
    found = np.full(values.shape[1], np.nan)
    some = ~np.isnan(values).all(axis=0)
    found[some] = (np.nanmedian if median else np.nanmean)(values[:, some], axis=0)
    return found


def _spread(values: np.ndarray) -> float:
    """Standard deviation over splits of the median over units."""
    known = values[:, ~np.isnan(values).any(axis=0)]
    return float(np.std(np.median(known, axis=1))) if known.shape[1] else np.nan
