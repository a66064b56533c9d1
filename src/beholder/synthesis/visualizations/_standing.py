"""Where made images stand on the distribution of natural stimuli."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np

SIGNS = ("min", "max")
_TOLERANCE = 1e-5


@final
@dataclass(frozen=True, eq=False)
class NaturalDistribution:
    """The activations of one unit by natural stimuli.

    Attributes
    ----------
    values : (n_stimuli,), float
        Ascending, without those that are not finite.
    n_stimuli : int
        With those.
    """

    values: np.ndarray
    n_stimuli: int

    @classmethod
    def from_values(cls, values: np.ndarray) -> NaturalDistribution:
        """Sort, and leave out what is not finite."""
        return cls(np.sort(values[np.isfinite(values)]), len(values))

    @property
    def is_whole(self) -> bool:
        """Whether every activation is finite, and there is one."""
        return 0 < self.n_stimuli == len(self.values)

    @property
    def is_constant(self) -> bool:
        """Whether no stimulus moves the unit."""
        return len(self.values) > 0 and self.values[0] == self.values[-1]

    @property
    def tolerance(self) -> float:
        """Differences up to this are a tie: 1e-5 of the largest activation, the last bits of the arithmetic."""
        return _TOLERANCE * float(np.abs(self.values).max(initial=0.0))

    def find_extreme(self, sign: str) -> float:
        """The most extreme activation: the largest for max, the smallest for min."""
        return float(self.values[-1 if sign == "max" else 0])

    def hash(self) -> str:
        """sha256 of the activations."""
        return hashlib.sha256(np.ascontiguousarray(self.values).tobytes()).hexdigest()


def compute_percentiles(natural: NaturalDistribution, activations: np.ndarray, sign: str) -> np.ndarray:
    """Proportion of natural stimuli strictly below, for min strictly above, 0 to 100; NaN where unknown.

    Parameters
    ----------
    natural : NaturalDistribution
    activations : (...), float
        Of made images.
    sign : {"min", "max"}

    Examples
    --------
    >>> natural = NaturalDistribution.from_values(np.array([0.0, 1.0, 1.0, 3.0]))
    >>> compute_percentiles(natural, np.array([1.0, 4.0]), "max").tolist()
    [25.0, 100.0]
    >>> compute_percentiles(natural, np.array([1.0]), "min").tolist()
    [25.0]
    """
    n = len(natural.values)
    if not natural.is_whole:
        return np.full(np.shape(activations), np.nan)
    if sign == "max":
        count = np.searchsorted(natural.values, activations, side="left")
    else:
        count = n - np.searchsorted(natural.values, activations, side="right")
    return np.where(np.isnan(activations), np.nan, 100.0 * count / n)


def judge_activation(natural: NaturalDistribution | None, activation: float, sign: str) -> str:
    """Whether an activation beats the best natural stimulus: ``"yes"``, ``"no"``, ``"tie"`` or ``"unknown"``.

    Examples
    --------
    >>> natural = NaturalDistribution.from_values(np.array([0.0, 2.0]))
    >>> [judge_activation(natural, value, "max") for value in (1.0, 2.0, 3.0)]
    ['no', 'tie', 'yes']
    >>> judge_activation(natural, 0.0, "min")
    'tie'
    """
    if natural is None or not natural.is_whole or not np.isfinite(activation):
        return "unknown"
    lead = activation - natural.find_extreme(sign)
    lead = lead if sign == "max" else -lead
    if abs(lead) <= natural.tolerance:
        return "tie"
    return "yes" if lead > 0 else "no"
