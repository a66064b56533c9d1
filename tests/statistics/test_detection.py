"""Sensitivity against closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from beholder._core.errors import InputError, UnknownNameError
from beholder.statistics import compute_criterion, compute_dprime, compute_mafc_dprime, compute_oddity_dprime


def test_yes_no_by_the_formula() -> None:
    hits, alarms = (30 + 0.5) / 41, (7 + 0.5) / 26
    assert compute_dprime(30, 40, 7, 25) == pytest.approx(norm.ppf(hits) - norm.ppf(alarms))
    assert compute_criterion(30, 40, 7, 25) == pytest.approx(-(norm.ppf(hits) + norm.ppf(alarms)) / 2)
    assert compute_dprime(30, 40, 7, 25, correction="none") == pytest.approx(norm.ppf(0.75) - norm.ppf(0.28))


def test_perfect_stays_finite_and_uncorrected_does_not() -> None:
    assert math.isfinite(compute_dprime(10, 10, 0, 10))
    assert compute_dprime(10, 10, 0, 10, correction="none") == math.inf
    assert compute_dprime(10, 10, 10, 10, correction="none") == 0
    assert compute_dprime(0, 10, 10, 10, correction="none") == -math.inf
    assert compute_criterion(10, 10, 10, 10, correction="none") == -math.inf


def test_two_alternatives_by_the_formula() -> None:
    for p in (0.2, 0.5, 0.6, 0.9, 0.999):
        assert compute_mafc_dprime(p, 2) == pytest.approx(math.sqrt(2) * norm.ppf(p), abs=1e-9)


@pytest.mark.parametrize("m", [3, 8, 16])
def test_more_alternatives_by_simulation(m: int) -> None:
    rng = np.random.default_rng(m)
    noise = rng.normal(size=(200_000, m - 1)).max(axis=1)
    p = float((rng.normal(1.5, size=200_000) > noise).mean())
    assert compute_mafc_dprime(p, m) == pytest.approx(1.5, abs=0.02)


def test_odd_one_out_by_simulation() -> None:
    rng = np.random.default_rng(0)
    same, odd = rng.normal(size=(200_000, 2)), rng.normal(2.0, size=200_000)
    near = np.abs(same[:, 0] - same[:, 1])
    right = (near < np.abs(same[:, 0] - odd)) & (near < np.abs(same[:, 1] - odd))
    assert compute_oddity_dprime(float(right.mean())) == pytest.approx(2.0, abs=0.03)


def test_ends_and_chance() -> None:
    assert compute_mafc_dprime(1 / 4, 4) == 0
    assert compute_mafc_dprime(1, 4) == math.inf
    assert compute_mafc_dprime(0, 4) == -math.inf
    assert compute_mafc_dprime(0.1, 4) < 0
    assert compute_oddity_dprime(1 / 3) == compute_oddity_dprime(0.2) == 0
    assert compute_oddity_dprime(1) == math.inf


def test_bad_input() -> None:
    with pytest.raises(InputError, match="11 of 10"):
        compute_dprime(11, 10, 0, 10)
    with pytest.raises(InputError, match="false alarms"):
        compute_dprime(1, 10, 0, 0)
    with pytest.raises(UnknownNameError):
        compute_dprime(1, 2, 1, 2, correction="loglinear")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 2"):
        compute_mafc_dprime(0.5, 1)
    with pytest.raises(InputError, match="from 0 to 1"):
        compute_mafc_dprime(1.2, 2)
