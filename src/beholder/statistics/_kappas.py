"""Error consistency of many observers at once, averaged over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.statistics._crossed import CrossedEstimates, Over, draw_counts


@final
@dataclass(frozen=True, eq=False)
class MeanKappas:
    """Mean error consistency of networks with people, and of people with one another.

    Attributes
    ----------
    kappas : (n_conditions, n_observers, n_people)
        Of every observer (people first, then networks) with every person; NaN with oneself and where it is not defined.
    crossed : CrossedEstimates
        A value for each network, then the people's: means over conditions, then over people (pairs of people).
    p : (n_networks + 1,)
        Of the same, against 0: the proportion of shuffles of each network's answers over stimuli within conditions (of
        each person's, last) whose mean is as far from 0, two-sided. NaN without shuffles.
    p_corrected : (n_networks + 1,)
        Of networks, corrected for their number by the largest of them in each shuffle, in units of its spread.
    """

    kappas: np.ndarray
    crossed: CrossedEstimates
    p: np.ndarray
    p_corrected: np.ndarray


@suggest_keywords
def compute_kappas(correct_1: Any, correct_2: Any, counts: Any = None) -> np.ndarray:
    """Error consistency of every observer of one group with every one of another, over the stimuli that both answered.

    Parameters
    ----------
    correct_1, correct_2 : (n_observers, n_stimuli), float
        1 right, 0 wrong, NaN where a stimulus was not answered.
    counts : (n_draws, n_stimuli), float, optional
        How often each stimulus counts in each draw.

    Returns
    -------
    numpy.ndarray
        (n_draws, n_observers_1, n_observers_2), or without the first axis where there are no counts; NaN where both are
        right, or both wrong, on every stimulus.

    Examples
    --------
    >>> compute_kappas([[1, 1, 0, 0]], [[1, 1, 0, 1], [0, 0, 1, 1]]).tolist()
    [[0.5, -1.0]]
    """
    one, two = (np.asarray(each, dtype=np.float64) for each in (correct_1, correct_2))
    there_1, there_2 = np.isfinite(one), np.isfinite(two)
    right_1, right_2 = np.where(there_1, one, 0), np.where(there_2, two, 0)
    drawn = np.ones((1, one.shape[1])) if counts is None else np.asarray(counts, dtype=np.float64)
    right, shown = right_2.T.copy(), there_2.T.astype(np.float64)
    found = np.empty((len(drawn), len(one), len(two)))
    for place, (own_right, own_there) in enumerate(zip(right_1, there_1, strict=True)):
        hits, present = drawn * own_right, drawn * own_there
        found[:, place] = _kappa(present @ shown, hits @ shown, present @ right, hits @ right)
    return found[0] if counts is None else found


@suggest_keywords
def average_kappas(
    people: Sequence[Any],
    networks: Sequence[Any],
    *,
    over: Over = "both",
    n_draws: int = 1000,
    n_permutations: int = 1000,
    seed: int = DEFAULT_SEED,
) -> MeanKappas:
    """Mean error consistency of each network with people, and of people with one another, their ceiling.

    Computed in each condition, averaged over conditions and then over people, as published; an undefined one is left
    out. Stimuli are drawn within conditions, people with all their answers; a person drawn twice is no pair.

    Parameters
    ----------
    people, networks : sequence of (n_people, n_stimuli) and (n_networks, n_stimuli), float
        An array a condition; 1 right, 0 wrong, NaN not answered.
    over : {"both", "stimuli", "people"}
    n_draws, n_permutations, seed : int

    Raises
    ------
    InputError
        No person, or unlike numbers of conditions.

    Notes
    -----
    Source: Geirhos, Meding & Wichmann 2020, NeurIPS 33; averages: Geirhos et al. 2021, NeurIPS 34, appendix. The
    interval's variance: Schütt et al. 2023, eLife 12:e82566.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> hard = rng.random(200)
    >>> people = (rng.random((5, 200)) > hard).astype(float)
    >>> found = average_kappas([people], [1 - people[:1]], n_draws=50, n_permutations=50)
    >>> bool(found.crossed.values[0] < 0 < found.crossed.values[1])
    True
    """
    persons = [np.asarray(each, dtype=np.float64) for each in people]
    nets = [np.asarray(each, dtype=np.float64).reshape(-1, each.shape[1]) for each in networks]
    if not persons or len(persons) != len(nets) or not len(persons[0]):
        raise InputError("answers of people and networks in each condition", got=f"{len(persons)} and {len(nets)}")
    n = len(persons[0])
    observers = [np.concatenate(pair) for pair in zip(persons, nets, strict=True)]
    kappas = np.stack([compute_kappas(each, own) for each, own in zip(observers, persons, strict=True)])
    kappas[:, np.arange(n), np.arange(n)] = np.nan
    drawn = _draw_stimuli(observers, persons, n_draws, seed)
    drawn[:, np.arange(n), np.arange(n)] = np.nan
    everyone = np.ones((1, n))
    counts = draw_counts(n, n_draws, seed, "people")
    whole = _mean_finite(kappas)[None]
    crossed = CrossedEstimates(
        _average(whole, everyone, n)[0], _average(drawn, everyone, n), _average(whole, counts, n),
        _average(drawn, counts, n), sum(each.shape[1] for each in persons), n, over, most=1.0,
    )  # fmt: skip
    return MeanKappas(kappas, crossed, *_test(persons, nets, crossed.values, n_permutations, seed))


def _kappa(n: np.ndarray, right_1: np.ndarray, right_2: np.ndarray, both: np.ndarray) -> np.ndarray:
    """From numbers of stimuli, of right answers of either, and of stimuli that both got right."""
    squared = n * n
    by_chance = right_1 * right_2 + (n - right_1) * (n - right_2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = ((n - right_1 - right_2 + 2 * both) * n - by_chance) / (squared - by_chance)
    return np.where(squared > by_chance, found, np.nan)


def _draw_stimuli(
    observers: Sequence[np.ndarray], persons: Sequence[np.ndarray], n_draws: int, seed: int
) -> np.ndarray:
    """Means over conditions for each draw of stimuli within them, (n_draws, n_observers, n_people)."""
    total = np.zeros((n_draws, len(observers[0]), len(persons[0])))
    known = np.zeros_like(total)
    for place, (each, own) in enumerate(zip(observers, persons, strict=True)):
        found = compute_kappas(each, own, draw_counts(each.shape[1], n_draws, seed, "stimuli", str(place)))
        there = np.isfinite(found)
        total += np.where(there, found, 0)
        known += there
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known > 0, total / known, np.nan)


def _mean_finite(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is defined; NaN where nothing is."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there.any(axis=0), np.where(there, values, 0).sum(axis=0) / there.sum(axis=0), np.nan)


def _average(kappas: np.ndarray, counts: np.ndarray, n: int) -> np.ndarray:
    """Means of each network over people, then of all pairs of people, (n_draws, n_networks + 1), people weighted."""
    there = np.isfinite(kappas)
    known = np.where(there, kappas, 0)
    weights = np.broadcast_to(counts, (max(len(kappas), len(counts)), n))
    sums = np.einsum("dmi,di->dm", np.broadcast_to(known, (len(weights), *known.shape[1:])), weights)
    shown = np.broadcast_to(there, (len(weights), *there.shape[1:])).astype(np.float64)
    sizes = np.einsum("dmi,di->dm", shown, weights)
    total = np.concatenate([sums[:, n:], (sums[:, :n] * weights).sum(axis=1, keepdims=True)], axis=1)
    size = np.concatenate([sizes[:, n:], (sizes[:, :n] * weights).sum(axis=1, keepdims=True)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, total / size, np.nan)


def _test(
    persons: Sequence[np.ndarray], nets: Sequence[np.ndarray], values: np.ndarray, n_permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p of each value against shuffled answers, and corrected for all networks; NaN where there is none.

    Networks reach unlike values by chance, so that the largest is taken of values over their standard deviation.
    """
    n, n_nets = len(persons[0]), len(nets[0])
    generator = make_generator(seed, "permutation", "kappas")
    null = np.full((n_permutations, len(values)), np.nan)
    for row in null:
        found: list[np.ndarray] = []
        for own, each in zip(persons, nets, strict=True):
            moved, of_nets = _shuffle(own, generator), _shuffle(each, generator)
            found.append(np.concatenate([compute_kappas(moved, moved), compute_kappas(of_nets, own)]))
        means = np.stack(found)
        means[:, np.arange(n), np.arange(n)] = np.nan
        row[:] = _average(_mean_finite(means)[None], np.ones((1, n)), n)[0]
    known = np.isfinite(values) & np.isfinite(null).all(axis=0) & (n_permutations > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(known, np.sqrt((null**2).mean(axis=0)) if n_permutations else 1.0, np.nan)
        scores, drawn = (np.abs(each / np.where(scale > 0, scale, 1.0)) for each in (values, null))
    tested = np.flatnonzero(known[:n_nets])
    largest = drawn[:, tested].max(axis=1, initial=0)
    p = (1 + (drawn >= scores - 1e-9).sum(axis=0)) / (1 + n_permutations)
    p_corrected = (1 + (largest[:, None] >= scores - 1e-9).sum(axis=0)) / (1 + n_permutations)
    p_corrected[n_nets:] = p[n_nets:]
    return np.where(known, p, np.nan), np.where(known, p_corrected, np.nan)


def _shuffle(correct: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each row's answers in another order among the stimuli that it answered."""
    if np.isfinite(correct).all():
        return generator.permuted(correct, axis=1)
    keys = generator.random(correct.shape)
    keys[~np.isfinite(correct)] = np.inf
    order = np.argsort(keys, axis=1)
    moved = np.full_like(correct, np.nan)
    for row, (values, own) in enumerate(zip(correct, order, strict=True)):
        there = np.isfinite(values)
        moved[row, there] = values[own[: there.sum()]]
    return moved
