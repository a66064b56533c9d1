"""Balanced designs of pairs and triplets. Arrays in, arrays out."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from beholder._core.errors import InputError


def order_pairs(n_items: int, generator: np.random.Generator) -> np.ndarray:
    """All pairs of items, round by round, so that every run of pairs holds the items about equally often.

    Parameters
    ----------
    n_items : int
        At least 2.
    generator : numpy.random.Generator
        Draws which item is which, the order of the rounds, and the sides.

    Returns
    -------
    (n_pairs, 2), int64

    Notes
    -----
    Source: the circle method of round-robin tournaments (Kirkman, 1850).

    Examples
    --------
    >>> sorted(map(sorted, order_pairs(3, np.random.default_rng(0)).tolist()))
    [[0, 1], [0, 2], [1, 2]]
    """
    if n_items < 2:
        raise InputError("two stimuli or more", got=str(n_items))
    n = n_items + n_items % 2
    names = generator.permutation(n_items)
    ring = list(range(1, n))
    rounds = []
    for turn in range(n - 1):
        turned = [0, *ring[turn:], *ring[:turn]]
        pairs = [(turned[k], turned[n - 1 - k]) for k in range(n // 2)]
        rounds.append([pair for pair in pairs if max(pair) < n_items])
    made = []
    for turn in generator.permutation(n - 1):
        own = [rounds[turn][k] for k in generator.permutation(len(rounds[turn]))]
        made += [names[list(pair)] for pair in own]
    pairs = np.array(made, dtype=np.int64)
    flip = generator.permutation(len(pairs)) % 2 == 1
    pairs[flip] = pairs[flip, ::-1]
    return pairs


def assign_triplets(n_items: int, n_per_task: int, n_tasks: int, generator: np.random.Generator) -> np.ndarray:
    """Triplets in which all items are shown equally often and all pairs as nearly so as can be found.

    Items come from shuffled decks; a triplet is made of one of them and the two that were seen least often together
    with it, and with each other.

    Parameters
    ----------
    n_items : int
        At least 3.
    n_per_task, n_tasks : int
    generator : numpy.random.Generator

    Returns
    -------
    (n_tasks, n_per_task, 3), int64
        Items' counts differ by at most one. No triplet stands twice in a task where it asks for at most half of all.

    Examples
    --------
    >>> assign_triplets(6, 2, 1, np.random.default_rng(0)).shape
    (1, 2, 3)
    """
    if n_items < 3:
        raise InputError("three stimuli or more", got=str(n_items))
    together = np.zeros((n_items, n_items), dtype=np.int64)
    left: list[int] = []
    found = np.zeros((n_tasks, n_per_task, 3), dtype=np.int64)
    for task in range(n_tasks):
        before = together.copy()
        for place in range(n_per_task):
            triplet: list[int] = []
            while len(triplet) < 3:
                if not left:
                    left = generator.permutation(n_items).tolist()
                candidates = [item for item in left if item not in triplet]
                if not candidates:  # what is left of a deck is in the triplet already
                    left += generator.permutation(n_items).tolist()
                    continue
                triplet.append(_pick_partner(candidates, triplet, together, generator))
                left.remove(triplet[-1])
            for a, b in permutations(triplet, 2):
                together[a, b] += 1
            found[task, place] = triplet
        _part_repeated(found[task], generator)
        together = before + count_together(found[task], n_items)
        found[task] = generator.permuted(found[task], axis=1)
    return found


def _part_repeated(triplets: np.ndarray, generator: np.random.Generator) -> None:
    """Exchange members between triplets of a task until none stands there twice, or no exchange helps."""
    for p in range(len(triplets)):
        own = {tuple(row) for row in np.sort(np.delete(triplets, p, axis=0), axis=1).tolist()}
        if tuple(sorted(triplets[p].tolist())) not in own:
            continue
        for q, i, j in ((q, i, j) for q in generator.permutation(len(triplets)) for i in range(3) for j in range(3)):
            if q == p:
                continue
            rest = {tuple(row) for row in np.sort(np.delete(triplets, [p, q], axis=0), axis=1).tolist()}
            one, other = triplets[p].tolist(), triplets[q].tolist()
            one[i], other[j] = other[j], one[i]
            keys = tuple(sorted(one)), tuple(sorted(other))
            if len(set(one)) == len(set(other)) == 3 and keys[0] != keys[1] and not rest & set(keys):
                triplets[p], triplets[q] = one, other
                break


def _pick_partner(
    candidates: list[int], triplet: list[int], together: np.ndarray, generator: np.random.Generator
) -> int:
    """The candidate that was least often seen with those that are there; ties are drawn."""
    order = generator.permutation(len(candidates))
    if not triplet:
        return candidates[order[0]]
    counts = together[np.ix_(triplet, candidates)].sum(axis=0)
    return candidates[order[int(counts[order].argmin())]]


def count_together(triplets: np.ndarray, n_items: int) -> np.ndarray:
    """How often each pair of items stands in one triplet or pair.

    Parameters
    ----------
    triplets : (..., 2 or 3), int
    n_items : int

    Returns
    -------
    (n_items, n_items), int64
        Symmetric; the diagonal counts showings.
    """
    rows = triplets.reshape(-1, triplets.shape[-1])
    shown = np.zeros((len(rows), n_items), dtype=np.int64)
    np.add.at(shown, (np.arange(len(rows))[:, None], rows), 1)
    return shown.T @ shown
