"""BCa intervals against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from beholder import InputError
from beholder.statistics import compute_bca_interval


def test_by_the_definition() -> None:
    """Efron 1987: ends at the percentiles that bias and acceleration (by the jackknife) shift."""
    rng = np.random.default_rng(0)
    values = rng.exponential(size=25)
    draws = np.sort(values[rng.integers(0, 25, (200_000, 25))].mean(axis=1))
    left_out = np.array([np.delete(values, i).mean() for i in range(25)])
    away = left_out.mean() - left_out
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    bias = norm.ppf((draws < values.mean()).mean())
    z = bias + norm.ppf([0.025, 0.975])
    expected = np.quantile(draws, norm.cdf(bias + z / (1 - acceleration * z)))
    found = compute_bca_interval(values, n_draws=50_000)
    np.testing.assert_allclose([found.low, found.high], expected, atol=0.012)
    assert found.estimate == values.mean()
    assert found.n == 25


def test_rows_stay_together() -> None:
    pairs = np.stack([np.arange(1.0, 21), 2 * np.arange(1.0, 21) + np.tile([0.1, -0.1], 10)], axis=1)
    found = compute_bca_interval(pairs, lambda rows: rows[:, 1].sum() / rows[:, 0].sum(), n_draws=200)
    assert 1.98 < found.low < 2 < found.high < 2.02


def test_a_statistic_that_never_varies_has_no_width() -> None:
    pairs = np.stack([np.arange(1.0, 21), 2 * np.arange(1.0, 21) + 0.5], axis=1)
    found = compute_bca_interval(pairs, lambda rows: float(rows[:, 1].sum() // rows[:, 0].sum()), n_draws=200)
    assert (found.low, found.high) == (2, 2)


def test_alike_values_and_the_same_seed() -> None:
    same = compute_bca_interval([0.5] * 6)
    assert (same.low, same.estimate, same.high) == (0.5, 0.5, 0.5)
    values = [0.1, 0.4, 0.5, 0.9]
    assert compute_bca_interval(values, n_draws=99) == compute_bca_interval(values, n_draws=99)
    wide, narrow = (compute_bca_interval(values, confidence=c, n_draws=999) for c in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("values", [[1.0], [1.0, np.nan], 3.0])
def test_bad_input(values: object) -> None:
    with pytest.raises(InputError, match="at least two rows of finite values"):
        compute_bca_interval(values)
    with pytest.raises(InputError, match="confidence"):
        compute_bca_interval([1.0, 2.0], confidence=95)
