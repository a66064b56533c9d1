"""Intervals over people and stimuli, against the t interval of means and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from beholder.statistics import CrossedEstimates
from beholder.statistics._crossed import draw_counts


def make(over: str, seed: int = 0, n_people: int = 4, n_stimuli: int = 30) -> tuple[CrossedEstimates, np.ndarray]:
    """Means of a table of people × stimuli: all of it, and half of the stimuli."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n_people, n_stimuli)) + rng.normal(size=(n_people, 1))
    people, stimuli = draw_counts(n_people, 4000, 1, "p"), draw_counts(n_stimuli, 4000, 1, "s")
    half = np.stack([np.full(n_stimuli, 1 / n_stimuli), (np.arange(n_stimuli) % 2) * 2 / n_stimuli], axis=1)

    def mean(who: np.ndarray, what: np.ndarray) -> np.ndarray:
        shown = what[:, :, None] * half
        return np.einsum("dp,ps,dsk->dk", who / n_people, table, shown / shown.sum(axis=1, keepdims=True))

    ones = np.ones((1, n_people)), np.ones((1, n_stimuli))
    values = mean(*ones)[0]
    of_people, of_stimuli = mean(people, np.ones_like(stimuli)), mean(np.ones_like(people), stimuli)
    both = mean(people, stimuli)
    return CrossedEstimates(values, of_stimuli, of_people, both, n_stimuli, n_people, over), table  # type: ignore[arg-type]


@pytest.mark.parametrize(("over", "axis"), [("people", 1), ("stimuli", 0)])
def test_over_one_of_them_is_the_t_interval_of_its_means(over: str, axis: int) -> None:
    crossed, table = make(over)
    means = table.mean(axis=axis)
    half = t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    estimate, low, high, p = crossed.pick(0)
    assert estimate == pytest.approx(table.mean())
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)
    assert p == pytest.approx(2 * t.sf(abs(estimate) / (half / t.ppf(0.975, len(means) - 1)), len(means) - 1), abs=0.03)


def test_over_both_is_at_least_as_wide_as_over_either() -> None:
    widths = {over: np.diff(make(over)[0].pick(0)[1:3])[0] for over in ("both", "people", "stimuli")}
    assert widths["both"] > widths["stimuli"]
    assert widths["both"] > 0.7 * widths["people"]  # its degrees of freedom are more


def test_a_difference_of_the_same_numbers_is_nothing() -> None:
    crossed, _ = make("both")
    assert crossed.interval(np.zeros(2))[:3] == (0, 0, 0)
    assert crossed.interval(np.zeros(2))[3] == 1
