"""Correlations of confusion matrices, against numpy by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from beholder import InputError
from beholder.statistics import compare_confusions, correlate_confusions

N = 5


def draw(seed: int, n_people: int, n_each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """People confuse classes alike, each a bit in their own way; one network does partly, one not at all."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(N), n_each)
    common = np.random.default_rng(12345).normal(0, 1.2, (N, N))
    other = np.random.default_rng(54321).normal(0, 1.2, (N, N))

    def answer(like: np.ndarray) -> np.ndarray:
        scores = like[truth] + rng.gumbel(size=(len(truth), N))
        scores[np.arange(len(truth)), truth] += 2
        return scores.argmax(axis=1)

    people = np.stack([answer(common + rng.normal(0, 0.4, (N, N))) for _ in range(n_people)])
    networks = np.stack([answer(0.6 * common + 0.6 * other), answer(other)])
    return truth, people, networks


def test_correlation_is_that_of_the_wrong_answers() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 9, (2, 4, 6))
    wrong = ~np.eye(4, 6, dtype=bool)
    shares = [(each / each.sum(axis=1, keepdims=True))[wrong] for each in (one, two)]
    assert correlate_confusions(one, two) == pytest.approx(np.corrcoef(*shares)[0, 1])


def test_a_class_without_answers_is_left_out() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.integers(1, 9, (2, 4, 4))
    one[2] = 0
    kept = [0, 1, 3]
    wrong = ~np.eye(4, dtype=bool)[kept]
    shares = [(each[kept] / each[kept].sum(axis=1, keepdims=True))[wrong] for each in (one, two)]
    assert correlate_confusions(one, two) == pytest.approx(np.corrcoef(*shares)[0, 1])


@pytest.mark.parametrize("confusions", [np.diag([5, 5, 5]), np.full((3, 3), 2)])
def test_all_right_or_all_alike_is_undefined(confusions: np.ndarray) -> None:
    assert np.isnan(correlate_confusions(confusions, [[5, 2, 0], [1, 5, 3], [0, 4, 5]]))


def test_means_by_hand() -> None:
    truth, people, networks = draw(0, 3, 12)
    people[1, 4] = -1
    found = compare_confusions(truth, people, networks, N, n_draws=30)
    counts = [
        np.histogram2d(truth[own >= 0], own[own >= 0], bins=(np.arange(N + 1), np.arange(N + 1)))[0]
        for own in (*people, *networks)
    ]
    others = [sum(counts[j] for j in range(3) if j != i) for i in range(3)]
    with_network = np.mean([correlate_confusions(counts[3], each) for each in others])
    among = np.mean([correlate_confusions(counts[i], others[i]) for i in range(3)])
    assert found.crossed.values[[0, 2]] == pytest.approx([with_network, among])
    assert found.counts[1].sum() == 59


def test_one_person() -> None:
    truth, people, networks = draw(0, 1, 5)
    with pytest.raises(InputError, match="two people or more"):
        compare_confusions(truth, people, networks, N)


@pytest.mark.slow
def test_intervals_cover() -> None:
    """What is covered is the mean at this number of stimuli: single answers make correlations small."""
    unit = np.eye(3)
    asked = np.stack([unit[0], unit[1], unit[2], unit[0] - unit[1], unit[0] - unit[2]])
    found = [
        compare_confusions(*draw(seed, 8, 40), N, n_draws=200, seed=seed).crossed for seed in range(300)
    ]  # fmt: skip
    truth = np.mean([each.values for each in found], axis=0)
    inside = np.zeros(len(asked))
    for each in found:
        for place, weights in enumerate(asked):
            _, low, high, _ = each.interval(weights)
            inside[place] += low <= weights @ truth <= high
    assert ((inside / 300 >= 0.9) & (inside / 300 <= 0.985)).all(), inside / 300
