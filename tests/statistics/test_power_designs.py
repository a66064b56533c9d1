"""Power of differences of thresholds and of error consistency by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nct, t

from beholder import InputError
from beholder.statistics import (
    compute_error_consistency,
    draw_threshold_differences,
    fit_psychometric,
    fit_psychometric_sets,
    make_effect,
    simulate_kappa_power,
    simulate_t_power,
)
from beholder.statistics._power_designs import _find_difference

LEVELS = np.arange(5.0)


def test_many_fits_are_the_single_ones() -> None:
    right = np.array([[5, 6, 8, 9, 10], [4, 7, 7, 10, 10], [6, 5, 9, 10, 9]])
    found = fit_psychometric_sets(LEVELS, right, [10] * 5, "probit", 0.5, "free", prior="weak")
    for row, counts in zip(found, right, strict=True):
        fit = fit_psychometric(LEVELS, counts, [10] * 5, "probit", 0.5, "free", prior="weak")
        assert row == pytest.approx((fit.threshold, fit.width, fit.lapse), abs=1e-6)
    with pytest.raises(InputError, match="n_sets, 5"):
        fit_psychometric_sets(LEVELS, right[:, :4], [10] * 5)


def test_t_power_is_the_noncentral_ts() -> None:
    differences = np.random.default_rng(0).normal(0.5, 1, 4000)
    n = 20
    effect = differences.mean() / differences.std()
    edge = t.ppf(0.975, n - 1)
    expected = 1 - nct.cdf(edge, n - 1, effect * n**0.5) + nct.cdf(-edge, n - 1, effect * n**0.5)
    assert simulate_t_power(differences, n, n_simulations=4000) == pytest.approx(expected, abs=0.03)
    centred = differences - differences.mean()
    assert simulate_t_power(centred, n, n_simulations=4000) == pytest.approx(0.05, abs=0.015)
    lost = np.where(np.arange(4000) % 2, differences, np.nan)
    assert simulate_t_power(lost, n, n_simulations=2000) < simulate_t_power(differences, n, n_simulations=2000)
    assert simulate_t_power(np.full(10, np.nan), n) == 0


def test_drawn_thresholds_have_the_difference_that_was_asked_for() -> None:
    fits = (
        fit_psychometric(LEVELS, [52, 60, 75, 90, 98], [100] * 5),
        fit_psychometric(LEVELS, [51, 55, 65, 80, 95], [100] * 5),
    )
    drawn = draw_threshold_differences(fits, LEVELS, 400, between_sd=0.3, effect_sd=0.4, n_people=1500)
    assert np.nanmean(drawn) == pytest.approx(fits[1].threshold - fits[0].threshold, abs=0.05)
    assert np.nanstd(drawn) == pytest.approx(0.43, abs=0.05)
    noisy = draw_threshold_differences(fits, LEVELS, 10, between_sd=0.3, effect_sd=0.4, n_people=500)
    assert np.nanstd(noisy) > 1.3 * np.nanstd(drawn)


def draw_observers(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    people = rng.random((2, n)) < 0.7
    first = np.where(rng.random(n) < 0.4, people[0], rng.random(n) < 0.7)
    return first, rng.random(n) < 0.7, people


def test_difference_and_standard_error_of_kappas() -> None:
    first, second, people = draw_observers(300)
    one, two, others = (each.astype(float) for each in (first, second, people))
    value, se = _find_difference(one[None], two[None], others[:, None])
    kappas = [[compute_error_consistency(net, who, n_draws=10).kappa for who in people] for net in (first, second)]
    assert value[0] == pytest.approx(np.mean(kappas[0]) - np.mean(kappas[1]))
    rng = np.random.default_rng(1)
    places = rng.integers(300, size=(2000, 300))
    drawn, _ = _find_difference(one[places], two[places], others[:, places])
    assert se[0] == pytest.approx(drawn.std(), rel=0.1)


def test_kappa_power_grows_and_keeps_its_level() -> None:
    first, second, people = draw_observers(400)
    powers = [simulate_kappa_power(first, second, people, n, n_simulations=400) for n in (30, 120, 500)]
    assert powers[0] < powers[1] < powers[2]
    level = simulate_kappa_power(first, second, people, 300, scale=0.0, n_simulations=2000)
    assert level == pytest.approx(0.05, abs=0.02)
    assert np.isnan(simulate_kappa_power(np.ones(9), second[:9], np.ones((1, 9)), 9))
    with pytest.raises(InputError, match="same stimuli"):
        simulate_kappa_power(first, second[:9], people, 10)


def test_an_effect_in_logits_is_that_of_its_proportions() -> None:
    made = make_effect((0.5, 1.5), 0.6, 0.4, 0.8)
    assert made.intercepts == pytest.approx((0.5, 1.5), abs=1e-6)
    assert made.logit_sds == pytest.approx((0.6, 0.4, 0.8), abs=1e-6)
    z = np.random.default_rng(0).normal(size=(2, 200_000))
    share = 1 / (1 + np.exp(-(0.5 + np.hypot(np.hypot(0.6, 0.2), 0.8) * z[0])))
    assert made.proportion_1 == pytest.approx(share.mean(), abs=0.002)
