"""The published design from arrays of participants, stages and observers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from beholder import InputError
from beholder.analysis import run_mixed_anova

VALUES = np.random.default_rng(0).uniform(0.3, 1, (6, 4, 2))


def test_the_observer_is_a_t_test_over_rows() -> None:
    table = run_mixed_anova(VALUES)
    means = VALUES.mean(axis=1)
    expected: Any = ttest_ind(means[:, 0], means[:, 1])
    assert list(table.index) == ["observer", "stage", "observer:stage"]
    assert table.loc["observer", "F"] == pytest.approx(expected.statistic**2)
    assert table.loc["observer", "p"] == pytest.approx(expected.pvalue)
    assert table.loc["observer:stage", "df_1"] == 3
    assert table.loc["observer:stage", "df_2"] == 30


def test_paired_is_a_t_test_of_differences() -> None:
    table = run_mixed_anova(VALUES, paired=True)
    means = VALUES.mean(axis=1)
    expected: Any = ttest_rel(means[:, 0], means[:, 1])
    assert table.loc["observer", "F"] == pytest.approx(expected.statistic**2)
    assert table.loc["observer:stage", "df_2"] == 15


def test_two_groups_of_rows_are_the_same_design() -> None:
    groups = (VALUES[:, :, 0], VALUES[:, :, 1])
    np.testing.assert_array_equal(run_mixed_anova(groups), run_mixed_anova(VALUES))
    np.testing.assert_array_equal(run_mixed_anova(VALUES.tolist()), run_mixed_anova(VALUES))
    assert run_mixed_anova((VALUES[:4, :, 0], VALUES[:, :, 1])).loc["observer", "df_2"] == 8


def test_what_could_be_two_participants_or_two_groups_is_refused() -> None:
    with pytest.raises(InputError, match="which are both"):
        run_mixed_anova(VALUES[:2].tolist())
    assert run_mixed_anova(VALUES[:2]).loc["observer", "df_2"] == 2
    assert run_mixed_anova(list(VALUES[:2])).loc["observer", "df_2"] == 6


def test_permutations_are_asked_for() -> None:
    assert "p_permutation" not in run_mixed_anova(VALUES)
    found = run_mixed_anova(VALUES, n_permutations=99)["p_permutation"]
    assert np.isnan(found["stage"])
    assert 0 < float(found.to_dict()["observer"]) <= 1


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"shape \(6, 4\)"):
        run_mixed_anova(VALUES[:, :, 0])
    with pytest.raises(InputError, match="groups of shapes"):
        run_mixed_anova((VALUES[:, :, 0], VALUES[:, :3, 1]))
    with pytest.raises(InputError, match="with paired"):
        run_mixed_anova((VALUES[:4, :, 0], VALUES[:, :, 1]), paired=True)
