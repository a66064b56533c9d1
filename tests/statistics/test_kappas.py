"""Error consistency averaged over people, against scikit-learn, enumeration and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from beholder import InputError
from beholder.statistics import average_kappas, compute_kappas


def draw(seed: int, n_people: int, n_stimuli: int, *, follow: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """People and two networks: stimuli are hard for all, people differ, and each answer has noise of its own."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 1, n_stimuli)
    able = rng.normal(1.2, 0.5, n_people)
    people = rng.random((n_people, n_stimuli)) < _share(
        able[:, None] - hard + rng.normal(0, 0.6, (n_people, n_stimuli))
    )
    networks = [
        rng.random(n_stimuli) < _share(level - slope * hard + rng.normal(0, 0.6, n_stimuli))
        for level, slope in ((0, follow), (-0.5, follow / 2))
    ]
    return people.astype(float), np.array(networks, dtype=float)


def _share(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


def test_every_pair_is_scikit_learns() -> None:
    people, networks = draw(0, 3, 60)
    found = compute_kappas(networks, people)
    for i, j in itertools.product(range(2), range(3)):
        assert found[i, j] == pytest.approx(cohen_kappa_score(networks[i], people[j]))


def test_counts_are_repeated_stimuli() -> None:
    people, networks = draw(1, 2, 30)
    drawn = np.random.default_rng(0).integers(0, 30, 30)
    counts = np.bincount(drawn, minlength=30)
    found = compute_kappas(networks, people, counts[None])
    assert found[0] == pytest.approx(compute_kappas(networks[:, drawn], people[:, drawn]))


def test_what_one_did_not_answer_is_left_out() -> None:
    people, networks = draw(2, 2, 40)
    people[0, 5:11] = np.nan
    found = compute_kappas(networks, people)
    assert found[1, 0] == pytest.approx(cohen_kappa_score(np.delete(networks[1], range(5, 11)),
                                                          np.delete(people[0], range(5, 11))))  # fmt: skip


def test_means_by_hand() -> None:
    one, two = draw(3, 4, 50), draw(4, 4, 70)
    found = average_kappas([one[0], two[0]], [one[1], two[1]], n_draws=20, n_permutations=0)
    with_network = [np.mean([cohen_kappa_score(each[1][0], each[0][i]) for each in (one, two)]) for i in range(4)]
    among = [
        np.mean([cohen_kappa_score(each[0][i], each[0][j]) for each in (one, two)])
        for i, j in itertools.combinations(range(4), 2)
    ]
    assert found.crossed.values[0] == pytest.approx(np.mean(with_network))
    assert found.crossed.values[2] == pytest.approx(np.mean(among))
    assert np.isnan(found.p).all()


def test_an_undefined_one_is_left_out_of_means() -> None:
    people, networks = draw(5, 3, 40)
    easy = np.ones((3, 10)), np.ones((2, 10))
    found = average_kappas([people, easy[0]], [networks, easy[1]], n_draws=20, n_permutations=9)
    alone = average_kappas([people], [networks], n_draws=20, n_permutations=9)
    assert found.crossed.values == pytest.approx(alone.crossed.values)
    never = average_kappas([easy[0]], [easy[1]], n_draws=20, n_permutations=9)
    assert np.isnan(never.crossed.values).all()
    assert np.isnan(never.p).all()
    assert np.isnan(never.crossed.pick(0)).all()


def test_the_shuffles_are_of_single_networks() -> None:
    """With one person and few stimuli, the test of all orders is Fisher's."""
    from beholder.statistics import compute_error_consistency

    person, network = np.array([[1.0, 1, 1, 0, 0, 0, 1, 1]]), np.array([[1.0, 1, 0, 0, 0, 1, 1, 1]])
    found = average_kappas([person], [network], n_draws=2, n_permutations=2000)
    by_count = [
        compute_kappas(np.isin(np.arange(8), right).astype(float)[None], person)[0, 0]
        for right in itertools.combinations(range(8), 5)
    ]
    observed = compute_error_consistency(network[0], person[0]).kappa
    assert found.p[0] == pytest.approx(np.mean(np.abs(by_count) >= observed - 1e-12), abs=0.03)


def test_correction_for_networks() -> None:
    people, networks = draw(6, 6, 200, follow=2)
    rng = np.random.default_rng(1)
    noise = (rng.random((20, 200)) < rng.uniform(0.1, 0.9, (20, 1))).astype(float)
    found = average_kappas([people], [np.concatenate([networks, noise])], n_draws=2, n_permutations=300)
    assert (found.p_corrected[:-1] >= found.p[:-1]).all()
    assert found.p_corrected[0] < 0.01
    assert found.p_corrected[2:-1].min() > 0.05 > found.p[2:-1].min()


def test_one_person_has_intervals_over_stimuli_and_no_ceiling() -> None:
    people, networks = draw(7, 1, 100)
    found = average_kappas([people], [networks], n_draws=100, n_permutations=19)
    assert np.isfinite(found.crossed.pick(0)).all()
    assert np.isnan(found.crossed.values[2])


def test_missing_people() -> None:
    with pytest.raises(InputError, match="got 0 and 0"):
        average_kappas([], [])


@pytest.mark.slow
@pytest.mark.parametrize(("n_people", "n_stimuli"), [(6, 160), (10, 60)])
def test_intervals_cover_and_tests_hold_their_level(n_people: int, n_stimuli: int) -> None:
    """New people and new stimuli each time; of two networks alike, the difference is 0."""
    truth = average_kappas(
        [(large := draw(99, 120, 40_000))[0]], [large[1]], n_draws=1, n_permutations=0
    ).crossed.values
    unit = np.eye(3)
    asked = [unit[0], unit[1], unit[2], unit[0] - unit[1], unit[0] - unit[2]]
    inside, false_alarms, n = np.zeros(len(asked)), np.zeros(3), 400
    for seed in range(n):
        people, networks = draw(seed, n_people, n_stimuli)
        crossed = average_kappas([people], [networks], n_draws=200, n_permutations=0, seed=seed).crossed
        for place, weights in enumerate(asked):
            _, low, high, _ = crossed.interval(weights)
            inside[place] += low <= weights @ truth <= high
        rng = np.random.default_rng(10_000 + seed)
        blind = (rng.random((2, n_stimuli)) < 0.4).astype(float)
        of_blind = average_kappas([people], [blind], n_draws=100, n_permutations=99, seed=seed)
        false_alarms += [of_blind.p[0] < 0.05, of_blind.p_corrected[:2].min() < 0.05,
                         of_blind.crossed.interval(unit[0] - unit[1])[3] < 0.05]  # fmt: skip
    assert ((inside / n >= 0.9) & (inside / n <= 0.985)).all(), inside / n
    assert ((false_alarms / n >= 0.01) & (false_alarms / n <= 0.1)).all(), false_alarms / n
