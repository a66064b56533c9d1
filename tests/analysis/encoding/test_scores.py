"""Scores of predictions, splits, the choice of a layer."""

import numpy as np
import pytest

from beholder import InputError
from beholder.analysis.encoding._banded import share_r2
from beholder.analysis.encoding._best_layer import choose_on_others, choose_on_training
from beholder.analysis.encoding._corrected import correct_each_split
from beholder.analysis.encoding._predict import Procedure, predict_splits
from beholder.analysis.encoding._scores import correct_explained_variance, correlate_columns
from beholder.analysis.encoding._splits import plan_folds, plan_published_splits
from beholder.analysis.encoding._uncertainty import draw_orders


def test_the_published_splits_are_those_of_the_studys_lines() -> None:
    np.random.seed(3882)
    for train, test in plan_published_splits(165):
        drawn = np.random.choice(165, size=83, replace=False)
        rest = np.random.choice(list(set(np.arange(165)) - set(drawn)), size=82, replace=False)
        assert (sorted(drawn), sorted(rest)) == (train.tolist(), test.tolist())


def test_folds_test_each_stimulus_once_and_keep_groups_whole() -> None:
    groups = np.array(list("aabbbccddde"))
    splits = plan_folds(11, 3, 1, groups)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(11))
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(InputError, match=r"at least 3 stimuli in each of 5 folds.*n_folds=4"):
        plan_folds(14, 5, 1)
    with pytest.raises(InputError, match="as many groups as folds, 6; got 5"):
        plan_folds(11, 6, 1, groups)


def test_r_is_signed_and_a_constant_prediction_predicts_nothing() -> None:
    y = np.array([[1.0, 1, 1], [2, 2, 1], [3, 4, 1]])
    found = np.array([[3.0, 5, 1], [2, 5 + 1e-15, 2], [1, 5, 3]])
    r = correlate_columns(found, y)
    assert (r[0], r[1], np.isnan(r[2])) == (pytest.approx(-1), 0, True)


def test_reliabilities_divide_r_squared_and_values_above_1_stay() -> None:
    np.testing.assert_allclose(
        correct_explained_variance([0.6, -0.6, 0.9], [0.5, 0.5, 0.3], [0.9, 0.9, 0.5]), [0.8, 0.8, 5.4]
    )
    assert np.isnan(correct_explained_variance(0.5, 0.0, 1.0))


def test_three_run_correction_is_the_studys_loop() -> None:
    """The published formula written out for one unit and split."""
    linear = pytest.importorskip("sklearn.linear_model")
    generator = np.random.default_rng(3)
    x = generator.normal(size=(40, 8))
    runs = (x @ generator.normal(size=(8, 4)))[:, :, None] + generator.normal(size=(40, 4, 3)) * 2
    alphas = tuple(10.0**power for power in range(4, -5, -1))
    how = Procedure(alphas=alphas, reliability="median-sb3", constant=1e-8)
    splits = plan_published_splits(40, 2)
    found = predict_splits(x, runs.mean(axis=2), runs, splits, how)
    corrected = correct_each_split(found, runs, splits, how)
    train, test = splits[1]
    model = linear.RidgeCV(alphas=alphas)

    def floor(n: int) -> float:
        from scipy import stats

        t = stats.t.ppf(0.95, n - 2)
        return float(t / np.sqrt(n - 2 + t**2))

    for unit in range(4):
        own = [model.fit(x[train], runs[train, unit, run]).predict(x[test]) for run in range(3)]
        pairs = [(0, 1), (1, 2), (0, 2)]
        rv = np.median([np.corrcoef(runs[train, unit, a], runs[train, unit, b])[0, 1] for a, b in pairs])
        rv_hat = np.median([np.corrcoef(own[a], own[b])[0, 1] for a, b in pairs])
        y = runs[:, unit].mean(axis=1)
        r = np.corrcoef(model.fit(x[train], y[train]).predict(x[test]), y[test])[0, 1]
        held = max(3 * rv / (1 + 2 * rv), floor(20)), max(3 * rv_hat / (1 + 2 * rv_hat), floor(20))
        np.testing.assert_allclose(corrected[1, unit], r**2 / (held[0] * held[1]), rtol=1e-9)


def test_a_layer_is_never_chosen_on_the_data_that_score_it() -> None:
    # Participant 1 alone likes layer 1: it is given layer 0, which the others like.
    r = np.array([[0.1, 0.9], [0.5, 0.3], [0.5, 0.4]])
    assert [(each.layer, each.r) for each in choose_on_others(r)] == [(0, 0.1), (1, 0.3), (1, 0.4)]
    chosen = choose_on_training(np.array([[0.2, 0.9], [0.6, 0.1]]), np.array([[0.5, 0.1], [0.4, 0.3]]))
    assert chosen.r == pytest.approx((0.2 + 0.1) / 2)


def test_orders_move_groups_as_wholes() -> None:
    groups = np.array(list("aabbccdd"))
    orders = draw_orders(8, 50, 1, groups)
    assert {tuple(sorted(row)) for row in orders} == {tuple(range(8))}
    assert len({tuple(row) for row in orders}) > 10
    for row in orders:
        assert all(groups[row[i]] == groups[row[i + 1]] for i in range(0, 8, 2))
    assert len(draw_orders(8, 50, 1, np.array(list("aaabbccd")))) == 0
    assert len(draw_orders(3, 50, 1)) == 0


def test_parts_of_r2_add_up() -> None:
    scoring = pytest.importorskip("himalaya.scoring")
    generator = np.random.default_rng(0)
    y, parts = generator.normal(size=(20, 3)), generator.normal(size=(2, 20, 3)) * 0.3
    y -= y.mean(axis=0)
    parts -= parts.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(share_r2(y, parts), scoring.r2_score_split(y, parts), atol=1e-6)
    np.testing.assert_allclose(share_r2(y, parts).sum(axis=0), scoring.r2_score(y, parts.sum(axis=0)), atol=1e-6)
