"""Scores of units summed up over regions: estimates, intervals, what chance gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder.analysis.encoding._corrected import (
    correct_each_split,
    correct_pooled,
    find_jackknife_half_width,
    find_median,
    leave_parts_out,
    summarize_splits,
)
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._predict import Predicted, Procedure
from beholder.analysis.encoding._refit import Refits
from beholder.analysis.encoding._splits import Split
from beholder.analysis.encoding._uncertainty import Spread, find_r_half_width, permute_r, spread_r


@final
@dataclass(frozen=True, eq=False)
class RegionScore:
    """How well a layer predicts a region of a participant.

    Attributes
    ----------
    n_units : int
    r, half_width : float
        Mean over units and splits of r (the median of splits that overlap); half its 95 % interval over stimuli.
    spread : Spread
        What that interval is made from.
    tested_r : float
        The same mean by the regressions that are fitted again and again; NaN without a test.
    null : (n_permutations,), float
        ``tested_r`` of responses in other orders; empty where none were asked for, or too few exist.
    corrected, sd_splits : float
        Median over units of the corrected variance explained; its standard deviation over splits that overlap.
    corrected_without : (n_parts,), float
        ``corrected`` without each part of the stimuli; empty where nothing is corrected.
    n_corrected, n_above_1 : int
        Units that have one, and those above 1.
    n_tested : int
        Stimuli of the smallest test set.
    by_split, training : (n_splits,), float
        Mean r over units, of test stimuli, and mean R² within the training stimuli.
    """

    n_units: int
    r: float
    half_width: float
    spread: Spread
    tested_r: float
    null: np.ndarray
    corrected: float
    sd_splits: float
    corrected_without: np.ndarray
    n_corrected: int
    n_above_1: int
    n_tested: int
    by_split: np.ndarray
    training: np.ndarray

    @property
    def corrected_half_width(self) -> float:
        """Half the 95 % interval of ``corrected`` over stimuli."""
        return find_jackknife_half_width(self.corrected_without)


@final
@dataclass(frozen=True, eq=False)
class Resampling:
    """How intervals and tests draw a participant's stimuli.

    Attributes
    ----------
    orders : (n_permutations, n_stimuli), int
        Other orders of the stimuli; none for no test.
    parts : (n_stimuli,), int
        Tenths that the jackknife leaves out.
    rows : (n_stimuli,), int
        Places among all stimuli that are joined.
    groups : (n_joined,), optional
        Stimuli that vary together.
    n_joined : int
    """

    orders: np.ndarray
    parts: np.ndarray
    rows: np.ndarray
    groups: np.ndarray | None
    n_joined: int


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
        Proportion of penalties at an edge of the grid.
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
    found: Predicted, person: Participant, splits: Sequence[Split], how: Procedure,
    plan: Callable[[Sequence[Split]], Refits], drawn: Resampling, *, each_split: bool, has_test: bool = True,
) -> Tested:  # fmt: skip
    """Sum up predictions over regions.

    Parameters
    ----------
    found : Predicted
    person : Participant
    splits : sequence of (train, test)
    how : Procedure
    plan : callable
        Regressions of the layer that are fitted again, for other splits.
    drawn : Resampling
    each_split : bool
        Splits overlap: correct each, and take medians over them.
    has_test : bool
        Whether ``plan`` fits anew all that there is to fit, which a test needs.
    """
    by_split = np.full((1, len(person.units)), np.nan)
    if person.runs is not None and found.by_run is not None:
        if each_split:
            by_split = correct_each_split(found, person.runs, splits, how)
        else:
            by_split = correct_pooled(found, person.runs, how)[None]
    r = summarize_splits(found.r, median=each_split)
    corrected = summarize_splits(by_split, median=True)
    # A unit that gives all test stimuli of a fold the same response has no r there.
    names = {name: (person.regions == name) & ~np.isnan(found.r).any(axis=0) for name in dict.fromkeys(person.regions)}
    members = {str(name): np.flatnonzero(inside) for name, inside in names.items() if inside.any()}
    units = list(members.values())
    spreads = spread_r(
        found.predicted, person.responses, splits, units, lambda other: plan(other).correlate(person.responses),
        drawn.parts, drawn.rows, drawn.n_joined,
        constant=how.constant,
    )  # fmt: skip
    nulls = np.empty((1, len(units))) * np.nan
    if has_test and len(drawn.orders):
        nulls = permute_r(plan(splits), person.responses, drawn.orders, units, median=each_split)
    without = np.empty((0, len(units)))
    if person.runs is not None and found.by_run is not None:
        without = leave_parts_out(
            plan, person.responses, person.runs, splits, how, drawn.parts, units, each_split=each_split
        )
    n_tested = min(len(test) for _, test in splits)
    regions: dict[str, RegionScore] = {}
    for place, (region, own) in enumerate(members.items()):
        known = corrected[own][~np.isnan(corrected[own])]
        regions[region] = RegionScore(
            len(own), float(r[own].mean()), find_r_half_width([spreads[place]], drawn.groups, n_tested), spreads[place],
            float(nulls[0, place]), nulls[1:, place], find_median(known),
            _spread(by_split[:, own]) if each_split else np.nan, without[:, place], len(known), int((known > 1).sum()),
            n_tested, found.r[:, own].mean(axis=1), found.training[:, own].mean(axis=1),
        )  # fmt: skip
    alphas = np.median(found.alphas, axis=0)
    return Tested(
        regions, r, corrected, alphas, by_split, found.alphas, found.at_smallest, found.at_largest
    )  # fmt: skip


def _spread(values: np.ndarray) -> float:
    """Standard deviation over splits of the median over units."""
    known = values[:, ~np.isnan(values).any(axis=0)]
    return float(np.std(np.median(known, axis=1))) if known.shape[1] else np.nan
