"""Reliability: hand values, formulas written out, and simulations with a known truth."""

import numpy as np
import pytest
from scipy import stats

from beholder import InputError
from beholder.analysis import compute_reliability as from_analysis
from beholder.statistics import RELIABILITY_METHODS, compute_reliability, compute_reliability_floor, step_up

PLAIN = [method for method in RELIABILITY_METHODS if not method.startswith("ncsnr")]


def correlate(a, b):
    return np.corrcoef(a, b)[0, 1]


def draw(n_stimuli=400, n_units=3, n_runs=3, noise=1.0, seed=0):
    """Responses whose single runs correlate 1/(1 + noise²)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_stimuli, n_units, 1)) + noise * rng.normal(size=(n_stimuli, n_units, n_runs))


def test_three_runs_by_hand():
    # Σd² is 4, 2 and 10, r = 1 − 6Σd²/60: .6, .8 and 0.
    runs = np.array([[1, 2, 1], [2, 1, 3], [3, 4, 2], [4, 3, 4]], dtype=float)
    pairs = [correlate(runs[:, a], runs[:, b]) for a, b in [(0, 1), (0, 2), (1, 2)]]
    np.testing.assert_allclose(pairs, [0.6, 0.8, 0], atol=1e-12)
    assert compute_reliability(runs, "median-sb3") == pytest.approx(3 * 0.6 / (1 + 2 * 0.6))
    mean = 1.4 / 3
    assert compute_reliability(runs, "mean-sb3") == pytest.approx(3 * mean / (1 + 2 * mean))


def test_spearman_brown_takes_half_to_three_quarters():
    assert float(step_up(0.5, 3)) == 0.75
    assert float(step_up(0.5, 2)) == pytest.approx(2 / 3)
    assert float(step_up(-0.25, 3)) == pytest.approx(-1.5)
    assert np.isnan(step_up(-0.5, 3))
    assert np.isnan(step_up(-0.9, 3)), "below the pole the formula turns positive: 9 for -.6"


def test_alpha_by_its_formula():
    runs = draw(n_stimuli=12, n_units=1, n_runs=4)[:, 0]
    k = 4
    by_hand = k / (k - 1) * (1 - sum(np.var(run, ddof=1) for run in runs.T) / np.var(runs.sum(axis=1), ddof=1))
    assert compute_reliability(runs, "alpha") == pytest.approx(by_hand, abs=1e-12)
    identical = np.repeat(runs[:, :1], 4, axis=1)
    assert compute_reliability(identical, "alpha") == pytest.approx(1)


def test_split_half_of_two_runs_is_spearman_brown():
    runs = draw(n_stimuli=20, n_units=1, n_runs=2)[:, 0]
    r = correlate(runs[:, 0], runs[:, 1])
    assert compute_reliability(runs, "split-half") == pytest.approx(2 * r / (1 + r))


def test_split_half_of_four_runs_takes_every_split():
    runs = draw(n_stimuli=20, n_units=1, n_runs=4)[:, 0]
    halves = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    r = np.mean([correlate(runs[:, a].mean(axis=1), runs[:, b].mean(axis=1)) for a, b in halves])
    assert compute_reliability(runs, "split-half") == pytest.approx(2 * r / (1 + r))


@pytest.mark.parametrize("n_runs", [2, 3, 5, 10])
@pytest.mark.parametrize("method", [m for m in PLAIN if not m.endswith("sb3")] + ["ncsnr-ceiling"])
def test_all_agree_with_the_truth_in_a_simulation(method, n_runs):
    noise = 1.5
    truth = 1 / (1 + noise**2 / n_runs)
    found = compute_reliability(draw(4000, 5, n_runs, noise), method)
    assert found.shape == (5,)
    assert found.mean() == pytest.approx(truth, abs=0.03)


def test_ncsnr_by_the_published_code():
    betas = draw(n_stimuli=300, n_units=4).transpose(1, 0, 2)
    betas = (betas - betas.mean(axis=(1, 2), keepdims=True)) / betas.std(axis=(1, 2), keepdims=True, ddof=1)
    noise = np.sqrt(np.mean(np.var(betas, axis=2, ddof=1), axis=1))
    signal = np.sqrt(np.clip(1 - noise**2, 0, None))
    expected = signal / noise
    runs = 7 + 3 * betas.transpose(1, 0, 2)
    np.testing.assert_allclose(compute_reliability(runs, "ncsnr"), expected, rtol=1e-10)
    ceiling = expected**2 / (expected**2 + 1 / 3)
    np.testing.assert_allclose(compute_reliability(runs, "ncsnr-ceiling"), ceiling, rtol=1e-10)


def test_floors_are_those_of_the_published_code():
    assert round(compute_reliability_floor(83), 3) == 0.182
    assert round(compute_reliability_floor(82), 3) == 0.183
    r = compute_reliability_floor(20)
    t = r * np.sqrt(18 / (1 - r**2))
    assert stats.t.sf(t, 18) == pytest.approx(0.05)


def test_a_floor_is_only_where_it_is_asked_for():
    noise = np.random.default_rng(1).normal(size=(83, 50, 3))
    signed = compute_reliability(noise, "median-sb3")
    assert (signed < 0).any()
    raised = compute_reliability(noise, "median-sb3", floor=True)
    np.testing.assert_array_equal(raised, np.fmax(signed, compute_reliability_floor(83)))
    assert np.isfinite(raised).all()


@pytest.mark.parametrize("method", RELIABILITY_METHODS)
def test_units_do_not_know_of_each_other(method):
    runs = draw(n_stimuli=30, n_units=6)
    together = compute_reliability(runs, method)
    assert isinstance(compute_reliability(runs[:, 0], method), float)
    np.testing.assert_allclose(together, [compute_reliability(runs[:, u], method) for u in range(6)], rtol=1e-12)
    np.testing.assert_allclose(from_analysis(runs, method), together)


@pytest.mark.parametrize("method", RELIABILITY_METHODS)
def test_missing_responses_leave_out_their_stimuli(method):
    runs = draw(n_stimuli=30, n_units=3)
    gaps = runs.copy()
    gaps[:4, 1] = np.nan  # another subject's stimuli
    found = compute_reliability(gaps, method)
    np.testing.assert_allclose(found[[0, 2]], compute_reliability(runs[:, [0, 2]], method), rtol=1e-12)
    assert found[1] == pytest.approx(compute_reliability(runs[4:, 1], method))


def test_a_pair_of_runs_uses_the_stimuli_that_both_have():
    runs = draw(n_stimuli=30, n_units=1)[:, 0]
    runs[:5, 2] = np.nan
    pairs = [(0, 1, slice(None)), (0, 2, slice(5, None)), (1, 2, slice(5, None))]
    median = np.median([correlate(runs[rows, a], runs[rows, b]) for a, b, rows in pairs])
    assert compute_reliability(runs, "median-sb3") == pytest.approx(3 * median / (1 + 2 * median))


def test_a_constant_unit_has_no_reliability_and_a_constant_prediction_counts_nothing():
    runs = draw(n_stimuli=20, n_units=2)
    runs[:, 0] = 1e6 + 0.1
    with np.errstate(all="raise"):
        for method in RELIABILITY_METHODS:
            assert np.isnan(compute_reliability(runs, method)[0]), method
    runs[:, 1, 0] = 3
    r = correlate(runs[:, 1, 1], runs[:, 1, 2])
    mean = r / 3
    assert compute_reliability(runs[:, 1], "mean-sb3", constant=0) == pytest.approx(3 * mean / (1 + 2 * mean))
    assert compute_reliability(runs[:, 1], "mean-sb3") == pytest.approx(3 * r / (1 + 2 * r))


@pytest.mark.parametrize(
    ("shape", "method", "words"),
    [
        ((20, 4), "median-sb3", "try 'median-sb'"),
        ((20, 1), "alpha", "at least two runs"),
        ((2, 3), "alpha", "at least three stimuli"),
        ((20,), "alpha", r"shape \(n_stimuli, n_runs\)"),
    ],
)
def test_what_cannot_be_said_is_refused(shape, method, words):
    with pytest.raises(InputError, match=words):
        compute_reliability(np.random.default_rng(0).normal(size=shape), method)


def test_unknown_methods_and_infinite_values_are_refused():
    with pytest.raises(InputError, match="try 'median-sb3'"):
        compute_reliability(draw(20), "median_sb3")  # type: ignore[arg-type]
    runs = draw(20)
    runs[0, 0, 0] = np.inf
    with pytest.raises(InputError, match="1 infinite value"):
        compute_reliability(runs, "alpha")
    with pytest.raises(InputError, match="ncsnr-ceiling"):
        compute_reliability(draw(20), "ncsnr", floor=True)
