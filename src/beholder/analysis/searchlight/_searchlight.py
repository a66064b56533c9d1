"""RDMs of many neighbourhoods, each compared with every layer's as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.distances._repeats import average_repeats

COMPARISONS = ("spearman", "rho-a", "pearson", "cosine")
"""Comparisons that are one product of vectors, so that every layer and every permutation costs a product."""

_BLOCK_BYTES = 16 * 2**20


@final
@dataclass(frozen=True, eq=False)
class Searchlight:
    """How alike the RDM around each unit is to those of layers.

    Attributes
    ----------
    estimates : (n_rdms, n_centres), float64
        NaN where there are too few units, or one stimulus has no direction there.
    p : (n_rdms, n_centres), float64
        Of the largest value anywhere in the map under permutations of the stimuli, one-sided, (1 + k) / (1 + n); NaN
        without permutations.
    n_units : (n_centres,), int
        Units in each neighbourhood that were measured.
    n_small, n_undefined : int
        Centres with too few units, and others without an estimate.
    n_permutations : int
    """

    estimates: np.ndarray
    p: np.ndarray
    n_units: np.ndarray
    n_small: int
    n_undefined: int
    n_permutations: int


@suggest_keywords
def compute_searchlight(
    values: Any,
    neighbourhoods: Iterable[np.ndarray],
    rdms: Any,
    distance: str = "correlation",
    method: str = "spearman",
    min_units: int = 5,
    n_permutations: int = 0,
    seed: int = DEFAULT_SEED,
    folds: Any = None,
) -> Searchlight:
    """Compare the RDM of each neighbourhood with several RDMs, in one pass over the neighbourhoods.

    Parameters
    ----------
    values : (n_stimuli, n_repeats, n_units), float
        NaN for a repeat that was not measured. A unit that misses a stimulus altogether is in no neighbourhood.
    neighbourhoods : iterable of ndarray of int
        Units around each centre, such as :func:`iter_ball_neighbours` yields; one is held at a time.
    rdms : (n_rdms, n_pairs), float
        Condensed, such as one a layer; a pair that is NaN in one of them is left out for all.
    distance : str
        A name in :data:`beholder.analysis.DISTANCES`. ``crossnobis`` and ``mahalanobis`` estimate the noise within each
        neighbourhood.
    method : {"spearman", "rho-a", "pearson", "cosine"}
    min_units : int
        Neighbourhoods of fewer have no estimate: a correlation over two or three units is nearly always 1 or -1.
    n_permutations : int
        Permutations of the stimuli, the same for every centre and RDM, for ``p``; 0 for none.
    seed : int
    folds : (n_repeats,) or (n_stimuli, n_repeats), optional
        Runs of the repeats, for ``crossnobis``.

    Raises
    ------
    InputError
        For shapes that do not fit, RDMs that do not vary, or no centre with units enough.

    Notes
    -----
    Sources: Kriegeskorte, Goebel and Bandettini (2006), Information-based functional brain mapping, PNAS 103; Nili et
    al. (2014), A toolbox for representational similarity analysis, PLoS Comput. Biol. 10.

    Examples
    --------
    >>> values = np.random.default_rng(0).standard_normal((6, 1, 20))
    >>> rdm = DISTANCES["correlation"].compute(values[:, :, :10])
    >>> found = compute_searchlight(values, [np.arange(10), np.arange(10, 20)], rdm[None], method="pearson")
    >>> found.estimates.round(3)[0, 0].item(), found.n_units.tolist()
    (1.0, [10, 10])
    """
    if method not in COMPARISONS:
        raise UnknownNameError("comparison of a searchlight", method, COMPARISONS)
    measure = DISTANCES[distance]
    array = np.asarray(values)
    models = np.atleast_2d(np.asarray(rdms, dtype=np.float64))
    n_stimuli = len(array)
    if array.ndim != 3 or models.shape[1:] != (n_stimuli * (n_stimuli - 1) // 2,):
        raise InputError(
            "values (n_stimuli, n_repeats, n_units) and RDMs (n_rdms, n_pairs) of the same stimuli",
            got=f"shapes {array.shape} and {models.shape}",
        )
    known = np.asarray(np.isfinite(models).all(axis=0))
    if known.sum() < 3:
        raise InputError("three pairs or more that every RDM has", got=f"{int(known.sum())}")
    wanted = _list_permuted(models, known, method, n_permutations, seed)
    measured = np.flatnonzero(~np.isnan(average_repeats(array)).any(axis=0))
    if not measure.needs_repeats:
        array = average_repeats(array)[:, None]
    is_measured = np.zeros(array.shape[2], bool)
    is_measured[measured] = True
    step = max(1, _BLOCK_BYTES // (8 * int(known.sum())))
    block: list[np.ndarray] = []
    compared: list[np.ndarray] = []
    largest = np.full((n_permutations, len(models)), -np.inf)
    n_units: list[int] = []

    def compare() -> None:
        found = _prepare(np.stack(block), method) @ wanted.T
        block.clear()
        found = found.reshape(len(found), 1 + n_permutations, len(models))
        compared.append(found[:, 0].astype(np.float64))
        if n_permutations:
            np.maximum(largest, np.nanmax(np.where(np.isnan(found[:, 1:]), -np.inf, found[:, 1:]), axis=0), out=largest)

    for neighbours in neighbourhoods:
        units = neighbours[is_measured[neighbours]]
        n_units.append(len(units))
        if len(units) < min_units:
            block.append(np.full(int(known.sum()), np.nan))
        else:
            block.append(measure.compute(array[:, :, units], folds=folds)[known])
        if len(block) == step:
            compare()
    if block:
        compare()
    sizes = np.array(n_units, dtype=np.int64)
    if not (sizes >= min_units).any():
        largest_size = int(sizes.max(initial=0))
        raise InputError(
            f"a neighbourhood of {min_units} measured units or more",
            got=f"{len(sizes)}, of {largest_size} units at most",
            hint="a larger radius",
        )  # fmt: skip
    estimates = np.concatenate(compared).T
    p = np.full(estimates.shape, np.nan)
    if n_permutations:
        p = _rank_among(estimates, largest)
    n_small = int((sizes < min_units).sum())
    n_undefined = int(np.isnan(estimates).all(axis=0).sum()) - n_small
    return Searchlight(estimates, p, sizes, n_small, n_undefined, n_permutations)


def _rank_among(estimates: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """(1 + number of maps whose largest value reaches it) / (1 + number of maps)."""
    p = np.full(estimates.shape, np.nan)
    for row, values in enumerate(estimates):
        null = np.sort(largest[:, row])
        reached = len(null) - np.asarray(cast(Any, np.searchsorted(null, values - 1e-6)))
        p[row] = np.where(np.isnan(values), np.nan, (1 + reached) / (1 + len(null)))
    return p


def _list_permuted(models: np.ndarray, known: np.ndarray, method: str, n_permutations: int, seed: int) -> np.ndarray:
    """RDMs of the stimuli in their order and permuted, ready to be multiplied: (1 + n_permutations) * n_rdms rows."""
    n_stimuli = round((1 + np.sqrt(1 + 8 * models.shape[1])) / 2)
    first, second = np.triu_indices(n_stimuli, 1)
    places = np.zeros((n_stimuli, n_stimuli), dtype=np.int64)
    places[first, second] = places[second, first] = np.arange(len(first))
    generator = make_generator(seed, "searchlight permutations")
    rows = [models[:, known]]
    for _ in range(n_permutations):
        order = generator.permutation(n_stimuli)
        rows.append(models[:, places[order[first], order[second]]][:, known])
    flat = np.flatnonzero(np.ptp(rows[0], axis=1) == 0)
    if len(flat):
        raise InputError("RDMs that vary", got=f"RDM {flat[0]} constant")
    return np.concatenate([_prepare(each, method) for each in rows])


def _prepare(rows: np.ndarray, method: str) -> np.ndarray:
    """Rows whose products are the comparison; NaN rows for those with a NaN or without variation."""
    bad = np.asarray(~np.isfinite(rows).all(axis=1))
    if method in ("spearman", "rho-a"):
        rows = _rank_rows(np.where(bad[:, None], 0, rows))
    rows = rows.astype(np.float32)
    if method != "cosine":
        rows = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    if method == "rho-a":
        n = rows.shape[1]
        lengths = np.full(len(rows), np.sqrt((float(n) ** 3 - n) / 12))
    else:
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    lengths[bad | (lengths == 0)] = np.nan
    return rows / lengths[:, None].astype(np.float32)


def _rank_rows(rows: np.ndarray) -> np.ndarray:
    """Average ranks of each row."""
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, axis=1)
    ranks = np.empty(rows.shape, np.float32)
    np.put_along_axis(ranks, order, np.arange(1, rows.shape[1] + 1, dtype=np.float32)[None], axis=1)
    tied = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if len(tied):
        from beholder.activations import rank_values

        for row in tied:
            ranks[row] = rank_values(rows[row])
    return ranks
