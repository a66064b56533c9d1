"""Permutations of the paired design and intervals of effect sizes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import ncf

from beholder import InputError
from beholder.statistics import compute_eta_interval, fit_anova, permute_paired_anova


def test_ends_are_where_the_observed_f_is_just_in_a_tail() -> None:
    low, high = compute_eta_interval(8.0, 2, 30)
    for end, share in ((low, 0.975), (high, 0.025)):
        noncentrality = end * 33 / (1 - end)
        assert ncf.cdf(8.0, 2, 30, noncentrality) == pytest.approx(share, abs=1e-6)
    assert compute_eta_interval(0.3, 2, 30)[0] == 0
    assert compute_eta_interval(1612.1, 1, 42)[0] > 0.9
    assert np.isnan(compute_eta_interval(np.nan, 1, 2)).all() and compute_eta_interval(np.inf, 1, 2) == (1, 1)


def test_pairs_by_enumeration() -> None:
    """All 16 ways to exchange the rows of four pairs; F of the observer is as large in those that say as much."""
    values = np.random.default_rng(0).normal(size=(4, 3, 2)) + np.array([0.0, 0.8])
    differences = (values[:, :, 0] - values[:, :, 1]).mean(axis=1)
    found = []
    for signs in itertools.product((1, -1), repeat=4):
        d = differences * signs
        found.append(d.mean() ** 2 / d.var(ddof=1))
    share = np.mean(np.array(found) >= found[0] * (1 - 1e-9))
    assert permute_paired_anova(values, n_permutations=4000, seed=1)[0] == pytest.approx(share, abs=0.03)


def test_an_interaction_that_is_there_and_one_that_is_not() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(10, 4, 2))
    assert permute_paired_anova(values, n_permutations=499)[1] > 0.05
    values[:, 3, 0] += 6
    assert permute_paired_anova(values, n_permutations=499)[1] == 1 / 500
    effect = fit_anova(np.moveaxis(values, 2, 1), within=["observer", "stage"])["observer:stage"]
    assert effect.p < 0.001


def test_bad_input() -> None:
    for values in (np.zeros((3, 2)), np.zeros((3, 2, 3)), np.full((3, 2, 2), np.nan)):
        with pytest.raises(InputError, match="n_participants, n_stages, 2"):
            permute_paired_anova(values)
    with pytest.raises(InputError, match="between 0 and 1"):
        compute_eta_interval(1.0, 1, 2, confidence=95)


@pytest.mark.slow
def test_paired_permutations_hold_their_level() -> None:
    rng = np.random.default_rng(5)
    found = np.array(
        [
            permute_paired_anova(rng.normal(size=(12, 4, 2)) + rng.normal(size=(12, 1, 1)), n_permutations=199, seed=i)
            for i in range(400)
        ]
    )
    assert ((found < 0.05).mean(axis=0) > 0.02).all() and ((found < 0.05).mean(axis=0) < 0.09).all()


@pytest.mark.slow
def test_intervals_of_eta_cover() -> None:
    """One-way, 3 groups of 12: the true noncentrality is n times the squared deviations of the means."""
    rng = np.random.default_rng(6)
    means = np.array([0.0, 0.5, 1.0])
    noncentrality = 12 * ((means - means.mean()) ** 2).sum()
    true = noncentrality / (noncentrality + 36)
    inside = 0
    for _ in range(600):
        y = rng.normal(size=(3, 12)) + means[:, None]
        line = fit_anova(y.ravel(), between={"group": np.repeat([0, 1, 2], 12).tolist()})["group"]
        low, high = compute_eta_interval(line.F, line.df_1, line.df_2)
        inside += low <= true <= high
    assert 0.93 <= inside / 600 <= 0.97
