"""Error consistency against scikit-learn's kappa, enumeration and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from beholder import InputError
from beholder.statistics import compare_error_consistency, compute_error_consistency, plan_error_consistency


def draw(seed: int, n: int = 200, shared: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.7
    return first, np.where(rng.random(n) < shared, first, rng.random(n) < 0.6)


def test_kappa_is_scikit_learns() -> None:
    first, second = draw(0)
    found = compute_error_consistency(first, second)
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))
    assert found.n == 200
    assert found.low < found.kappa < found.high
    assert found.accuracy_1 == pytest.approx(first.mean())


def test_who_fails_where_the_other_is_right_is_below_zero() -> None:
    first = np.array([1, 1, 0, 0])
    found = compute_error_consistency(first, 1 - first)
    assert found.kappa == found.low_bound == -1
    assert found.p == pytest.approx(1 / 3)


@pytest.mark.parametrize(("a", "b"), [(5, 3), (2, 2), (6, 6), (7, 1)])
def test_bounds_by_trying_every_way(a: int, b: int) -> None:
    n = 8
    first = np.arange(n) < a
    kappas = [
        compute_error_consistency(first, np.isin(np.arange(n), right), n_draws=1).kappa
        for right in itertools.combinations(range(n), b)
    ]
    found = compute_error_consistency(first, np.arange(n) < b)
    assert found.low_bound == pytest.approx(min(kappas))
    assert found.high_bound == pytest.approx(max(kappas))


@pytest.mark.parametrize("value", [True, False])
def test_both_perfect_is_undefined(value: bool) -> None:
    found = compute_error_consistency([value] * 5, [value] * 5)
    assert math.isnan(found.kappa)
    assert math.isnan(found.p)
    assert math.isnan(found.high_bound)
    assert found.observed == 1


def test_one_perfect_says_nothing_but_is_defined() -> None:
    found = compute_error_consistency([1, 1, 1, 1], [1, 0, 1, 0])
    assert (found.kappa, found.low_bound, found.high_bound) == (0, 0, 0)


def test_the_exact_test_by_trying_every_way() -> None:
    first, second = np.array([1, 1, 1, 0, 0, 0, 1]), np.array([1, 1, 1, 0, 0, 1, 0])
    n_both = [
        int((first * np.isin(np.arange(7), right)).sum())
        for right in itertools.combinations(range(7), int(second.sum()))
    ]
    counts = np.bincount(n_both)
    observed = int((first * second).sum())
    expected = counts[counts <= counts[observed]].sum() / len(n_both)
    assert compute_error_consistency(first, second).p == pytest.approx(expected)


def test_a_difference_and_its_sign() -> None:
    rng = np.random.default_rng(1)
    person = rng.random(400) < 0.7
    near = np.where(rng.random(400) < 0.6, person, rng.random(400) < 0.7)
    far = rng.random(400) < 0.7
    found = compare_error_consistency(near, far, person)
    expected = cohen_kappa_score(near, person) - cohen_kappa_score(far, person)
    assert found.difference == pytest.approx(expected)
    assert 0 < found.low < expected < found.high
    assert found.p < 0.01
    back = compare_error_consistency(far, near, person)
    assert back.difference == pytest.approx(-expected)
    assert back.high < 0


def test_the_planned_number_gives_the_planned_width() -> None:
    rng = np.random.default_rng(2)
    first = rng.random(100_000) < 0.8
    second = np.where(rng.random(100_000) < 0.45, first, rng.random(100_000) < 0.7)
    whole = compute_error_consistency(first, second, n_draws=10)
    n = plan_error_consistency(whole.kappa, whole.accuracy_1, whole.accuracy_2, 0.2)
    places = rng.integers(0, 100_000, (500, n))
    kappas = [compute_error_consistency(first[each], second[each], n_draws=1).kappa for each in places]
    assert 2 * 1.96 * np.std(kappas) == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1, 0], [1], "2 and 1"),
        ([], [], "at least one stimulus"),
        ([1, 2], [1, 0], "got 2"),
        ([1, np.nan], [1, 0], "nan"),
        (["dog"], [1], "dog"),
    ],
)
def test_bad_input(first: list[float], second: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compute_error_consistency(first, second)


def test_a_kappa_that_the_accuracies_do_not_allow() -> None:
    with pytest.raises(InputError, match=r"a kappa from -0\.10 to 0\.12"):
        plan_error_consistency(0.9, 0.95, 0.55, 0.1)


@pytest.mark.slow
def test_intervals_cover() -> None:
    truth = compute_error_consistency(*draw(100, 400_000), n_draws=1).kappa
    inside = 0
    for seed in range(400):
        found = compute_error_consistency(*draw(seed, 160), n_draws=400, seed=seed)
        inside += found.low <= truth <= found.high
    assert 0.9 <= inside / 400 <= 0.98
