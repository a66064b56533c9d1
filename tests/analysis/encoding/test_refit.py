"""Regressions that are fitted again: what they fit, orders and parts of stimuli, the intervals made from them."""

from functools import partial

import numpy as np
import pytest

from beholder.analysis.encoding._banded import plan_joint_refits, predict_jointly
from beholder.analysis.encoding._predict import Procedure, predict_splits
from beholder.analysis.encoding._refit import plan_refits
from beholder.analysis.encoding._splits import plan_folds
from beholder.analysis.encoding._uncertainty import (
    Spread,
    draw_orders,
    draw_parts,
    find_r_half_width,
    permute_r,
    restrict_orders,
    spread_r,
)

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(30, 8))
Y = X @ GENERATOR.normal(size=(8, 40)) + GENERATOR.normal(size=(30, 40)) * np.linspace(0.1, 20, 40)
SPLITS = plan_folds(30, 3, 1)
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1e4)


def correlate(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(a.shape[1])])


@pytest.mark.parametrize("n_features", [8, 100])
def test_the_penalty_is_that_of_generalised_cross_validation(n_features: int) -> None:
    """The formula written out: |y - Hy|² / (1 - trace(H)/n)², H with an intercept."""
    x = np.random.default_rng(1).normal(size=(30, n_features))
    how = Procedure(alphas=ALPHAS)
    found = plan_refits(x, SPLITS, how).predict(Y)
    for (train, test), own in zip(SPLITS, found, strict=True):
        n, centred = len(train), x[train] - x[train].mean(axis=0)
        best, expected = np.full(40, np.inf), np.empty((len(test), 40))
        for alpha in ALPHAS:
            inverse = np.linalg.inv(centred @ centred.T + alpha * np.eye(n))
            hat = centred @ centred.T @ inverse
            target = Y[train] - Y[train].mean(axis=0)
            score = np.square(target - hat @ target).sum(axis=0) / (n - 1 - np.trace(hat)) ** 2
            predicted = (x[test] - x[train].mean(axis=0)) @ centred.T @ inverse @ target
            expected = np.where(score < best, predicted, expected)
            best = np.minimum(score, best)
        np.testing.assert_allclose(own, expected, atol=2e-4 * np.abs(expected).max())


def test_many_units_turned_have_the_components_of_scikit_learn() -> None:
    how = Procedure(method="pls", n_components=3)
    again, expected = plan_refits(X, SPLITS, how).correlate(Y), predict_splits(X, Y, None, SPLITS, how).r
    np.testing.assert_allclose(again, expected, atol=0.02)  # scikit-learn iterates until weights change by 0.001
    assert np.corrcoef(again.ravel(), expected.ravel())[0, 1] > 0.9999


def test_components_that_do_not_settle_are_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise has directions that covary nearly equally with the targets, among which iterations wander."""
    monkeypatch.setattr("beholder.analysis.encoding._predict._MOST_STEPS", 1)
    refits = plan_refits(X, SPLITS, Procedure(method="pls", n_components=2))
    assert np.isfinite(refits.correlate(Y)).all()


def test_runs_share_no_components() -> None:
    """Predictions from one run must not know the other, or their reliability would be too high."""
    cross = pytest.importorskip("sklearn.cross_decomposition")
    runs = np.stack([Y[:, :4], Y[:, 20:24]], axis=2)
    how = Procedure(method="pls", n_components=2)
    found = predict_splits(X, runs.mean(axis=2), runs, SPLITS, how).by_run
    assert found is not None
    train, test = SPLITS[0]
    alone = cross.PLSRegression(2, scale=False).fit(X[train], runs[train, :, 1]).predict(X[test])
    np.testing.assert_allclose(found[0][:, :, 1], alone, atol=1e-9)


def test_all_units_are_tested_and_the_first_row_is_the_order_as_it_is() -> None:
    refits = plan_refits(X, SPLITS, Procedure(alphas=ALPHAS))
    orders = draw_orders(30, 20, 1)
    regions = [np.arange(5), np.arange(5, 40)]
    found = permute_r(refits, Y, orders, regions, median=False)
    assert found.shape == (21, 2)
    r = refits.correlate(Y).mean(axis=0)
    np.testing.assert_allclose(found[0], [r[:5].mean(), r[5:].mean()], atol=1e-5)
    moved = refits.correlate(Y[orders[6]]).mean(axis=0)
    np.testing.assert_allclose(found[7], [moved[:5].mean(), moved[5:].mean()], atol=1e-5)
    assert found[0, 0] > found[1:, 0].max()


def test_a_response_that_is_constant_in_a_fold_has_no_r_in_some_orders_and_p_all_the_same() -> None:
    sparse = np.zeros((30, 1))
    sparse[[1, 2, 3]] = 1
    found = permute_r(plan_refits(X, SPLITS, Procedure()), sparse, draw_orders(30, 40, 1), [np.arange(1)], median=False)
    assert np.isfinite(found).all()


def test_orders_of_fewer_stimuli_agree_with_those_of_all() -> None:
    orders = draw_orders(12, 50, 1)
    rows = np.array([0, 2, 3, 5, 7, 8, 9, 10, 11])
    some = restrict_orders(orders, rows)
    assert {tuple(sorted(row)) for row in some} == {tuple(range(9))}
    place = {row: i for i, row in enumerate(rows.tolist())}
    for whole, own in zip(orders, some, strict=True):
        kept = [place[b] == own[place[a]] for a, b in enumerate(whole.tolist()) if a in place and b in place]
        assert kept
        assert all(kept)
    np.testing.assert_array_equal(restrict_orders(orders, np.arange(12)), orders)


def test_parts_keep_groups_whole() -> None:
    groups = np.array(list("aabbbccddde"))
    parts = draw_parts(11, 1, groups)
    assert all(len(set(parts[groups == name])) == 1 for name in "abcde")
    assert sorted(np.bincount(draw_parts(25, 1))) == [2] * 5 + [3] * 5


def test_stimuli_that_vary_together_are_not_counted_apart() -> None:
    """Each stimulus four times is no more than once: the interval is as wide as without the copies."""
    generator = np.random.default_rng(2)
    moved = generator.normal(size=40)
    one = Spread(moved / 40, np.zeros(10))
    four = Spread(np.repeat(moved, 4) / 160, np.zeros(10))
    alone, copies = find_r_half_width([one], None, 8), find_r_half_width([four], np.repeat(np.arange(40), 4), 32)
    assert copies == pytest.approx(alone, rel=0.05)
    assert find_r_half_width([four], None, 32) < 0.6 * alone


def test_the_interval_of_two_people_knows_that_they_saw_the_same_stimuli() -> None:
    moved = np.random.default_rng(3).normal(size=40) / 40
    one, other = Spread(moved, np.zeros(10)), Spread(-moved, np.zeros(10))
    assert find_r_half_width([one, one], None, 8) == pytest.approx(find_r_half_width([one], None, 8))
    assert np.isnan(find_r_half_width([one, other], None, 8))


def test_joint_regressions_fitted_again_are_the_ones_that_were_fitted() -> None:
    pytest.importorskip("himalaya")
    layers = [X[:, :5], X[:, 5:]]
    found, _, weights = predict_jointly(layers, Y[:, :6], SPLITS, 1)
    again = partial(plan_joint_refits, layers, weights, SPLITS)
    np.testing.assert_allclose(again(SPLITS).correlate(Y[:, :6]), found.r, atol=1e-5)
    parts = draw_parts(30, 1)
    spread = spread_r(
        found.predicted, Y[:, :6], SPLITS, [np.arange(6)], lambda other: again(other).correlate(Y[:, :6]), parts,
        np.arange(30), 30,
    )[0]  # fmt: skip
    assert len(set(spread.trained)) == 10
    assert 0 < find_r_half_width([spread], None, 10) < 1
