"""Which stimuli validate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from beholder._core.errors import InputError
from beholder.training.data._split import choose_held_out, rank_ids, select_where

IDS = [f"picture_{i}" for i in range(3000)]
LABELS = np.arange(3000) % 7


def test_numbers_of_ids_are_uniform_and_the_same_everywhere() -> None:
    numbers = rank_ids(IDS)
    assert kstest(numbers, "uniform").pvalue > 0.01
    assert np.allclose(rank_ids(["a", "ä"]), [0.413211, 0.543260], atol=1e-6)


def test_the_part_is_of_its_size_in_every_class() -> None:
    held = choose_held_out(IDS, LABELS, 0.2)
    by_class = np.array([held[k == LABELS].mean() for k in range(7)])
    assert np.all(np.abs(by_class - 0.2) < 4 * np.sqrt(0.16 / 428))
    assert not choose_held_out(IDS, LABELS, 0).any()


def test_stimuli_stay_on_their_side_when_others_come() -> None:
    held = choose_held_out(IDS[:1000], LABELS[:1000], 0.1)
    assert np.array_equal(choose_held_out(IDS, LABELS, 0.1)[:1000], held)
    order = np.random.default_rng(0).permutation(1000)
    again = choose_held_out([IDS[i] for i in order], LABELS[order], 0.1)
    assert np.array_equal(again, held[order])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.sampled_from([0.01, 0.5, 0.99]))
def test_each_class_of_several_has_both_sides(labels: list[int], part: float) -> None:
    numbers = np.array(labels)
    held = choose_held_out([f"{i}" for i in range(len(labels))], numbers, part)
    for label in set(labels):
        own = held[numbers == label]
        assert (own.any() and not own.all()) if len(own) > 1 else not own.any()


def test_columns_choose() -> None:
    columns = {"take": ["0", "4", "10", "x"], "split": ["val", "train", None, "a-b"]}
    assert select_where(columns, "take=0-4").tolist() == [True, True, False, False]
    assert select_where(columns, "take=0-4, x").tolist() == [True, True, False, True]
    assert select_where(columns, "split=a-b").tolist() == [False, False, False, True]
    for wrong in ("take", "take=", "tale=3", "take=5-9", "take=7"):
        with pytest.raises(InputError):
            select_where(columns, wrong)
