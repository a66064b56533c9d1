"""Percentiles and verdicts, against counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholder.synthesis.visualizations._standing import NaturalDistribution, compute_percentiles, judge_activation

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(values=VALUES, asked=st.lists(st.integers(-7, 7).map(float), min_size=1, max_size=5))
def test_percentiles_are_shares_strictly_beyond(values: list[float], asked: list[float]) -> None:
    natural = NaturalDistribution.from_values(np.array(values))
    below = [100 * sum(v < a for v in values) / len(values) for a in asked]
    above = [100 * sum(v > a for v in values) / len(values) for a in asked]
    assert compute_percentiles(natural, np.array(asked), "max").tolist() == pytest.approx(below)
    assert compute_percentiles(natural, np.array(asked), "min").tolist() == pytest.approx(above)


@given(values=VALUES, asked=st.integers(-7, 7).map(float))
def test_verdicts(values: list[float], asked: float) -> None:
    natural = NaturalDistribution.from_values(np.array(values))
    for sign, lead in (("max", asked - max(values)), ("min", min(values) - asked)):
        expected = "yes" if lead > 0 else "tie" if lead == 0 else "no"
        assert judge_activation(natural, asked, sign) == expected


def test_last_bits_are_a_tie() -> None:
    natural = NaturalDistribution.from_values(np.array([0.0, 100.0], np.float32))
    assert judge_activation(natural, 100.0005, "max") == "tie"
    assert judge_activation(natural, 100.01, "max") == "yes"
    assert judge_activation(natural, 99.9, "max") == "no"


def test_what_is_not_finite_is_not_compared() -> None:
    broken = NaturalDistribution.from_values(np.array([0.0, np.nan, 1.0]))
    assert (broken.n_stimuli, broken.is_whole) == (3, False)
    assert judge_activation(broken, 2.0, "max") == "unknown"
    assert np.isnan(compute_percentiles(broken, np.array([2.0]), "max")).all()
    natural = NaturalDistribution.from_values(np.array([0.0, 1.0]))
    assert judge_activation(natural, float("nan"), "max") == "unknown"
    assert judge_activation(None, 1.0, "max") == "unknown"
    assert np.isnan(compute_percentiles(natural, np.array([np.nan]), "max")).all()


def test_dead_units_are_known_as_such() -> None:
    assert NaturalDistribution.from_values(np.zeros(5)).is_constant
    assert not NaturalDistribution.from_values(np.arange(5.0)).is_constant
    assert (
        NaturalDistribution.from_values(np.arange(5.0)).hash() != NaturalDistribution.from_values(np.arange(4.0)).hash()
    )
