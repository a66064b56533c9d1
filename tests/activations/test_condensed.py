"""Condensed dissimilarities against scipy and scikit-learn's formula, whole and in groups of rows."""

import logging

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from beholder._core.errors import InputError
from beholder.activations.similarity import _condensed
from beholder.activations.similarity._condensed import CONDENSED_METHODS, compute_condensed_rdm, compute_gram


class Layer:
    def __init__(self, values):
        self._values, self.shape, self.dtype = values, values.shape, values.dtype
        self.stimulus_ids = [str(i) for i in range(len(values))]
        self.longest = 0

    def __getitem__(self, index):
        rows = self._values[index]
        self.longest = max(self.longest, len(rows))
        return rows


def compute_oracle(rows, method):
    rows = rows.astype(np.float64)
    if method == "squared-euclidean":
        return pdist(rows, "sqeuclidean") / rows.shape[1]
    if method == "gaussian":
        squared = pdist(rows, "sqeuclidean")
        return 1 - np.exp(-squared / (2 * squared.sum() / len(rows) ** 2))
    return pdist(rows, method)


def make_rows(n=40, f=90, mean=2.0, dtype="float32", seed=0):
    return (np.random.default_rng(seed).standard_normal((n, f)) + mean).astype(dtype)


@pytest.mark.parametrize("method", CONDENSED_METHODS)
@pytest.mark.parametrize(("dtype", "mean"), [("float16", 0.0), ("float32", 5.0), ("float64", 100.0)])
def test_all_pairs_as_scipy_has_them(method, dtype, mean):
    rows = make_rows(mean=mean, dtype=dtype)
    found = compute_condensed_rdm(rows, method)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, compute_oracle(rows, method), atol=1e-11 if dtype == "float64" else 2e-6)


@pytest.mark.parametrize("method", CONDENSED_METHODS)
def test_groups_of_rows_of_a_layer_give_the_same_and_only_they_are_read(method, monkeypatch):
    rows = make_rows(30, 40)
    monkeypatch.setattr(_condensed, "_GROUP_BYTES", 7 * 40 * 8)
    monkeypatch.setattr(_condensed, "_BLOCK_BYTES", 3 * 40 * 8)
    monkeypatch.setattr(_condensed, "_TILE_ROWS", 4)
    layer = Layer(np.stack([rows - 0.5, rows + 0.5], axis=1).reshape(30, 2, 5, 8))
    np.testing.assert_allclose(compute_condensed_rdm(layer, method), compute_oracle(rows, method), atol=3e-6)
    assert layer.longest <= 14


def test_above_ten_thousand_rows_the_result_is_float32(monkeypatch):
    monkeypatch.setattr(_condensed, "FLOAT32_ROWS", 10)
    rows = make_rows(11)
    found = compute_condensed_rdm(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, compute_oracle(rows, "correlation"), atol=2e-6)


def test_near_copies_far_from_zero_keep_their_digits():
    rows = np.repeat(make_rows(10, 200, mean=100.0, dtype="float64"), 2, axis=0)
    rows[1::2] += 1e-4
    found = compute_condensed_rdm(rows, "squared-euclidean")
    np.testing.assert_allclose(found, compute_oracle(rows, "squared-euclidean"), rtol=1e-5, atol=1e-9)


def test_a_row_without_direction_is_nan_and_said(caplog):
    rows = make_rows(6, 30)
    rows[2] = 0.1
    with caplog.at_level(logging.WARNING, "beholder"):
        assert np.isnan(compute_condensed_rdm(rows)).sum() == 5
    assert "1 of 6 rows" in caplog.text
    rows[2] = 0
    assert np.isnan(compute_condensed_rdm(rows, "cosine")).sum() == 5
    assert not np.isnan(compute_condensed_rdm(rows, "euclidean")).any()


@pytest.mark.parametrize("method", CONDENSED_METHODS)
def test_a_nan_is_refused_with_its_row(method):
    rows = make_rows(8, 12)
    rows[5, 3] = np.nan
    rows[5, 4] = np.inf
    with pytest.raises(InputError, match="2 values that are NaN or infinite in 1 row, the first of them row 5"):
        compute_condensed_rdm(rows, method)
    with pytest.raises(InputError, match="finite features"):
        compute_gram(rows)


def test_values_whose_squares_overflow_float32_have_their_correlation():
    rows = make_rows(6, 20) * 1e30
    np.testing.assert_allclose(compute_condensed_rdm(rows), compute_oracle(rows, "correlation"), atol=1e-5)


def test_inner_products_less_the_mean_row(monkeypatch):
    rows = make_rows(20, 30, mean=50)
    centred = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(compute_gram(rows), centred @ centred.T, atol=1e-4)
    monkeypatch.setattr(_condensed, "_GROUP_BYTES", 7 * 30 * 4)
    monkeypatch.setattr(_condensed, "_BLOCK_BYTES", 3 * 30 * 4)
    layer = Layer(rows[:, None])
    np.testing.assert_allclose(compute_gram(layer), centred @ centred.T, atol=1e-4)
    assert layer.longest <= 7


def test_other_names_and_single_rows_are_refused():
    with pytest.raises(InputError, match="'correlation'"):
        compute_condensed_rdm(make_rows(), "corelation")
    with pytest.raises(InputError, match="two rows"):
        compute_condensed_rdm(make_rows(1))
    with pytest.raises(InputError, match="two rows"):
        compute_gram(make_rows(1))
