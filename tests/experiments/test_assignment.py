"""Dealing: every item equally often, nothing twice in a task, conditions over items, pairs and triplets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beholder._core.errors import InputError
from beholder.experiments.design._assignment import (
    assign_catch,
    assign_decks,
    balance_conditions,
    explain_counts,
    interleave,
)
from beholder.experiments.design._designs import assign_triplets, count_together, order_pairs
from beholder.experiments.design._plan_recognition import assign_conditions, check_design

FLAGS = ("-nt", "-nh", "-upm")


def shuffles(seed: int, n: int):
    generator = np.random.default_rng(seed)
    return lambda deck: generator.permutation(n)


@given(st.integers(1, 60), st.data(), st.integers(1, 40), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_decks(n_items: int, data: st.DataObject, n_tasks: int, seed: int) -> None:
    n_per_task = data.draw(st.integers(0, n_items))
    items, decks = assign_decks(n_items, n_per_task, n_tasks, shuffles(seed, n_items))
    assert items.shape == decks.shape == (n_tasks, n_per_task)
    counts = np.zeros(n_items, dtype=int)
    for row in items:
        assert len(set(row.tolist())) == n_per_task, "nothing twice in a task"
        counts[row] += 1
        assert counts.max() - counts.min() <= 1, "at every boundary"
    if n_per_task * n_tasks % n_items == 0:
        assert (counts == n_per_task * n_tasks // n_items).all()
    for deck in np.unique(decks[:, :]):
        own = items[decks == deck]
        assert len(set(own.tolist())) == len(own), "a deck holds an item once"


def test_more_items_a_task_than_there_are() -> None:
    with pytest.raises(InputError, match="at most 3 items"):
        assign_decks(3, 4, 1, shuffles(0, 3))


@given(st.integers(1, 30), st.integers(1, 60), st.integers(1, 90), st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_nearest_counts_are_possible_and_nearest(n_per_task: int, n_tasks: int, n_items: int, more: int) -> None:
    assume(n_per_task <= n_items and n_per_task * n_tasks % n_items)
    available = n_items + more
    told = dict(word.split() for word in explain_counts(FLAGS, n_per_task, n_tasks, n_items, available).split(" or "))

    def nearest(wanted: int, fits) -> int | None:
        return min((abs(n - wanted) for n in range(1, 4000) if fits(n)), default=None)

    checks = {
        "-nt": (n_per_task, lambda n: n <= n_items and n * n_tasks % n_items == 0),
        "-nh": (n_tasks, lambda n: n * n_per_task % n_items == 0),
        "-upm": (n_items, lambda n: n_per_task <= n <= available and n_per_task * n_tasks % n == 0),
    }
    for flag, (wanted, fits) in checks.items():
        if flag in told:
            assert fits(int(told[flag]))
            assert abs(int(told[flag]) - wanted) == nearest(wanted, fits)
        else:
            assert nearest(wanted, fits) is None


def test_catch_items_take_turns() -> None:
    generator = np.random.default_rng(0)
    available = [np.setdiff1d(np.arange(9), row) for row in ([0, 1, 2], [3, 4, 5], [6, 7, 8]) * 6]
    rows = assign_catch(available, 9, 2, generator)
    assert all(set(row) <= set(own.tolist()) and len(set(row)) == 2 for row, own in zip(rows, available, strict=True))
    assert np.ptp(np.bincount(np.ravel(rows), minlength=9)) <= 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_conditions_are_spread(labels: list[int], n_conditions: int, seed: int) -> None:
    found = balance_conditions(np.array(labels), n_conditions, np.random.default_rng(seed))
    assert np.ptp(np.bincount(found, minlength=n_conditions)) <= 1
    for label in set(labels):
        own = np.bincount(found[np.array(labels) == label], minlength=n_conditions)
        assert np.ptp(own) <= 1, "within a category too"
    order = interleave(found, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))
    if len(labels) % n_conditions == 0:
        run = found[order].reshape(-1, n_conditions)
        assert all(len(set(row)) == n_conditions for row in run.tolist())


@given(st.integers(2, 40), st.integers(1, 7), st.data(), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_stimuli_go_through_all_conditions(n: int, n_conditions: int, data: st.DataObject, seed: int) -> None:
    n_trials = data.draw(st.integers(1, n))
    n_trials, n_tasks, notes = check_design(n, n_conditions, n_trials, None)
    assert notes == []
    labels = [i % 3 for i in range(n)]
    stimuli, conditions = assign_conditions(labels, n_conditions, n_trials, n_tasks, seed)
    table = np.zeros((n, n_conditions), dtype=int)
    np.add.at(table, (stimuli.ravel(), conditions.ravel()), 1)
    assert np.ptp(table) == 0, "every stimulus equally often in every condition"
    assert all(len(set(row)) == n_trials for row in stimuli.tolist()), "once a participant"
    if n_trials == n:
        assert all(np.ptp(np.bincount(row, minlength=n_conditions)) <= 1 for row in conditions)


def test_conditions_are_even_within_a_participant_of_some_stimuli() -> None:
    for n_trials, n_tasks, most in ((20, 12, 0), (36, 20, 3)):
        _, conditions = assign_conditions([i % 5 for i in range(60)], 4, n_trials, n_tasks, 1)
        assert max(np.ptp(np.bincount(row, minlength=4)) for row in conditions) <= most


def test_any_number_of_participants_stays_within_one() -> None:
    stimuli, conditions = assign_conditions([0] * 30, 4, 30, 7, 1)
    for k in range(1, 8):
        table = np.zeros((30, 4), dtype=int)
        np.add.at(table, (stimuli[:k].ravel(), conditions[:k].ravel()), 1)
        assert np.ptp(table) <= 1
    assert check_design(30, 4, 30, 7)[2] == [
        "a stimulus is not shown equally often in all 4 conditions; with -nh 8 it is"
    ]
    with pytest.raises(InputError, match=r"multiple of the 30 stimuli; got 7 x 20 = 140; try n_trials=30 or n_tasks=6"):
        check_design(30, 4, 20, 7)


@given(st.integers(2, 25), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_all_pairs_in_rounds(n_items: int, seed: int) -> None:
    pairs = order_pairs(n_items, np.random.default_rng(seed))
    assert {tuple(sorted(pair)) for pair in pairs.tolist()} == set(combinations(range(n_items), 2))
    assert len(pairs) == n_items * (n_items - 1) // 2
    per_round = n_items // 2
    for start in range(0, len(pairs), per_round):
        assert np.bincount(pairs[start : start + per_round].ravel()).max() == 1, "an item once a round"


@given(st.integers(5, 20), st.data(), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_triplets(n_items: int, data: st.DataObject, n_tasks: int, seed: int) -> None:
    n_trials = data.draw(st.integers(1, n_items * (n_items - 1) * (n_items - 2) // 12))
    triplets = assign_triplets(n_items, min(n_trials, 60), n_tasks, np.random.default_rng(seed))
    for task in triplets.tolist():
        assert all(len(set(triplet)) == 3 for triplet in task)
        assert len({tuple(sorted(triplet)) for triplet in task}) == len(task), "no triplet twice in a task"
    assert np.ptp(np.diag(count_together(triplets, n_items))) <= 1, "stimuli equally often"


def test_pairs_meet_more_evenly_than_by_chance() -> None:
    def spread(triplets: np.ndarray) -> float:
        counts = count_together(triplets, 20)[np.triu_indices(20, 1)]
        return float(counts.var())

    generator = np.random.default_rng(0)
    drawn = np.stack([[generator.permutation(20)[:3] for _ in range(40)] for _ in range(10)])
    assert spread(assign_triplets(20, 40, 10, generator)) < spread(drawn) / 3


def test_counts_of_pairs_are_right() -> None:
    together = count_together(np.array([[[0, 1, 2], [0, 1, 3]]]), 4)
    assert together.tolist() == [[2, 2, 1, 1], [2, 2, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1]]
