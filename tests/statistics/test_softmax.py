"""Multinomial logistic regression against scikit-learn's, stochastic gradient descent against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from beholder._core.errors import InputError
from beholder.statistics import (
    SgdRecipe,
    balance_accuracy,
    count_confusions,
    find_balanced_interval,
    fit_softmax,
    fit_softmax_path,
    predict_scores,
    train_softmax,
)
from beholder.statistics import _softmax as module


class OnDisk:
    """Rows that are read when sliced."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows, self.shape, self.largest = rows, rows.shape, 0

    def __getitem__(self, index: slice) -> np.ndarray:
        block = self._rows[index]
        self.largest = max(self.largest, len(block))
        return block


def draw(n_classes: int, n: int = 90, n_features: int = 7) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(n_classes)
    labels = generator.permutation(np.arange(n) % n_classes)
    return generator.normal(size=(n, n_features)) + generator.normal(size=(n_classes, n_features))[labels], labels


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("c", [1e-3, 1.0, 100.0])
def test_coefficients_are_scikit_learns(n_classes, c):
    x, y = draw(n_classes)
    fit = fit_softmax(x, y, n_classes, c)
    oracle = LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(x, y)
    own, bias = fit.weights, fit.bias
    expected = oracle.intercept_ - (oracle.intercept_.mean() if n_classes > 2 else 0)
    if n_classes == 2:
        own, bias = own[1:] - own[:1], bias[1:] - bias[:1]
    np.testing.assert_allclose(own, oracle.coef_, atol=1e-4)
    np.testing.assert_allclose(bias, expected, atol=1e-3)
    assert fit.converged
    np.testing.assert_array_equal(predict_scores(x, fit).argmax(axis=1), oracle.predict(x))


def test_rows_on_disk_give_the_same_block_by_block(monkeypatch):
    x, y = draw(3)
    whole = fit_softmax(x, y, 3, 1.0)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 8 * x.shape[1] * 11)
    disk = OnDisk(x)
    fit = fit_softmax(disk, y, 3, 1.0)
    assert disk.largest == 11
    np.testing.assert_allclose(fit.weights, whole.weights, atol=1e-6)
    np.testing.assert_allclose(predict_scores(disk, fit), predict_scores(x, fit), atol=1e-12)


def test_the_strongest_of_equally_good_penalties_is_kept():
    x, y = draw(3)
    seen: list[float] = []

    def score(fit):
        seen.append(float(np.square(fit.weights).sum()))
        return [0.5, 0.75, 0.75][len(seen) - 1]

    fit, place, scores = fit_softmax_path(x, y, 3, [10.0, 0.1, 1.0], score)
    assert place == 2 and scores.tolist() == [0.75, 0.5, 0.75]
    assert seen == sorted(seen)  # from the strongest penalty on
    np.testing.assert_allclose(fit.weights, fit_softmax(x, y, 3, 1.0).weights, atol=1e-5)


@pytest.mark.parametrize("recipe", [SgdRecipe(4, 30.0, 2, 16), SgdRecipe(4, 0.1, 2, 16, clip=1.0, weight_decay=1e-2)])
def test_descent_is_pytorchs(recipe):
    x, y = draw(3, n=40)
    fit = train_softmax(x, y, 3, recipe, np.random.default_rng(5))
    generator = np.random.default_rng(5)
    layer = torch.nn.Linear(x.shape[1], 3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(generator.normal(scale=0.01, size=(3, x.shape[1]))))
        layer.bias.zero_()
    optimizer = torch.optim.SGD(layer.parameters(), recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.step)
    for _ in range(recipe.n_epochs):
        order = generator.permutation(len(x))
        for first in range(0, len(x), recipe.batch_size):
            rows = order[first : first + recipe.batch_size]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(torch.from_numpy(x[rows])), torch.from_numpy(y[rows])).backward()
            if recipe.clip is not None:
                torch.nn.utils.clip_grad_norm_(layer.parameters(), recipe.clip)
            optimizer.step()
        schedule.step()
    np.testing.assert_allclose(fit.weights, layer.weight.detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fit.bias, layer.bias.detach().numpy(), rtol=1e-9, atol=1e-9)
    disk = train_softmax(OnDisk(x), y, 3, recipe, np.random.default_rng(5))
    np.testing.assert_array_equal(disk.weights, fit.weights)


def test_what_cannot_be_fitted_is_refused():
    x, y = draw(3)
    for c in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="C above 0"):
            fit_softmax(x, y, 3, c)
    with pytest.raises(InputError, match="labels of 90 rows"):
        fit_softmax(x, y[:-1], 3, 1.0)
    with pytest.raises(InputError, match="penalties to choose from"):
        fit_softmax_path(x, y, 3, [], lambda _: 0.0)


def test_balanced_accuracy_and_its_interval():
    confusions = count_confusions(np.array([0] * 90 + [1] * 10), np.zeros(100, int), 2)
    assert confusions.tolist() == [[90, 0], [10, 0]] and balance_accuracy(confusions) == 0.5
    low, high = find_balanced_interval(confusions)
    assert 0 < low < 0.5 < high < 1
    shares = np.array([91 / 92, 1 / 12])
    variance = (shares * (1 - shares) / [90, 10]).sum() / 4
    assert high - 0.5 == pytest.approx(1.98447 * np.sqrt(variance), rel=1e-4)  # t with 98 degrees of freedom
