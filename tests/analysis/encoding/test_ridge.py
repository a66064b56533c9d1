"""Ridge of many targets against scikit-learn and himalaya, and where leave-one-out is 0/0."""

from typing import Any

import numpy as np
import pytest

from beholder import InputError
from beholder.analysis import fit_ridge, make_alphas

ALPHAS = np.logspace(-5, 5, 11)


def make_data(n: int, p: int, n_targets: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, p)) * np.linspace(0.1, 3, p) + 5
    noise = generator.normal(size=(n, n_targets)) * np.linspace(0.1, 30, n_targets)
    return x, x @ generator.normal(size=(p, n_targets)) * 0.3 + noise + 3


@pytest.mark.parametrize(("n", "p"), [(40, 12), (40, 100), (30, 30), (30, 29)])
def test_leave_one_out_is_that_of_scikit_learn(n: int, p: int) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = make_data(n, p)
    own, theirs = fit_ridge(x, y, ALPHAS), linear.RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(x, y)
    assert len(set(own.alphas)) > 2
    np.testing.assert_array_equal(own.alphas, theirs.alpha_)
    np.testing.assert_allclose(own.coefficients.T, theirs.coef_, atol=1e-10)
    np.testing.assert_allclose(own.predict(x), theirs.predict(x), atol=1e-10)
    others_mean = (y.sum(axis=0) - y) / (n - 1)
    np.testing.assert_allclose(own.scores, 1 + theirs.best_score_ * n / np.square(y - others_mean).sum(axis=0))


@pytest.mark.parametrize(("n", "p"), [(40, 6), (40, 100)])
def test_folds_are_those_of_himalaya(n: int, p: int) -> None:
    ridge: Any = pytest.importorskip("himalaya.ridge")
    x, y = make_data(n, p)
    theirs = ridge.RidgeCV(alphas=ALPHAS, cv=4, fit_intercept=True, solver_params={"warn": False}).fit(x, y)
    own = fit_ridge(x, y, ALPHAS, 4)
    np.testing.assert_allclose(own.alphas, theirs.best_alphas_)
    np.testing.assert_allclose(own.predict(x), theirs.predict(x), atol=1e-10)
    again = fit_ridge(x, y, ALPHAS, np.repeat(["d", "a", "c", "b"], 10))
    np.testing.assert_array_equal(again.alphas, own.alphas)
    small = fit_ridge(x.astype(np.float32), y.astype(np.float32), ALPHAS, 4)
    assert small.weights.dtype == np.float32
    np.testing.assert_allclose(small.predict(x), own.predict(x), atol=0.02)


def test_penalties_beyond_sense_give_the_limit_not_nonsense() -> None:
    """80 penalties from 1e-40 to 1e39: where leave-one-out is 0/0 for others, errors stay those of the limit."""
    x, y = make_data(20, 50)
    far, near = fit_ridge(x, y, 10.0 ** np.arange(-40, 40)), fit_ridge(x, y, 10.0 ** np.arange(-9, 12))
    np.testing.assert_allclose(far.scores, near.scores, rtol=1e-6, atol=1e-8)
    kernel = (x - x.mean(axis=0)) @ (x - x.mean(axis=0)).T
    inverse = np.linalg.pinv(kernel + 1e-8 * (np.eye(20) - 1 / 20))
    expected = np.square((inverse @ y) / np.diag(inverse)[:, None]).sum(axis=0)
    tiny = fit_ridge(x, y, [1e-40])
    spread = np.square(y - y.mean(axis=0)).sum(axis=0) * (20 / 19) ** 2
    np.testing.assert_allclose(tiny.scores, 1 - expected / spread, rtol=1e-5)


def test_a_tie_goes_to_the_penalty_that_was_named_first() -> None:
    x, y = make_data(20, 50, 1)
    assert fit_ridge(x, y, [1e-30, 1e-40]).alphas[0] == 1e-30
    assert fit_ridge(x, y, [1e-40, 1e-30]).alphas[0] == 1e-40


def test_edges_of_the_grid_are_said() -> None:
    generator = np.random.default_rng(1)
    x, noise = generator.normal(size=(40, 5)), generator.normal(size=(40, 50))
    fit = fit_ridge(x, noise, make_alphas(x))
    assert fit.at_largest > 0.2
    assert "take the largest penalty" in fit.warnings[0]
    assert fit_ridge(x, x @ np.ones((5, 2)), [1.0, 10.0]).at_smallest == 1
    assert fit_ridge(x, noise, [1.0]).warnings == ()


def test_a_constant_target_is_predicted_by_its_value_and_has_no_score() -> None:
    x, y = make_data(20, 5, 2)
    y[:, 1] = 0.1
    fit = fit_ridge(x, y)
    assert np.isnan(fit.scores).tolist() == [False, True]
    np.testing.assert_allclose(fit.predict(x)[:, 1], 0.1, rtol=1e-15)


def test_ill_conditioned_features_lose_no_direction() -> None:
    x = np.random.default_rng(2).normal(size=(30, 4)) * [1e6, 1, 1, 1e-2]
    coefficients = np.array([0, 1, 1, 100.0])
    found = fit_ridge(x, x @ coefficients, [1e-9]).coefficients[:, 0]
    np.testing.assert_allclose(found, coefficients, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "alphas", "folds", "says"),
    [
        (np.full((5, 2), np.nan), np.ones(5), None, None, "10 of 10 values that are NaN"),
        (np.eye(5), np.ones(4), None, None, "5 and 4"),
        (np.eye(5), np.ones(5), [0.0], None, "penalties above 0; got 0"),
        (np.eye(5), np.ones(5), None, 6, "2 to 5 folds"),
        (np.eye(5), np.ones(5), None, [1, 1], "a fold for each of 5 stimuli"),
        (np.eye(2), np.ones(2), None, None, "at least three stimuli"),
        (np.ones((5, 2)), np.ones(5), None, None, "features that vary"),
    ],
)
def test_bad_input_is_one_line(x: Any, y: Any, alphas: Any, folds: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_ridge(x, y, alphas, folds)
