"""What chance gives, and how far a mean r would vary: by fitting again, to other orders of stimuli and to fewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.seeds import make_generator
from beholder.analysis.encoding._refit import Refits, unit_columns
from beholder.analysis.encoding._splits import Split
from beholder.statistics import count_orders, find_half_width

FEWEST_ORDERS = 20
_N_PARTS = 10


@final
@dataclass(frozen=True, eq=False)
class Spread:
    """Where the variance of a mean r comes from.

    Attributes
    ----------
    tested : (n_joined,), float
        How far each stimulus moves the mean r by being tested on; 0 for those that are not.
    trained : (n_parts,), float
        The mean r when a part of the stimuli is not fitted to.
    """

    tested: np.ndarray
    trained: np.ndarray


def draw_orders(n_stimuli: int, n_permutations: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Random orders of stimuli, (n_permutations, n_stimuli); the same for every layer.

    Groups move as wholes, and must be of one size. Empty where there are, or are asked for, fewer orders than a p below
    .05 needs.
    """
    nothing = np.empty((0, n_stimuli), dtype=np.int64)
    if n_permutations < FEWEST_ORDERS:
        return nothing
    generator = make_generator(seed, "orders", n_stimuli)
    if groups is None:
        if count_orders(n_stimuli, FEWEST_ORDERS) < FEWEST_ORDERS:
            return nothing
        return generator.permuted(np.tile(np.arange(n_stimuli), (n_permutations, 1)), axis=1)
    names, numbers = np.unique(groups.astype(str), return_inverse=True)
    sizes = np.bincount(numbers)
    if len(set(sizes.tolist())) > 1 or count_orders(len(names), FEWEST_ORDERS) < FEWEST_ORDERS:
        return nothing
    members = np.argsort(numbers, kind="stable").reshape(len(names), -1)
    moved = generator.permuted(np.tile(np.arange(len(names)), (n_permutations, 1)), axis=1)
    orders = np.empty((n_permutations, n_stimuli), dtype=np.int64)
    orders[:, members.reshape(-1)] = members[moved].reshape(n_permutations, -1)
    return orders


def restrict_orders(orders: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Orders of some of the stimuli that agree with those of all: each stimulus goes on to the next that is among them.

    Participants with other stimuli thereby keep, in each order, what they have in common: their nulls vary together as
    their responses do.

    Parameters
    ----------
    orders : (n_permutations, n_stimuli), int
    rows : (n_some,), int

    >>> restrict_orders(np.array([[1, 2, 3, 0]]), np.array([0, 1, 3]))
    array([[1, 2, 0]])
    """
    place = np.full(orders.shape[1] if orders.size else int(rows.max(initial=-1)) + 1, -1)
    place[rows] = np.arange(len(rows))
    found = orders[:, rows]
    outside = np.nonzero(place[found] < 0)
    while len(outside[0]):
        found[outside] = orders[outside[0], found[outside]]
        still = place[found[outside]] < 0
        outside = (outside[0][still], outside[1][still])
    return place[found]


def draw_parts(n_stimuli: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The tenth that each stimulus belongs to, (n_stimuli,), int; groups are whole."""
    numbers = np.arange(n_stimuli) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    n = int(numbers.max()) + 1
    return (make_generator(seed, "parts", n).permutation(n) % min(_N_PARTS, n))[numbers]


def permute_r(
    refits: Refits, responses: np.ndarray, orders: np.ndarray, regions: Sequence[np.ndarray], *, median: bool
) -> np.ndarray:
    """The mean r over units of each region, (1 + n_permutations, n_regions): as it is, then with other orders.

    All is fitted anew. Giving other orders to the predictions alone would find p < .05 in one noise layer of eight: two
    stimuli meet twice, once as training and once as test stimulus.

    Parameters
    ----------
    refits : Refits
    responses : (n_stimuli, n_units), float
    orders : (n_permutations, n_stimuli), int
    regions : sequence of (n_units_of_it,), int
    median : bool
        Of splits; default their mean.
    """
    n_stimuli, n_units = responses.shape
    responses = (responses - responses.mean(axis=0)).astype(np.float32)
    everything = np.vstack([np.arange(len(responses), dtype=np.int64), orders])
    step = max(1, refits.n_columns // n_units)
    found: list[np.ndarray] = []
    for start in range(0, len(everything), step):
        some = everything[start : start + step]
        moved = responses[some].transpose(1, 0, 2).reshape(n_stimuli, -1)
        r = _combine(refits.correlate(moved), median=median).reshape(len(some), n_units)
        found.append(np.stack([r[:, units].mean(axis=1) for units in regions], axis=1))
    return np.concatenate(found)


def spread_r(
    predicted: Sequence[np.ndarray], responses: np.ndarray, splits: Sequence[Split], regions: Sequence[np.ndarray],
    again: Callable[[Sequence[Split]], np.ndarray], parts: np.ndarray, rows: np.ndarray, n_joined: int, *,
    constant: float | None = None,
) -> list[Spread]:  # fmt: skip
    r"""How far the mean r of each region varies with the stimuli that it is tested on and fitted to.

    The first is the infinitesimal jackknife's: each test stimulus moves r by :math:`z_i \hat z_i - r (z_i^2 +
    \hat z_i^2)/2`, z of unit variance; averaged over units first, so that units which vary together count as they
    should. The second is the jackknife's that leaves out a tenth of the stimuli.

    Parameters
    ----------
    predicted : sequence of (n_test, n_units)
        Of each split.
    responses : (n_stimuli, n_units), float
    splits : sequence of (train, test)
    regions : sequence of (n_units_of_it,), int
    again : callable
        r, (n_splits, n_units), after fitting to other training stimuli.
    parts : (n_stimuli,), int
    rows : (n_stimuli,), int
        Places of the stimuli among all that are joined, ``n_joined``.
    constant : float, optional
        Standard deviation up to which a prediction counts as constant.

    Source: Efron (1982), The jackknife, the bootstrap and other resampling plans, chapters 3 and 6.
    """
    tested = np.zeros((len(regions), n_joined))
    for found, (_, test) in zip(predicted, splits, strict=True):
        a, b, n = unit_columns(found, constant), unit_columns(responses[test]), len(test)
        products = a * b
        moved = n * (products - products.sum(axis=0) * (np.square(a) + np.square(b)) / 2)
        scale = len(splits) * np.sqrt(n * max(1, n - 2))
        for own, units in zip(tested, regions, strict=True):
            own[rows[test]] += moved[:, units].mean(axis=1) / scale
    without = [
        again([(train[parts[train] != part], test) for train, test in splits]).mean(axis=0) for part in np.unique(parts)
    ]
    return [
        Spread(own, np.array([r[units].mean() for r in without])) for own, units in zip(tested, regions, strict=True)
    ]


def find_r_half_width(spreads: Sequence[Spread], groups: np.ndarray | None, n_tested: int) -> float:
    """Half the 95 % interval of a mean r over units, folds and people; NaN where it cannot be told.

    Parameters
    ----------
    spreads : sequence of Spread
        Of each participant whose mean it is.
    groups : (n_joined,), optional
        Stimuli that vary together.
    n_tested : int
        Stimuli in the smallest test set.
    """
    moved = np.mean([spread.tested for spread in spreads], axis=0)
    without = np.mean([spread.trained for spread in spreads], axis=0)
    seen = np.any([spread.tested != 0 for spread in spreads], axis=0)
    n, correction = int(seen.sum()), 1.0
    if groups is not None:
        numbers = np.unique(groups[seen].astype(str), return_inverse=True)[1]
        moved = np.bincount(numbers, moved[seen])
        n = len(moved)
        correction = n / max(1, n - 1)
    tested = float(moved @ moved) * correction
    n_parts = len(without)
    trained = float(np.square(without - without.mean()).sum()) * (n_parts - 1) / n_parts
    freedoms = (n * (1 - 2 / n_tested), n_parts - 1)
    return find_half_width((tested, trained), freedoms) if min(freedoms) >= 1 else np.nan


def _combine(r: np.ndarray, *, median: bool) -> np.ndarray:
    return np.median(r, axis=0) if median else r.mean(axis=0)
