import logging

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr

from beholder._core.errors import InputError
from beholder.activations.similarity import _measures as _similarity
from beholder.activations.similarity._measures import (
    METHODS,
    compute_rdm,
    compute_rdm_from_blocks,
    correlate_rdms,
    sparsity,
)


def compute_oracle(rows, method):
    rows = rows.astype(np.float64)
    if method != "gaussian":
        return squareform(pdist(rows, method))
    squared = squareform(pdist(rows, "sqeuclidean"))
    return 1 - np.exp(-squared / squared.mean())


class Layer:
    def __init__(self, values):
        self._values, self.shape, self.dtype = values, values.shape, values.dtype
        self.stimulus_ids = [str(i) for i in range(len(values))]
        self.longest = 0

    def __getitem__(self, index):
        rows = self._values[index]
        self.longest = max(self.longest, len(rows))
        return rows


def make_rows(n=40, f=300, mean=2.0, dtype="float32", seed=0):
    return (np.random.default_rng(seed).standard_normal((n, f)) + mean).astype(dtype)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("mean", [0.0, 5.0])
def test_rdm_matches_scipy(method, dtype, mean):
    rows = make_rows(mean=mean, dtype=dtype)
    rdm = compute_rdm(rows, method)
    assert rdm.dtype == np.float64
    np.testing.assert_allclose(rdm, compute_oracle(rows, method), atol=1e-12 if dtype == "float64" else 2e-6)
    np.testing.assert_array_equal(rdm, rdm.T)
    assert (np.diag(rdm) == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_blocks_of_rows_and_of_columns_give_the_same(method, monkeypatch):
    rows = make_rows(60, 250)
    whole = compute_rdm(rows, method)
    columns = compute_rdm_from_blocks((rows[:, i : i + 33] for i in range(0, 250, 33)), method)
    np.testing.assert_allclose(columns, whole, atol=2e-6)
    monkeypatch.setattr(_similarity, "_IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(_similarity, "_BLOCK_BYTES", 3500)
    layer = Layer(rows.reshape(60, 1, 5, 50))
    np.testing.assert_allclose(compute_rdm(layer, method), whole, atol=2e-6)
    assert layer.longest == 3


@pytest.mark.parametrize("method", METHODS)
def test_replicates_of_a_layer_are_averaged(method):
    values = np.random.default_rng(1).standard_normal((20, 4, 3, 7)).astype(np.float32)
    expected = compute_oracle(values.mean(axis=1).reshape(20, -1), method)
    np.testing.assert_allclose(compute_rdm(Layer(values), method), expected, atol=2e-6)
    expected = compute_oracle(values.reshape(20, -1), method)
    np.testing.assert_allclose(compute_rdm(values, method), expected, atol=2e-6)


def test_distances_of_near_copies_keep_their_digits():
    rows = np.repeat(make_rows(10, 200, mean=100.0, dtype="float64"), 2, axis=0)
    rows[1::2] += 1e-4
    expected = compute_oracle(rows, "euclidean")
    np.testing.assert_allclose(compute_rdm(rows, "euclidean"), expected, rtol=1e-5, atol=1e-9)


def test_rows_without_direction_are_nan_and_named(caplog):
    rows = make_rows(6, 30)
    rows[2] = 0.1
    with caplog.at_level(logging.WARNING, "beholder"):
        rdm = compute_rdm(rows)
    assert "1 of 6 rows" in caplog.text
    assert np.isnan(np.delete(rdm[2], 2)).all()
    assert np.isnan(rdm).sum() == 10
    rows[2] = 0
    assert np.isnan(compute_rdm(rows, "cosine")).sum() == 10
    assert np.isnan(compute_rdm_from_blocks([rows + 0.1])).sum() == 10
    assert not np.isnan(compute_rdm(rows, "euclidean")).any()


def test_identical_rows_have_no_distance_anywhere():
    rdm = compute_rdm(np.ones((4, 3)), "gaussian")
    assert (rdm == 0).all()


def test_tensors_and_many_axes_are_taken():
    torch = pytest.importorskip("torch")
    rows = make_rows(10, 24)
    np.testing.assert_allclose(
        compute_rdm(torch.from_numpy(rows).reshape(10, 2, 3, 4)), compute_oracle(rows, "correlation"), atol=2e-6
    )


@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
def test_comparison_matches_scipy(correlation):
    a, b = compute_rdm(make_rows(seed=1)), compute_rdm(make_rows(seed=2) + make_rows(seed=1))
    a, b = np.round(a, 2), np.round(b, 2)  # ties
    above = np.triu_indices(len(a), 1)
    oracle = {"pearson": pearsonr, "spearman": spearmanr}[correlation](a[above], b[above])[0]
    assert correlate_rdms(a, b, correlation) == pytest.approx(oracle, abs=1e-12)
    assert correlate_rdms(a, np.triu(b, 1), correlation) == pytest.approx(oracle, abs=1e-12)
    assert correlate_rdms(a, a, correlation) == pytest.approx(1)


def test_comparison_without_an_answer_is_nan():
    a = compute_rdm(make_rows())
    assert np.isnan(correlate_rdms(a, np.ones_like(a)))
    b = a.copy()
    b[0, 1] = np.nan
    assert np.isnan(correlate_rdms(a, b, "spearman"))


def test_sparsity_is_the_share_not_above_zero():
    values = np.array([[0.0, -1.0, 2.0], [3.0, -0.0, 5.0]])
    assert sparsity(values) == 3 / 6
    assert sparsity(Layer(values[:, None])) == 3 / 6
    with pytest.raises(InputError, match="at least one value"):
        sparsity(np.empty((0, 3)))


def test_arguments_are_checked():
    with pytest.raises(InputError, match="'correlation'"):
        compute_rdm(make_rows(), "corelation")
    with pytest.raises(InputError, match="two rows"):
        compute_rdm(make_rows(1))
    with pytest.raises(InputError, match="two rows"):
        compute_rdm_from_blocks([])
    with pytest.raises(InputError, match="'spearman'"):
        correlate_rdms(np.eye(4), np.eye(4), "spearmen")
    with pytest.raises(InputError, match="one size"):
        correlate_rdms(np.eye(4), np.eye(5))
