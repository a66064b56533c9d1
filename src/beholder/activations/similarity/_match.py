"""How well two activations of a layer match: Spearman, Pearson, signal-to-noise ratio."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count

MEASURES = ("spearman", "pearson", "db_snr")
"""The measures that a metamer is judged by."""

_CHUNK = 1 << 20


@final
@dataclass(frozen=True)
class Match:
    """Likeness of an activation y to an original x.

    Attributes
    ----------
    spearman, pearson : float
        Correlations over the layer's values.
    db_snr : float
        ``10 · log10(Σ x² / Σ (x − y)²)``, decibels; infinite for equal activations.
    norm_signal, norm_noise : float
        ‖x‖ and ‖x − y‖.
    """

    spearman: float
    pearson: float
    db_snr: float
    norm_signal: float
    norm_noise: float

    @property
    def db_snr_published(self) -> float:
        """``10 · log10(‖x‖ / ‖x − y‖)``, as the released metamer code has it: half of ``db_snr``."""
        return self.db_snr / 2

    def to_dict(self) -> dict[str, float]:
        """The attributes, with ``db_snr_published``."""
        return {**asdict(self), "db_snr_published": self.db_snr_published}


@final
class RankedValues:
    """One activation with what its comparisons share: mean, length, ranks.

    Parameters
    ----------
    values : array, any shape
        A layer's activation for one stimulus.
    """

    def __init__(self, values: Any) -> None:
        flat = np.ascontiguousarray(values).reshape(-1)
        self.values = flat if flat.dtype.kind == "f" and flat.dtype.itemsize >= 4 else flat.astype(np.float32)
        self.is_finite = bool(np.isfinite(self.values).all())
        self.is_zero = not self.values.any()
        self.is_constant = self.values.size == 0 or bool((self.values == self.values[0]).all())
        self.norm = math.sqrt(sum_products(self.values, self.values))
        self._ranks: np.ndarray | None = None

    @property
    def ranks(self) -> np.ndarray:
        """Average ranks minus their mean, float32 (exact below 2²³ values), computed once."""
        if self._ranks is None:
            ranks = rank_values(self.values)
            ranks -= (len(ranks) + 1) / 2
            self._ranks = ranks.astype(np.float32) if len(ranks) < 2**23 else ranks
        return self._ranks


@suggest_keywords
def compute_match(original: Any, other: Any) -> Match:
    """Measure how well one activation matches another.

    Spearman is Pearson's correlation of average ranks; zeros are ordinary values. Sums are kept in float64.

    Where either activation is zero everywhere, the correlations and the ratio are 0. A constant one has
    correlations of 0, since there is nothing to go with. One that is not finite gives NaN.

    Parameters
    ----------
    original, other : array, any one shape, or :class:`RankedValues`
        Activations of one layer for two stimuli; the original is the signal.

    Raises
    ------
    InputError
        For two sizes.

    Notes
    -----
    Source: Feather et al. (2023), Methods; the released ``distance_measures.py`` and ``make_null_distributions.py``,
    whose test for zero is on the sum, which signed values can cancel.

    Examples
    --------
    >>> match = compute_match([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    >>> round(match.spearman, 6), round(match.db_snr, 2)
    (1.0, 11.46)
    """
    x = original if isinstance(original, RankedValues) else RankedValues(original)
    y = other if isinstance(other, RankedValues) else RankedValues(other)
    if x.values.size != y.values.size:
        raise InputError(
            "two activations of one size", got=f"{x.values.size} and {format_count(y.values.size, 'value')}"
        )
    if not (x.is_finite and y.is_finite):
        return Match(math.nan, math.nan, math.nan, x.norm, math.nan)
    noise = math.sqrt(_sum_squared_differences(x.values, y.values))
    if x.is_zero or y.is_zero:
        return Match(0.0, 0.0, 0.0, x.norm, noise)
    ratio = math.inf if noise == 0 else 20 * math.log10(x.norm / noise)
    if x.is_constant or y.is_constant:
        return Match(0.0, 0.0, ratio, x.norm, noise)
    return Match(_correlate(x.ranks, y.ranks), _correlate(x.values, y.values), ratio, x.norm, noise)


@suggest_keywords
def rank_values(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs, float64.

    Parameters
    ----------
    values : (n,)

    Examples
    --------
    >>> rank_values(np.array([0.0, 5.0, 0.0])).tolist()
    [1.5, 3.0, 1.5]
    """
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(values) else order
    counts = np.diff(starts, append=len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (counts + 1) / 2, counts)
    return ranks


def sum_products(a: np.ndarray, b: np.ndarray) -> float:
    """``Σ a · b`` in float64, a piece at a time, to the same bits whatever number of threads BLAS has."""
    total = 0.0
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        total += _dot(a[part].astype(np.float64), b[part].astype(np.float64))
    return total


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """A product without BLAS, which adds in another order for another number of threads."""
    return float(np.einsum("i,i->", a, b))


def _sum_squared_differences(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        difference = a[part].astype(np.float64)
        difference -= b[part]
        total += _dot(difference, difference)
    return total


def _correlate(a: np.ndarray, b: np.ndarray) -> float:
    mean_a, mean_b = a.mean(dtype=np.float64), b.mean(dtype=np.float64)
    both = squares_a = squares_b = 0.0
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        u, v = a[part] - mean_a, b[part] - mean_b
        both += _dot(u, v)
        squares_a += _dot(u, u)
        squares_b += _dot(v, v)
    scale = math.sqrt(squares_a) * math.sqrt(squares_b)
    return min(max(both / scale, -1.0), 1.0) if scale > 0 else 0.0
