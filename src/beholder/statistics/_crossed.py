"""Intervals of numbers that depend on which people and which stimuli were drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from beholder._core.seeds import make_generator
from beholder.statistics._rsa_bootstrap import correct_variance

Over = Literal["both", "stimuli", "people"]
"""What intervals generalise to: other stimuli, other people, or both."""
OVER = ("both", "stimuli", "people")
"""What intervals may generalise to, by name."""
_ROUNDING = 1e-12
_FEWEST_DRAWS = 20


@final
@dataclass(frozen=True, eq=False)
class CrossedEstimates:
    """Numbers over people and stimuli, and how they vary when either is drawn anew.

    Attributes
    ----------
    values : (n_statistics,)
    of_stimuli, of_people, of_both : (n_draws, n_statistics)
        The same for draws with replacement of stimuli, of people, of both; NaN where a draw defines none.
    n_stimuli, n_people : int
    over : {"both", "stimuli", "people"}
        What intervals and tests generalise to. Of one person: stimuli.
    most : float
        The values lie between -most and most, as correlations between -1 and 1; intervals are cut there.
    """

    values: np.ndarray
    of_stimuli: np.ndarray
    of_people: np.ndarray
    of_both: np.ndarray
    n_stimuli: int
    n_people: int
    over: Over = "both"
    most: float = math.inf

    def interval(self, weights: np.ndarray) -> tuple[float, float, float, float]:
        """A weighted sum of the values with the ends of its 95 % interval, and p against 0, two-sided: by t.

        NaN where there is no standard error.

        Parameters
        ----------
        weights : (n_statistics,)
            1 and -1 are the difference of two.
        """
        from scipy.stats import t

        used = weights != 0
        estimate = float(self.values[used] @ weights[used])
        stimuli, people, both = (
            _vary(draws[:, used] @ weights[used]) for draws in (self.of_stimuli, self.of_people, self.of_both)
        )
        m, n = self.n_stimuli, self.n_people
        stimuli = stimuli * m / (m - 1) if m > 1 else math.nan
        people = people * n / (n - 1) if n > 1 else math.nan
        if self.over == "both" and m < 2:
            return estimate, math.nan, math.nan, math.nan
        if self.over == "stimuli" or (n < 2 and self.over == "both"):
            variance, df = stimuli, m - 1.0
        elif self.over == "people":
            variance, df = people, n - 1.0
        else:
            variance = correct_variance(both, stimuli, people, m, n)
            parts = stimuli**2 / (m - 1) + people**2 / (n - 1)
            df = (stimuli + people) ** 2 / parts if parts > 0 else n - 1.0
        if math.isnan(estimate) or not math.isfinite(variance) or math.isnan(df) or df <= 0:
            return estimate, math.nan, math.nan, math.nan
        error = math.sqrt(variance)
        if error <= _ROUNDING:
            return estimate, estimate, estimate, 1.0 if abs(estimate) <= _ROUNDING else math.nan
        half = float(t.ppf(0.975, df)) * error
        most = self.most * float(np.abs(weights).sum())
        low, high = max(-most, estimate - half), min(most, estimate + half)
        return estimate, low, high, float(2 * t.sf(abs(estimate) / error, df))

    def pick(self, place: int) -> tuple[float, float, float, float]:
        """One of the values, as :meth:`interval` gives it."""
        weights = np.zeros(len(self.values))
        weights[place] = 1
        return self.interval(weights)


def draw_counts(n: int, n_draws: int, seed: int, *names: str) -> np.ndarray:
    """How often each of n is drawn with replacement, (n_draws, n).

    >>> draw_counts(3, 2, 1, "people").sum(axis=1).tolist()
    [3.0, 3.0]
    """
    generator = make_generator(seed, "bootstrap", *names)
    return generator.multinomial(n, np.full(n, 1 / n), n_draws).astype(np.float64)


def _vary(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.var()) if len(values) >= _FEWEST_DRAWS else math.nan
