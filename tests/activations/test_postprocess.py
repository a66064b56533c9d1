from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from sklearn.random_projection import SparseRandomProjection

from beholder._core.errors import InputError
from beholder.activations.extraction import _pca, _postprocess
from beholder.activations.extraction._postprocess import (
    CenterActs,
    CompressActs,
    NormalizeReps,
    Reduce,
    fit_postprocess,
    make_directions,
    parse_reduce,
    plan_steps,
    project_rows,
)


class Counted:
    """Rows that can only be read by slices; remembers the longest and the number of rows read."""

    def __init__(self, values):
        self._values, self.shape, self.dtype = values, values.shape, values.dtype
        self.longest = self.read = 0

    def __getitem__(self, index):
        rows = self._values[index]
        self.longest = max(self.longest, len(rows))
        self.read += len(rows)
        return rows


def make_matrix(n_rows, n_columns, mean=3.0, seed=0, decay=0.05):
    rng = np.random.default_rng(seed)
    scale = np.exp(-decay * np.arange(n_columns))
    mixing = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))[0]
    return ((rng.standard_normal((n_rows, n_columns)) * scale) @ mixing + mean).astype(np.float32)


def run(values, steps, **kwargs):
    fitted = fit_postprocess(values, steps, **kwargs)
    return fitted, np.concatenate([block for _, block in fitted.iter_transformed(values, 2000)])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(_postprocess, "_BLOCK_BYTES", 7000)


def test_centre_and_normalise_match_numpy_and_sklearn():
    values = make_matrix(60, 30)
    centred = values - values.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(run(values, [CenterActs()])[1], centred, atol=1e-6)
    np.testing.assert_allclose(run(values, [NormalizeReps()])[1], normalize(values), atol=1e-6)
    np.testing.assert_allclose(run(values, [CenterActs(), NormalizeReps()])[1], normalize(centred), atol=1e-6)  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_rows_of_zeros_stay_zero():
    values = make_matrix(10, 4)
    values[3] = 0
    out = run(values, [NormalizeReps()])[1]
    assert (out[3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(np.delete(out, 3, 0), axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(200, 40), (40, 40), (40, 200), (31, 90)])
@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_pca_matches_sklearn(n_rows, n_columns, mean):
    values = make_matrix(n_rows, n_columns, mean)
    oracle = PCA(0.9, svd_solver="full").fit(values.astype(np.float64))
    expected = oracle.transform(values.astype(np.float64))
    fitted: Any
    fitted, out = run(values, [CompressActs()])
    assert out.shape == expected.shape
    assert out.dtype == np.float32
    signs = np.sign((out * expected).sum(axis=0))
    np.testing.assert_allclose(out * signs, expected, atol=2e-5)
    np.testing.assert_allclose(fitted.components.variances, oracle.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(
        fitted.to_dict()["pca"]["share_of_variance"], oracle.explained_variance_ratio_.sum(), rtol=1e-9
    )
    assert fitted.n_features == oracle.n_components_


def test_order_is_centre_normalise_pca():
    values = make_matrix(80, 25)
    centred = values - values.astype(np.float64).mean(axis=0)
    expected = PCA(0.9, svd_solver="full").fit_transform(normalize(centred))
    out = run(values, [CompressActs(), NormalizeReps(), CenterActs()])[1]
    signs = np.sign((out * expected).sum(axis=0))
    np.testing.assert_allclose(out * signs, expected, atol=1e-6)


@pytest.mark.parametrize("n_rows", [60, 20])
def test_fixed_number_of_components(n_rows):
    values = make_matrix(n_rows, 30)
    out = run(values, [CompressActs(n_components=7)])[1]
    expected = PCA(7, svd_solver="full").fit_transform(values.astype(np.float64))
    np.testing.assert_allclose(np.abs(out), np.abs(expected), atol=2e-5)
    with pytest.raises(InputError, match=f"between 1 and {min(n_rows, 30)}"):
        fit_postprocess(values, [CompressActs(n_components=31)])


def test_all_components_of_few_rows_stay_orthonormal():
    fitted: Any = fit_postprocess(make_matrix(10, 30), [CompressActs(n_components=10)])
    axes: Any = fitted.components.axes
    np.testing.assert_allclose(axes.T @ axes, np.eye(10), atol=1e-9)


@pytest.mark.parametrize("shape", [(300, 60), (60, 300)])
def test_signs_are_fixed(shape):
    axes: Any = fit_postprocess(make_matrix(*shape), [CompressActs()]).components.axes  # pyright: ignore[reportOptionalMemberAccess]
    assert (axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] > 0).all()


def test_rows_are_scored_directly_where_the_directions_would_be_too_large(monkeypatch):
    values = make_matrix(40, 200)
    expected = PCA(0.9, svd_solver="full").fit_transform(values.astype(np.float64))
    monkeypatch.setattr(_pca, "COMPONENT_BYTES", 1000)
    fitted, out = run(values, [CompressActs()])
    signs = np.sign((out * expected).sum(axis=0))
    np.testing.assert_allclose(out * signs, expected, atol=2e-5)
    assert (out[np.abs(out).argmax(axis=0), np.arange(out.shape[1])] > 0).all()
    with pytest.raises(InputError, match="iter_transformed"):
        fitted.transform(values)


@pytest.mark.parametrize("first_width", [512, 24])
def test_large_matrices_by_a_random_subspace(monkeypatch, first_width):
    values = make_matrix(300, 220, decay=0.08)
    monkeypatch.setattr(_pca, "EXACT_LIMIT", 100)
    monkeypatch.setattr(_pca, "_FIRST_WIDTH", first_width)
    oracle = PCA(0.9, svd_solver="full").fit(values.astype(np.float64))
    expected = oracle.transform(values.astype(np.float64))
    fitted: Any
    fitted, out = run(values, [CompressActs()], seed=1)
    assert fitted.to_dict()["pca"]["method"] == "randomized"
    assert out.shape == expected.shape
    signs = np.sign((out * expected).sum(axis=0))
    np.testing.assert_allclose(out * signs, expected, atol=5e-3)
    np.testing.assert_allclose(fitted.components.variances, oracle.explained_variance_, rtol=1e-4)
    np.testing.assert_array_equal(out, run(values, [CompressActs()], seed=1)[1])
    monkeypatch.setattr(_pca, "COMPONENT_BYTES", 8 * 220 * 20)
    with pytest.raises(InputError, match="srp"):
        fit_postprocess(values, [CompressActs(0.999)])


def test_a_random_subspace_much_narrower_than_the_matrix(monkeypatch):
    values = make_matrix(300, 220, decay=0.08)
    monkeypatch.setattr(_pca, "EXACT_LIMIT", 100)
    fitted: Any
    fitted, out = run(values, [CompressActs(n_components=10)], seed=1)
    oracle = PCA(10, svd_solver="full").fit(values.astype(np.float64))
    expected = oracle.transform(values.astype(np.float64))
    assert out.shape == (300, 10)
    signs = np.sign((out * expected).sum(axis=0))
    np.testing.assert_allclose(out * signs, expected, atol=2e-2)
    np.testing.assert_allclose(fitted.components.variances, oracle.explained_variance_, rtol=1e-4)


def test_replicates_are_rows_and_feature_axes_are_joined():
    values = make_matrix(60, 24).reshape(20, 3, 2, 3, 4)
    flat = values.reshape(60, 24)
    out = run(values, [CenterActs(), CompressActs(n_components=5)])[1]
    assert out.shape == (20, 3, 5)
    np.testing.assert_allclose(
        out.reshape(60, 5), run(flat, [CenterActs(), CompressActs(n_components=5)])[1], atol=1e-6
    )


@pytest.mark.parametrize("shape", [(400, 20), (120, 400)])
def test_never_holds_the_matrix(shape):
    values = Counted(make_matrix(*shape))
    fit_postprocess(values, [CenterActs(), NormalizeReps(), CompressActs()])
    assert values.longest < shape[0] / 2
    if shape[0] > shape[1]:
        assert values.read == 2 * shape[0]


def test_what_cannot_be_fitted_is_refused():
    values = make_matrix(10, 4)
    for steps, message in [
        ([CenterActs(), CenterActs()], "each step once"),
        ([CompressActs(variance=1.5)], "between 0 and 1"),
    ]:
        with pytest.raises(InputError, match=message):
            fit_postprocess(values, steps)
    with pytest.raises(InputError, match="at least one row"):
        fit_postprocess(values[:0], [CenterActs()])
    with pytest.raises(InputError, match="at least 2 rows"):
        fit_postprocess(values[:1], [CompressActs()])
    constant: Any
    for constant in (np.ones((6, 4)), np.ones((4, 6))):
        with pytest.raises(InputError, match="all alike"):
            fit_postprocess(constant, [CompressActs()])


def test_flags_become_steps():
    assert parse_reduce("SRP:256") == Reduce("srp", 256)
    assert parse_reduce("pca:8") == Reduce("pca", 8)
    for text in ("srp", "srp:0", "umap:2", "pca:-1"):
        with pytest.raises(InputError, match="srp:K or pca:K"):
            parse_reduce(text)
    assert plan_steps() == ()
    assert plan_steps(compress_acts=True, normalize_reps=True, center_acts=True) == (
        CenterActs(),
        NormalizeReps(),
        CompressActs(0.9),
    )
    assert plan_steps(n_components=5) == (CompressActs(n_components=5),)
    assert plan_steps(reduce=Reduce("pca", 9)) == (CompressActs(n_components=9),)
    assert plan_steps(reduce=Reduce("srp", 9)) == ()
    with pytest.raises(InputError, match="one PCA"):
        plan_steps(reduce=Reduce("pca", 9), compress_acts=True)


def test_projection_is_linear_seeded_and_row_by_row():
    rows = make_matrix(9, 500)
    out = project_rows(rows, 64, 42, "conv1")
    assert out.shape == (9, 64)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([project_rows(row[None], 64, 42, "conv1") for row in rows]), out)
    np.testing.assert_array_equal(project_rows(rows.reshape(9, 5, 10, 10), 64, 42, "conv1"), out)
    np.testing.assert_allclose(project_rows(rows * 2, 64, 42, "conv1"), out * 2, rtol=1e-6)
    for other in (project_rows(rows, 64, 43, "conv1"), project_rows(rows, 64, 42, "conv2")):
        assert np.abs(other - out).max() > 0.1


def test_projection_has_sklearns_density_and_scale_and_keeps_distances():
    width: Any
    n_features, width = 10_000, 400
    directions = make_directions(n_features, width, 7)
    oracle = SparseRandomProjection(width, random_state=0).fit(np.zeros((2, n_features)))
    assert set(np.round(np.unique(directions.data), 6)) == set(np.round(np.unique(oracle.components_.data), 6))
    np.testing.assert_allclose(directions.nnz, oracle.components_.nnz, rtol=0.03)
    assert abs(directions.data.sum()) < 4 * np.sqrt(directions.nnz) * np.abs(directions.data).max()
    rows = np.random.default_rng(0).standard_normal((20, n_features)).astype(np.float32)
    projected = project_rows(rows, width, 0, "x")
    pairs = np.triu_indices(20, 1)
    before = np.linalg.norm(rows[:, None] - rows, axis=2)[pairs]
    after = np.linalg.norm(projected[:, None] - projected, axis=2)[pairs]
    np.testing.assert_allclose(after / before, 1, atol=0.15)
    assert abs((after / before).mean() - 1) < 0.03
