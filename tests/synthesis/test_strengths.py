"""The search for the strength of diversity, against the released code's loop written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholder.synthesis.visualizations._search import POWERS, Trial, find_bracket, propose_strength


def run_search(accepts: Callable[[float], bool], max_loops: int) -> list[Trial]:
    trials: list[Trial] = []
    while (strength := propose_strength(trials, max_loops)) is not None:
        trials.append((strength, accepts(strength)))
        assert len(trials) < 100
    return trials


def search_as_released(accepts: Callable[[float], bool], max_loops: int) -> tuple[list[float], float]:
    tried, low, high = [], 0.0, None
    for power in range(6):
        tried.append(10.0**power)
        if not accepts(10.0**power):
            high = 10.0**power
            break
        low = 10.0**power
    if high is not None:
        for _ in range(max_loops):
            middle = (low + high) / 2
            tried.append(middle)
            if accepts(middle):
                low = middle
            else:
                high = middle
    return tried, low


@given(threshold=st.floats(0, 2e5), max_loops=st.integers(0, 9))
def test_same_trials_as_the_released_loop(threshold: float, max_loops: int) -> None:
    trials = run_search(lambda strength: strength <= threshold, max_loops)
    tried, chosen = search_as_released(lambda strength: strength <= threshold, max_loops)
    assert [strength for strength, _ in trials] == tried
    assert find_bracket(trials)[0] == chosen


@given(seed=st.integers(0, 2**20), max_loops=st.integers(0, 6))
def test_verdicts_without_order_do_not_trap_it(seed: int, max_loops: int) -> None:
    def accepts(strength: float) -> bool:
        return bool(hash((seed, strength)) & 1)

    trials = run_search(accepts, max_loops)
    assert [strength for strength, _ in trials] == search_as_released(accepts, max_loops)[0]


def test_everything_or_nothing_passes() -> None:
    assert [strength for strength, _ in run_search(lambda _: True, 3)] == list(POWERS)
    assert [strength for strength, _ in run_search(lambda _: False, 3)] == [1.0, 0.5, 0.25, 0.125]
    assert find_bracket([]) == (0.0, pytest.approx(float("inf")))
