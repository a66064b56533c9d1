import numpy as np
import pandas as pd
import pytest
import scipy.stats

from beholder._core.errors import InputError
from beholder.evaluation import summarize_verdicts
from beholder.statistics import bootstrap_proportion, compute_mean_interval, correlate


@pytest.mark.parametrize("n", [4, 5, 25])
def test_correlation_and_interval_are_those_of_fishers_z(n):
    generator = np.random.default_rng(n)
    x = generator.standard_normal(n)
    y = 0.5 * x + generator.standard_normal(n)
    found = correlate(x, y)
    r = np.corrcoef(x, y)[0, 1]
    ends = np.tanh(np.arctanh(r) + np.array([-1, 1]) * scipy.stats.norm.ppf(0.975) / np.sqrt(n - 3))
    assert found.r == pytest.approx(r, abs=1e-12)
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-12)
    assert str(found).endswith(f"n = {n}")


def test_correlation_of_few_or_equal_points_is_empty():
    assert np.isnan(correlate([1, 1, 1, 1], [1, 2, 3, 4]).r)
    assert np.isnan(correlate([1, 1 + 1e-13, 1, 1], [1, 2, 3, 4]).r)
    assert np.isnan(correlate([1], [2]).r) and np.isnan(correlate([], []).r)
    three = correlate([1, 2, 3], [1, 2, 4])
    assert three.r > 0.9
    assert np.isnan([three.low, three.high]).all()
    assert correlate([1, 2], [5, 3]).r == -1
    with pytest.raises(InputError):
        correlate([1, np.nan], [1, 2])


def test_points_on_a_line_correlate_without_doubt():
    found = correlate([0, 1, 2, 3], [7, 5, 3, 1])
    assert (found.r, found.low, found.high) == pytest.approx((-1, -1, -1), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_correlation_does_not_depend_on_the_scale(scale):
    x, y = np.array([1.0, 2, 3, 5]), np.array([1.0, 2, 3, 9])
    found, plain = correlate(scale * x, y), correlate(x, y)
    assert (found.r, found.low, found.high) == pytest.approx((plain.r, plain.low, plain.high), abs=1e-12)


def test_bootstrap_agrees_with_scipy_and_keeps_a_stimulus_together():
    generator = np.random.default_rng(1)
    right = generator.integers(0, 2, 60)
    low, high = bootstrap_proportion(right, np.ones(60), seed=3, n_draws=20_000)
    oracle = scipy.stats.bootstrap((right,), np.mean, n_resamples=20_000, method="percentile", rng=generator)
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), abs=0.0175)  # steps of 1 / 60
    assert (low, high) == bootstrap_proportion(right, np.ones(60), seed=3, n_draws=20_000)
    # Four equal answers to each stimulus say no more than one.
    assert bootstrap_proportion(4 * right, np.full(60, 4), seed=3) == bootstrap_proportion(right, np.ones(60), seed=3)


def test_wilson_agrees_with_scipy():
    table = pd.DataFrame(
        {"group": ["a"] * 7 + ["b"] * 3, "stimulus_id": range(10), "correct": [True] * 8 + [False] * 2}
    )
    found = summarize_verdicts(table, ["group"])
    assert found["group"].tolist() == ["a", "b"]
    for row in found.to_dict("records"):
        interval = scipy.stats.binomtest(row["n_right"], row["n"]).proportion_ci(0.95, "wilson")
        assert (row["low"], row["high"]) == pytest.approx(tuple(interval), abs=1e-12)
    with pytest.raises(InputError):
        summarize_verdicts(table, ["group"], interval="sem")


@pytest.mark.parametrize(
    ("right", "shown"),
    [([[1]], [[2]]), ([1, 1], [2]), ([], []), ([0, 1], [0, 2])],
    ids=["2-d", "lengths", "none", "unseen"],
)
def test_a_bootstrap_wants_a_count_of_each_stimulus(right, shown):
    with pytest.raises(InputError, match="counts for at least one stimulus"):
        bootstrap_proportion(right, shown)


def test_interval_of_a_mean_is_that_of_a_t_test():
    values = [0.7, 0.81, 0.92, 0.6, np.nan]
    found = compute_mean_interval(values)
    expected = scipy.stats.ttest_1samp(values[:-1], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.estimate == pytest.approx(np.mean(values[:-1]), abs=1e-12) and found.n == 4
    assert compute_mean_interval([0.9, 1.0], (0, 1)).high == 1
    assert compute_mean_interval([0.5]).n == 1 and np.isnan(compute_mean_interval([0.5]).low)
    assert np.isnan(compute_mean_interval([]).estimate)
