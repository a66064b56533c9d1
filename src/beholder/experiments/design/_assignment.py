"""Assigning items to tasks: every item equally often, never twice in a task, no order trend. Arrays in, arrays out."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count


def assign_decks(
    n_items: int, n_per_task: int, n_tasks: int, shuffle: Callable[[int], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Deal items from shuffled decks: a new deck when one is used up, nothing twice in a task.

    At every boundary between tasks the items' counts differ by at most one.

    Parameters
    ----------
    n_items : int
    n_per_task : int
        At most ``n_items``.
    n_tasks : int
    shuffle : callable
        Number of the deck, from 0, to an order of all items, (n_items,), int.

    Returns
    -------
    items : (n_tasks, n_per_task), int64
    decks : (n_tasks, n_per_task), int64
        The deck that each comes from.

    Raises
    ------
    InputError
        More items a task than there are.

    Notes
    -----
    Source: the released task structure of Zimmermann, Klein & Brendel (2023).

    Examples
    --------
    >>> assign_decks(4, 3, 2, lambda deck: np.arange(4))[0].tolist()
    [[0, 1, 2], [3, 0, 1]]
    """
    if not 0 <= n_per_task <= n_items:
        raise InputError(f"at most {n_items} items a task", got=str(n_per_task))
    items = np.zeros((n_tasks, n_per_task), dtype=np.int64)
    decks = np.zeros_like(items)
    left: list[int] = []
    deck = -1
    for task in range(n_tasks):
        taken, left = left[:n_per_task], left[n_per_task:]
        n_old = len(taken)
        old_deck = deck
        if n_old < n_per_task:
            deck += 1
            fresh = [int(item) for item in shuffle(deck)]
            wanted = n_per_task - n_old
            more = [item for item in fresh if item not in taken][:wanted]
            left = [item for item in fresh if item not in more]
            taken = [*taken, *more]
        items[task] = taken
        decks[task, :n_old] = old_deck
        decks[task, n_old:] = deck
    return items, decks


def assign_catch(
    available: list[np.ndarray], n_items: int, n_per_task: int, generator: np.random.Generator
) -> list[list[int]]:
    """For each task, the items shown least often so far among those it may have; ties are drawn.

    Parameters
    ----------
    available : list of (n,) int arrays
        For each task, at least ``n_per_task`` items.
    n_items, n_per_task : int
    generator : numpy.random.Generator

    Returns
    -------
    list of list of int
        ``n_per_task`` different items a task.
    """
    counts = np.zeros(n_items, dtype=np.int64)
    found = []
    for items in available:
        order = generator.permutation(items)
        chosen = order[np.argsort(counts[order], kind="stable")][:n_per_task]
        counts[chosen] += 1
        found.append([int(item) for item in chosen])
    return found


def balance_conditions(labels: np.ndarray, n_conditions: int, generator: np.random.Generator) -> np.ndarray:
    """A condition for every item, equally often overall and, as far as possible, within every label.

    Parameters
    ----------
    labels : (n_items,), int
    n_conditions : int
    generator : numpy.random.Generator

    Returns
    -------
    (n_items,), int64
        Adding the number of the deck, modulo ``n_conditions``, shows every item once in every condition.
    """
    order = generator.permutation(len(labels))
    order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    conditions = np.empty(len(labels), dtype=np.int64)
    conditions[order] = (np.arange(len(labels)) + generator.integers(n_conditions)) % n_conditions
    return conditions


def interleave(conditions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """An order of items in which every run holds all conditions about equally often.

    Parameters
    ----------
    conditions : (n_items,), int
    generator : numpy.random.Generator

    Returns
    -------
    (n_items,), int64
    """
    order = generator.permutation(len(conditions))
    kinds = generator.permutation(np.unique(conditions))
    rank = np.empty(len(conditions), dtype=np.int64)
    for kind in kinds:
        members = order[conditions[order] == kind]
        rank[members] = np.arange(len(members))
    place = np.argsort(kinds)[np.searchsorted(np.sort(kinds), conditions)]
    return np.lexsort((place, rank))


def cut_rows(n_rows: int, n_per_row: int, n_parts: int) -> list[tuple[int, slice]]:
    """Cut every participant's row of trials into as many sessions, whose sizes differ by one at most.

    Dealt rows are balanced in every run, so parts that follow each other are balanced too.

    Returns
    -------
    list of (int, slice)
        Row, and which of its places: a session each, those of a row one after the other.

    Examples
    --------
    >>> cut_rows(1, 5, 2)
    [(0, slice(0, 3, None)), (0, slice(3, 5, None))]
    """
    short, n_long = divmod(n_per_row, n_parts)
    ends = [(k + 1) * short + min(k + 1, n_long) for k in range(n_parts)]
    return [(row, slice(a, b)) for row in range(n_rows) for a, b in zip([0, *ends], ends, strict=False)]


def explain_counts(
    names: tuple[str, str, str], n_per_task: int, n_tasks: int, n_items: int, available: int, n_parts: int = 1
) -> str:
    """The nearest numbers with which every item is shown equally often: ``"-nt 21 or -nh 42"``.

    Parameters
    ----------
    names : (str, str, str)
        Flags of items a task, tasks, and items; an empty one cannot be changed.
    n_per_task, n_tasks, n_items : int
        What was asked for; ``n_per_task`` of all sessions of a participant.
    available : int
        Most items there can be.
    n_parts : int
        Sessions into which a task is cut: the flag counts the items of one.
    """
    found = []
    step = n_items // math.gcd(n_items, n_tasks)
    step = math.lcm(step, n_parts)
    near = _find_nearest(n_per_task, range(step, n_items + 1, step))
    if names[0] and near:
        found.append(f"{names[0]} {near // n_parts}")
    step = n_items // math.gcd(n_items, n_per_task)
    near = _find_nearest(n_tasks, (step * max(n_tasks // step, 1), step * (n_tasks // step + 1)))
    if names[1] and near:
        found.append(f"{names[1]} {near}")
    total = n_per_task * n_tasks
    near = _find_nearest(n_items, (n for n in range(max(n_per_task, 1), available + 1) if total % n == 0))
    if names[2] and near:
        found.append(f"{names[2]} {near}")
    return " or ".join(found)


def show_product(n_tasks: int, n_per_task: int, n_parts: int = 1) -> str:
    """How many items are shown in all, with the numbers that were asked for.

    >>> show_product(3, 40), show_product(3, 40, 2)
    ('3 x 40 = 120', '3 x 20 x 2 sessions = 120')
    """
    each = f"{n_per_task}" if n_parts == 1 else f"{n_per_task / n_parts:g} x {format_count(n_parts, 'session')}"
    return f"{n_tasks} x {each} = {n_tasks * n_per_task}"


def _find_nearest(wanted: int, candidates) -> int | None:
    return min(candidates, key=lambda n: (abs(n - wanted), n), default=None)
