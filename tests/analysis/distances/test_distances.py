"""Distances of conditions against rsatoolbox, and values worked out by hand."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from beholder._core.errors import InputError, UnknownNameError
from beholder.analysis.distances._crossnobis import compute_crossnobis_rdm
from beholder.analysis.distances._precision import (
    SHRINKAGES,
    compute_mahalanobis_rdm,
    compute_residuals,
    estimate_precision,
)
from beholder.analysis.distances._rates import compute_poisson_rdm
from beholder.analysis.distances._registry import DISTANCES

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # of rsatoolbox


def make_design(n_conditions=6, n_folds=4, n_repeats=2, n_features=9, seed=0):
    conditions = np.tile(np.repeat(np.arange(n_conditions), n_repeats), n_folds)
    folds = np.repeat(np.arange(n_folds), n_conditions * n_repeats)
    values = np.random.default_rng(seed).standard_normal((len(folds), n_features)) + conditions[:, None] * 0.3
    return values, conditions, folds


def load(name: str) -> Any:
    return pytest.importorskip(f"rsatoolbox.{name}")


def make_dataset(values, conditions, folds):
    data = load("data")
    return data.Dataset(values, obs_descriptors={"condition": conditions, "run": folds})


@pytest.mark.parametrize("whitened", [False, True])
def test_crossnobis_as_rsatoolbox_has_it(whitened):
    values, conditions, folds = make_design()
    dataset = make_dataset(values, conditions, folds)
    precision = load("data.noise").prec_from_residuals(values) if whitened else None
    expected = load("rdm").calc_rdm(
        dataset, method="crossnobis", descriptor="condition", noise=precision, cv_descriptor="run"
    )
    found = compute_crossnobis_rdm(values, conditions, folds, precision)
    np.testing.assert_allclose(found, expected.dissimilarities[0], atol=1e-12)


@pytest.mark.parametrize("whitened", [False, True])
def test_unequal_repeats_and_missing_conditions_as_the_unbalanced_estimate_of_rsatoolbox(whitened):
    values, conditions, folds = make_design()
    kept = np.delete(np.arange(len(folds)), [0, 1, 5, 17, 18, 30, 31, 47])
    kept = kept[np.argsort(conditions[kept], kind="stable")]  # its order is that of first appearance
    values, conditions, folds = values[kept], conditions[kept], folds[kept]
    dataset = make_dataset(values, conditions, folds)
    precision = np.eye(9) + 0.2 if whitened else None
    expected = load("rdm.calc_unbalanced").calc_rdm_unbalanced(
        dataset, method="crossnobis", descriptor="condition", cv_descriptor="run", noise=precision
    )
    found = compute_crossnobis_rdm(values, conditions, folds, precision)
    np.testing.assert_allclose(found, expected.dissimilarities[0], atol=1e-12)


def test_a_negative_distance_by_hand_is_kept():
    # Run 1: a (1, 0), b (0, 0); run 2: a (-1, 2), b (0, 0). ((1, 0) - 0) . ((-1, 2) - 0) / 2 = -1/2.
    found = compute_crossnobis_rdm([[1, 0], [0, 0], [-1, 2], [0, 0]], ["a", "b", "a", "b"], [1, 1, 2, 2])
    assert found.tolist() == [-0.5]
    # With precision diag(2, 1): -2/2.
    found = compute_crossnobis_rdm([[1, 0], [0, 0], [-1, 2], [0, 0]], list("abab"), [1, 1, 2, 2], np.diag([2.0, 1.0]))
    assert found.tolist() == [-1.0]


def test_conditions_that_do_not_differ_have_a_mean_distance_of_zero():
    conditions, folds = np.tile(np.arange(8), 3), np.repeat(np.arange(3), 8)
    draws = np.random.default_rng(1).standard_normal((40, 24, 10)) + 5
    found = [compute_crossnobis_rdm(values, conditions, folds).mean() for values in draws]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found)) and min(found) < 0


def test_order_is_that_of_sorted_conditions_whatever_the_order_of_rows():
    values, conditions, folds = make_design()
    order = np.random.default_rng(2).permutation(len(folds))
    names = np.array(["c", "a", "f", "b", "e", "d"])
    found = compute_crossnobis_rdm(values[order], names[conditions][order], folds[order])
    positions = np.argsort(np.argsort(names))
    expected = compute_crossnobis_rdm(values, positions[conditions], folds)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_designs_that_mean_nothing_are_refused():
    values, conditions, folds = make_design()
    with pytest.raises(InputError, match="1 of 6 in one only: 0"):
        compute_crossnobis_rdm(values, conditions, np.where(conditions == 0, 0, folds))
    with pytest.raises(InputError, match="two conditions or more"):
        compute_crossnobis_rdm(values, np.zeros(len(values)), folds)
    with pytest.raises(InputError, match="a condition and a fold a row"):
        compute_crossnobis_rdm(values, conditions[1:], folds)
    with pytest.raises(InputError, match=r"shape \(9, 9\)"):
        compute_crossnobis_rdm(values, conditions, folds, np.eye(8))
    values[3, 2] = np.nan
    with pytest.raises(InputError, match="1 that are NaN or infinite in 1 of 48 rows"):
        compute_crossnobis_rdm(values, conditions, folds)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("diagonal", "shrinkage_diag"), ("identity", "shrinkage_eye"), ("none", "full"), ("variances", "diag")],
)
@pytest.mark.parametrize("dof", [None, 20])
def test_precision_as_rsatoolbox_has_it(ours, theirs, dof):
    noise = load("data.noise")
    generator = np.random.default_rng(3)
    residuals = generator.standard_normal((30, 7)) @ generator.standard_normal((7, 7)) + 4
    expected = noise.prec_from_residuals(residuals, dof=dof, method=theirs)
    np.testing.assert_allclose(estimate_precision(residuals, ours, dof), expected, rtol=1e-8, atol=1e-10)


def test_precision_from_repeats_as_rsatoolbox_has_it():
    values, conditions, folds = make_design(n_repeats=1)
    dataset = make_dataset(values, conditions, folds)
    expected = load("data.noise").prec_from_measurements(dataset, obs_desc="condition")
    residuals, dof = compute_residuals(values, conditions)
    # Its degrees of freedom are (conditions - 1) x repeats; those of residuals from means conditions x (repeats - 1).
    assert dof == 6 * 3
    np.testing.assert_allclose(estimate_precision(residuals, dof=5 * 4), expected, rtol=1e-8, atol=1e-10)


def test_residuals_within_folds_have_no_effect_of_the_fold():
    values, conditions, folds = make_design()
    residuals, dof = compute_residuals(values + 100.0 * folds[:, None], conditions, folds)
    expected, _ = compute_residuals(values, conditions, folds)
    np.testing.assert_allclose(residuals, expected, atol=1e-10)
    assert dof == 24


def test_more_features_than_residuals_can_be_inverted_by_shrinkage_alone():
    residuals = np.random.default_rng(4).standard_normal((10, 25))
    for shrinkage in ("diagonal", "identity", "variances"):
        assert np.isfinite(estimate_precision(residuals, shrinkage)).all()
    with pytest.raises(InputError, match="has none"):
        estimate_precision(residuals, "none")


def test_residuals_that_mean_nothing_are_refused():
    residuals = np.random.default_rng(4).standard_normal((10, 5))
    residuals[:, 3] = 1.0
    with pytest.raises(InputError, match="1 of 5 constant, the first of them 3"):
        estimate_precision(residuals)
    with pytest.raises(UnknownNameError, match="'diagonal'"):
        estimate_precision(residuals, "diagonl")
    with pytest.raises(InputError, match="one degree of freedom"):
        estimate_precision(residuals, dof=0)
    with pytest.raises(InputError, match="none of them repeated"):
        compute_residuals(residuals, np.arange(10))
    assert set(SHRINKAGES) == {"diagonal", "identity", "none", "variances"}


def test_mahalanobis_and_poisson_as_scipy_and_rsatoolbox_have_them():
    values = np.random.default_rng(5).random((12, 7)) * 3
    precision = np.eye(7) + 0.3
    expected = pdist(values, "mahalanobis", VI=precision) ** 2 / 7
    np.testing.assert_allclose(compute_mahalanobis_rdm(values, precision), expected, atol=1e-12)
    data, rdm = load("data"), load("rdm")
    for ours, theirs in (("poisson", "poisson"), ("squared-euclidean", "euclidean"), ("correlation", "correlation")):
        expected = rdm.calc_rdm(data.Dataset(values), method=theirs).dissimilarities[0]
        np.testing.assert_allclose(DISTANCES[ours].compute(values[:, None]), expected, atol=1e-12)
    np.testing.assert_allclose(compute_poisson_rdm(values), DISTANCES["poisson"].compute(values[:, None]), atol=1e-12)


def test_distances_that_mean_nothing_are_refused():
    values = np.random.default_rng(5).standard_normal((5, 4))
    with pytest.raises(InputError, match="rates of 0 or more"):
        compute_poisson_rdm(values)
    with pytest.raises(InputError, match="positive definite"):
        compute_mahalanobis_rdm(values, -np.eye(4))
    for name in ("crossnobis", "mahalanobis"):
        with pytest.raises(InputError, match="two repeats or more"):
            DISTANCES[name].compute(values[:, None])


def test_crossnobis_of_repeats_estimates_the_precision_from_residuals_and_takes_folds():
    values = np.random.default_rng(7).standard_normal((5, 4, 3))
    rows, conditions, folds = values.reshape(20, 3), np.repeat(np.arange(5), 4), np.tile([0, 0, 1, 1], 5)
    residuals, dof = compute_residuals(rows, conditions)
    expected = compute_crossnobis_rdm(rows, conditions, folds, estimate_precision(residuals, dof=dof))
    found = DISTANCES["crossnobis"].compute(values, folds=[0, 0, 1, 1])
    np.testing.assert_allclose(found, expected, atol=1e-12)
    by_stimulus = np.tile(["1", "1", "2", "2"], (5, 1))
    np.testing.assert_allclose(DISTANCES["crossnobis"].compute(values, folds=by_stimulus), expected, atol=1e-12)
    by_stimulus[0] = ["2", "1", "1", "2"]
    assert not np.allclose(DISTANCES["crossnobis"].compute(values, folds=by_stimulus), expected)
    found = DISTANCES["crossnobis"].compute(values, precision=np.eye(3))
    expected = compute_crossnobis_rdm(rows, conditions, np.tile(np.arange(4), 5))
    np.testing.assert_allclose(found, expected, atol=1e-12)
