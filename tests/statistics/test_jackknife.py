"""Jackknife of means against formulas, and its coverage over stimuli and people."""

from __future__ import annotations

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.statistics import jackknife_mean


def leave_out(values: np.ndarray) -> np.ndarray:
    """Means of (n_subjects, n_stimuli) without each stimulus."""
    n = values.shape[1]
    return (values.sum(axis=1, keepdims=True) - values) / (n - 1)


def test_a_mean_of_one_person_has_the_interval_of_the_t_test() -> None:
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(0).normal(size=(1, 12))
    found = jackknife_mean(values.mean(axis=1), leave_out(values))
    expected = ttest_1samp(values[0], 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high)) and found.df == 11


def test_of_several_people_it_is_the_variance_of_two_crossed_random_factors() -> None:
    values = np.random.default_rng(1).normal(size=(4, 6)) + np.arange(6) + np.arange(4)[:, None]
    found = jackknife_mean(values.mean(axis=1), leave_out(values))
    rows, columns, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    rest = ((values - rows[:, None] - columns + mean) ** 2).sum() / (3 * 5)
    assert found.error**2 == pytest.approx(rows.var(ddof=1) / 4 + columns.var(ddof=1) / 6 - rest / 24)


def test_what_has_no_answer() -> None:
    with pytest.raises(InputError, match="shapes"):
        jackknife_mean([1.0], np.ones((2, 3)))
    assert np.isnan(jackknife_mean([np.nan], np.full((1, 4), np.nan)).low)


@pytest.mark.slow
def test_intervals_over_stimuli_and_people_cover() -> None:
    rng, hits = np.random.default_rng(2), 0
    for _ in range(400):
        values = rng.normal(size=(6, 1)) * 0.5 + rng.normal(size=(1, 15)) + rng.normal(size=(6, 15))
        found = jackknife_mean(values.mean(axis=1), leave_out(values))
        hits += found.low < 0 < found.high
    assert 0.90 <= hits / 400 <= 0.98, hits
