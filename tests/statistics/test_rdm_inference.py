"""Intervals and tests of RSA: against enumeration, other packages, and simulated studies."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from beholder._core.errors import InputError, UnknownNameError
from beholder.statistics import (
    RDM_METHODS,
    bootstrap_rsa,
    compare_rdms,
    correct_variance,
    count_orders,
    flip_signs,
    permute_stimuli,
)

from .rdm_simulations import simulate_rdms


def shuffle(rdm: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    from scipy.spatial.distance import squareform

    square = squareform(rdm)
    return squareform(square[np.ix_(order, order)])


@pytest.mark.parametrize("method", RDM_METHODS)
def test_all_orders_of_few_stimuli_give_p_by_enumeration(method: str) -> None:
    models, people = simulate_rdms(np.random.default_rng(5), 5, 2, n_models=2)

    def mean(order: tuple[int, ...], model: np.ndarray) -> float:
        return float(np.mean([compare_rdms(model, shuffle(each, order), method) for each in people]))

    orders = list(itertools.permutations(range(5)))
    null = np.array([[mean(order, model) for model in models] for order in orders])
    found = permute_stimuli(models, people, method, n_permutations=1000)
    np.testing.assert_allclose(found.p, (null >= null[0] - 1e-9).mean(axis=0))
    np.testing.assert_allclose(found.p_max, (null.max(axis=1)[:, None] >= null[0] - 1e-9).mean(axis=0))
    assert found.smallest_p == 1 / 120


def test_a_test_that_cannot_reach_alpha_is_not_run() -> None:
    found = permute_stimuli([[1, 2, 3]], [[1, 2, 3]])
    assert np.isnan(found.p).all() and found.smallest_p == pytest.approx(1 / 6)
    assert count_orders(4, 1000) == 24 and count_orders(30, 1000) == 1001
    assert np.isnan(permute_stimuli(np.ones((1, 45)), np.arange(45.0)[None], n_permutations=10, alpha=0.05).p).all()


def test_a_subject_with_fewer_stimuli_is_shuffled_among_its_own() -> None:
    models, people = simulate_rdms(np.random.default_rng(0), 12, 3, signal=3.0)
    people[0, :11] = np.nan
    found = permute_stimuli(models, people, n_permutations=99)
    assert found.p[0] == 0.01
    people[0, 30] = np.nan
    with pytest.raises(InputError, match="single pairs"):
        permute_stimuli(models, people)


@pytest.mark.parametrize("over", ["stimuli", "subjects", "both"])
def test_estimates_are_means_and_standard_errors_are_those_of_the_draws(over: str) -> None:
    models, people = simulate_rdms(np.random.default_rng(2), 10, 4, n_models=2)
    found = bootstrap_rsa(models, people, over=over, n_draws=300)  # type: ignore[arg-type]
    expected = [[compare_rdms(model, person) for person in people] for model in models]
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    estimate, low, high = found.interval(found.mean_weights(0))
    assert estimate == pytest.approx(np.mean(expected[0])) and low < estimate < high
    told = found.variances(found.mean_weights(0))
    if over == "subjects":
        exact = np.var(expected[0], ddof=1) / 4  # the variance of a mean
        assert told["subjects"] == pytest.approx(exact, rel=0.2)
    if over == "both":
        assert max(told["stimuli"], told["subjects"]) <= told["corrected"] <= told["naive"]


def test_differences_are_paired_and_the_same_seed_gives_the_same() -> None:
    models, people = simulate_rdms(np.random.default_rng(2), 10, 4, n_models=2)
    models[1] = models[0] + 1e-9 * models[1]
    one, two = (bootstrap_rsa(models, people, n_draws=50) for _ in range(2))
    weights = one.mean_weights(0) - one.mean_weights(1)
    assert one.interval(weights) == two.interval(weights)
    assert one.weigh(weights)[1] < 0.01 * one.weigh(one.mean_weights(0))[1]


def test_models_that_are_equal_but_for_rounding_do_not_differ() -> None:
    models, people = simulate_rdms(np.random.default_rng(2), 10, 4)
    found = bootstrap_rsa(np.concatenate([models, np.expm1(np.log1p(models))]), people, "pearson", n_draws=50)
    weights = found.mean_weights(0) - found.mean_weights(1)
    assert found.test(weights) == 1.0
    assert 0 < found.test(found.mean_weights(0)) < 1


@pytest.mark.parametrize("method", ["pearson", "whitened-cosine", "tau-a"])
def test_what_repeated_stimuli_bias_is_drawn_as_pseudo_values(method: str) -> None:
    models, people = simulate_rdms(np.random.default_rng(4), 8, 1, n_models=2)
    found = bootstrap_rsa(models, people, method, over="stimuli", n_draws=4000)
    weights = found.mean_weights(0)

    def leave_out(*stimuli: int) -> float:
        kept = np.delete(np.arange(8), stimuli)
        rows, columns = (kept[axis] for axis in np.triu_indices(len(kept), 1))
        square = np.zeros((8, 8))
        square[np.triu_indices(8, 1)] = np.arange(28)
        chosen = square[rows, columns].astype(int)
        return compare_rdms(models[0, chosen], people[0, chosen], method)

    whole = compare_rdms(models[0], people[0], method)
    single = np.array([leave_out(i) for i in range(8)])
    jackknife = 7 / 8 * ((single - single.mean()) ** 2).sum()
    pairs = itertools.combinations(range(8), 2)
    changes = [8 * whole - 7 * (single[i] + single[j]) + 6 * leave_out(i, j) for i, j in pairs]
    twice = min(np.mean(np.square(changes)) / 2, jackknife / 2)
    assert found.weigh(weights)[1] ** 2 == pytest.approx(jackknife - twice, rel=0.06)


def test_the_correction_takes_off_what_is_counted_twice() -> None:
    # Responses that vary by themselves alone, variance s: each bootstrap of one factor gives s, that of both 3 s.
    assert correct_variance(3.0, 1.0, 1.0, 1000, 1000) == pytest.approx(1.0, abs=0.01)
    # Nothing of that: the sum of the parts.
    assert correct_variance(2.0, 1.0, 1.0, 10**6, 10**6) == pytest.approx(2.0, abs=0.01)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'subjects'"):
        bootstrap_rsa([[1, 2, 3]], [[1, 2, 3]], over="subject")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="3 and 6 pairs"):
        bootstrap_rsa([[1, 2, 3]], [np.arange(6)])


def test_one_person_or_two_stimuli_have_no_interval() -> None:
    found = bootstrap_rsa([[1.0, 2, 3]], [[1.0, 2, 3]], n_draws=20)
    assert np.isnan(found.interval(found.mean_weights(0))[1:]).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", RDM_METHODS)
def test_noise_layers_are_significant_as_often_as_alpha_says(method: str) -> None:
    n_studies = 250
    rng = np.random.default_rng(1)
    hits = dict.fromkeys(("p", "p_max", "people", "difference"), 0)
    for study in range(n_studies):
        models, people = simulate_rdms(rng, 16, 6, n_models=4)
        found = permute_stimuli(models[1:], people, method, n_permutations=99, seed=study)
        hits["p"] += int((found.p < 0.05).sum())
        hits["p_max"] += bool((found.p_max < 0.05).any())
        drawn = bootstrap_rsa(models[1:], people, method, n_draws=150, seed=study)
        hits["people"] += int((flip_signs(rng.normal(size=(3, 6))).p < 0.05).sum())
        hits["difference"] += drawn.test(drawn.mean_weights(0) - drawn.mean_weights(1)) < 0.05
    shares = {name: n / n_studies / (3 if name in ("p", "people") else 1) for name, n in hits.items()}
    assert all(0.01 <= share <= 0.10 for share in shares.values()), shares


@pytest.mark.slow
@pytest.mark.parametrize(("n_stimuli", "n_subjects"), [(20, 8), (40, 5)])
def test_intervals_cover_and_the_corrected_error_is_nearer_than_the_naive_one(n_stimuli: int, n_subjects: int) -> None:
    rng = np.random.default_rng(0)
    estimates, intervals, variances = [], [], []
    for study in range(200):
        models, people = simulate_rdms(rng, n_stimuli, n_subjects, n_models=2)
        found = bootstrap_rsa(models[:1], people, n_draws=200, seed=study)
        weights = found.mean_weights(0)
        estimate, low, high = found.interval(weights)
        estimates.append(estimate)
        intervals.append((low, high))
        variances.append(found.variances(weights))
    low, high = np.array(intervals).T
    assert 0.90 <= ((low < np.mean(estimates)) & (np.mean(estimates) < high)).mean() <= 0.98
    naive, corrected = (np.sqrt(np.mean([each[name] for each in variances])) for name in ("naive", "corrected"))
    true = np.std(estimates)
    assert abs(corrected - true) < 0.6 * abs(naive - true) and corrected < naive


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("over", ["stimuli", "subjects"])
def test_intervals_over_stimuli_or_people_cover_what_these_people_or_stimuli_give(over: Any, method: str) -> None:
    rng = np.random.default_rng(0)
    gains, shared, noise = rng.gamma(2, 0.5, (8, 12)), rng.normal(size=(20, 12)), rng.normal(size=(20, 12))
    found: list[tuple[float, float, float]] = []
    for study in range(200):
        if over == "stimuli":
            shared, noise = rng.normal(size=(2, 20, 12))
        else:
            gains = rng.gamma(2, 0.5, (8, 12))
        people = [pdist(np.hstack([shared * gain, rng.normal(size=(20, 20))]), "sqeuclidean") for gain in gains]
        boot = bootstrap_rsa(
            [pdist(shared + noise, "sqeuclidean")], np.stack(people), method, over=over, n_draws=200, seed=study
        )
        found.append(boot.interval(boot.mean_weights(0)))
    estimate, low, high = np.array(found).T
    covered = ((low < estimate.mean()) & (estimate.mean() < high)).mean()
    assert 0.88 <= covered <= (1.0 if method == "spearman" else 0.99), covered  # of ranks too careful: a note says so
