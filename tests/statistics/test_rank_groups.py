"""Groups compared by ranks, against scipy and the values of scikit-posthocs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import brunnermunzel, kruskal, mannwhitneyu

from beholder import InputError
from beholder.statistics import compare_groups, compute_superiority


def draw(seed: int, sizes: tuple[int, ...] = (30, 25, 60), shift: float = 0.5) -> dict[str, np.ndarray]:
    """Proportions of 20 answers: many ties."""
    rng = np.random.default_rng(seed)
    return {
        f"net{k}": rng.binomial(20, 1 / (1 + np.exp(-rng.normal(shift * k, 0.8, n)))) / 20 for k, n in enumerate(sizes)
    }


def test_conover_without_ties_and_with() -> None:
    # import scikit_posthocs as sp; sp.posthoc_conover(x, p_adjust="holm"), version 0.11.4
    found = compare_groups({"a": [1, 2, 3, 5, 1], "b": [12, 31, 54], "c": [10, 12, 6, 74, 11]})
    assert [pair.p_holm for pair in found.pairs] == pytest.approx([0.00119517, 0.00278329, 0.18672227], abs=5e-9)
    tied = {"a": [0.5, 0.5, 0.6, 0.7, 0.7], "b": [0.6, 0.7, 0.8, 0.8], "c": [0.9, 0.8, 0.9, 1.0, 1.0, 0.7]}
    found = compare_groups(tied)
    assert [pair.p for pair in found.pairs] == pytest.approx(CONOVER_P, rel=1e-7)
    assert [pair.p_holm for pair in found.pairs] == pytest.approx(CONOVER_HOLM, rel=1e-7)


# sp.posthoc_conover([[.5, .5, .6, .7, .7], [.6, .7, .8, .8], [.9, .8, .9, 1, 1, .7]]), then with p_adjust="holm"
CONOVER_P = [0.08991547469396756, 0.0007848000057527121, 0.042974718282709774]
CONOVER_HOLM = [0.08991547469396756, 0.0023544000172581363, 0.08594943656541955]


def test_kruskal_and_brunner_munzel_are_scipys() -> None:
    groups = draw(1)
    found = compare_groups(groups)
    reference = kruskal(*groups.values())
    assert (found.h, found.p, found.df) == pytest.approx((reference.statistic, reference.pvalue, 2))
    small, large = found.pairs[0], found.pairs[1]
    by_t = brunnermunzel(groups["net1"], groups["net0"], distribution="t")
    by_normal = brunnermunzel(groups["net2"], groups["net0"], distribution="normal")
    assert (small.brunner_munzel, small.brunner_munzel_p) == pytest.approx((by_t.statistic, by_t.pvalue))
    assert (large.brunner_munzel, large.brunner_munzel_p) == pytest.approx((by_normal.statistic, by_normal.pvalue))
    assert small.difference < 0 < small.brunner_munzel_p
    assert np.sign(small.t) == np.sign(small.brunner_munzel) == np.sign(small.difference)


def test_superiority_is_mann_and_whitneys() -> None:
    groups = draw(2)
    one, two = groups["net0"], groups["net1"]
    assert compute_superiority(one, two) == pytest.approx(mannwhitneyu(one, two).statistic / (len(one) * len(two)))


def test_no_overlap_and_no_spread() -> None:
    apart = compare_groups({"a": [1.0, 2, 3], "b": [4.0, 5, 6]})
    assert math.isnan(apart.pairs[0].brunner_munzel)
    assert apart.pairs[0].superiority == 0
    assert apart.pairs[0].p < 0.05
    same = compare_groups({"a": [1.0, 1, 1], "b": [1.0, 1]})
    assert math.isnan(same.h)
    assert math.isnan(same.pairs[0].p)


@pytest.mark.parametrize(
    ("groups", "message"), [({"a": [1, 2]}, "two groups"), ({"a": [1, 2], "b": [1]}, "in b"),
                            ({"a": [1, 2], "b": [1, math.nan]}, "in b")],
)  # fmt: skip
def test_bad_input(groups: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare_groups(groups)


@pytest.mark.slow
def test_tests_hold_their_level() -> None:
    n, false_alarms = 1000, np.zeros(3)
    for seed in range(n):
        found = compare_groups(draw(seed, (15, 20, 30), 0.0))
        false_alarms += [found.p < 0.05, min(pair.p_holm for pair in found.pairs) < 0.05,
                         min(pair.brunner_munzel_p_holm for pair in found.pairs) < 0.05]  # fmt: skip
    assert ((false_alarms / n >= 0.01) & (false_alarms / n <= 0.1)).all(), false_alarms / n
