"""How often one observer was right, with its interval over stimuli."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.statistics._bca import Interval
from beholder.statistics._intervals import bootstrap_proportion, wilson_interval

OVER_STIMULI = "Wilson over stimuli"
"""What Wilson's interval over stimuli is called."""
DRAWN_STIMULI = "bootstrap over stimuli"
"""What an interval by drawing stimuli again and again is called."""


@suggest_keywords
def measure_proportion(right: Any, stimuli: Sequence[str] | None, seed: int) -> tuple[Interval, str]:
    """Proportion of one observer with its interval over stimuli, and what kind of interval that is.

    Answers to one stimulus stay together; where each is there once, the interval is Wilson's.

    Parameters
    ----------
    right : (n_answers,), bool
    stimuli : sequence of str, (n_answers,), optional
        Default all different.
    seed : int
        Of the draws.

    Examples
    --------
    >>> found, method = measure_proportion([True, True, False, True], None, 0)
    >>> found.estimate, found.n, method
    (0.75, 4, 'Wilson over stimuli')
    """
    values = np.asarray(right, dtype=np.float64)
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0), OVER_STIMULI
    proportion = float(values.mean())
    groups = np.unique(np.asarray(stimuli), return_inverse=True)[1] if stimuli is not None else np.arange(len(values))
    counts = np.bincount(groups)
    if len(counts) == len(values):
        low, high = (float(end) for end in wilson_interval(values.sum(), len(values)))
        return Interval(proportion, low, high, len(values)), OVER_STIMULI
    if len(counts) == 1:
        return Interval(proportion, math.nan, math.nan, 1), DRAWN_STIMULI
    low, high = bootstrap_proportion(np.bincount(groups, values), counts, seed=seed)
    return Interval(proportion, low, high, len(counts)), DRAWN_STIMULI
