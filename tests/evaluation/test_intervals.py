import numpy as np
import pandas as pd
import pytest
import scipy.stats

from beholder._core.errors import InputError
from beholder.evaluation import bootstrap_share, correlate, summarize_verdicts


def test_correlation_and_interval_agree_with_scipy():
    generator = np.random.default_rng(0)
    x = generator.standard_normal(25)
    y = 0.5 * x + generator.standard_normal(25)
    found = correlate(x, y)
    oracle = scipy.stats.pearsonr(x, y)
    interval = oracle.confidence_interval(0.95)
    assert found.r == pytest.approx(oracle.statistic, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert str(found).endswith("n = 25")


def test_correlation_of_few_or_equal_points_is_empty():
    assert np.isnan(correlate([1, 1, 1, 1], [1, 2, 3, 4]).r)
    three = correlate([1, 2, 3], [1, 2, 4])
    assert three.r > 0.9
    assert np.isnan(three.low)
    with pytest.raises(InputError):
        correlate([1, np.nan], [1, 2])


def test_bootstrap_agrees_with_scipy_and_keeps_a_stimulus_together():
    generator = np.random.default_rng(1)
    right = generator.integers(0, 2, 60)
    low, high = bootstrap_share(right, np.ones(60), seed=3, n_draws=20_000)
    oracle = scipy.stats.bootstrap((right,), np.mean, n_resamples=20_000, method="percentile", rng=generator)
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), abs=0.0175)  # steps of 1 / 60
    assert (low, high) == bootstrap_share(right, np.ones(60), seed=3, n_draws=20_000)
    # Four equal answers to each stimulus say no more than one.
    assert bootstrap_share(4 * right, np.full(60, 4), seed=3) == bootstrap_share(right, np.ones(60), seed=3)


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
        bootstrap_share(right, shown)
