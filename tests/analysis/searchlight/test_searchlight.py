"""Neighbourhoods by brute force, maps centre by centre against scipy."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr

from beholder._core.errors import InputError
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.searchlight import _searchlight
from beholder.analysis.searchlight._neighbourhoods import iter_ball_neighbours, iter_mesh_neighbours
from beholder.analysis.searchlight._searchlight import COMPARISONS, compute_searchlight

STRIP = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4]])


def rank_correlation(a, b) -> float:
    found: Any = spearmanr(a, b)
    return float(found.statistic)


def make_mask(seed=0):
    mask = np.random.default_rng(seed).random((5, 4, 4)) > 0.3
    return np.argwhere(mask)


def make_data(n_stimuli=8, n_units=30, n_rdms=2, seed=1):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((n_stimuli, 1, n_units))
    return values, generator.random((n_rdms, n_stimuli * (n_stimuli - 1) // 2))


@pytest.mark.parametrize("radius", [1, 2.0, 2.5])
def test_balls_are_all_units_of_the_mask_within_the_radius(radius):
    places = make_mask()
    distances = cdist(places, places)
    found = list(iter_ball_neighbours(places, radius))
    assert [each.tolist() for each in found] == [np.flatnonzero(row <= radius).tolist() for row in distances]


def test_a_radius_in_mm_counts_the_sides_of_voxels():
    places = np.argwhere(np.ones((3, 3, 3)))
    millimetres = places * [2.0, 2.0, 4.0]
    assert [len(found) for found in iter_ball_neighbours(millimetres, 2)][13] == 5
    assert [len(found) for found in iter_ball_neighbours(millimetres, 4)][13] == 11


def test_geometry_that_means_nothing_is_refused():
    with pytest.raises(InputError, match="1 of 3 at another's"):
        iter_ball_neighbours([[0, 0], [1, 1], [0, 0]], 2)
    with pytest.raises(InputError, match="nearest two are 3 apart"):
        iter_ball_neighbours([[0], [3], [6]], 2)
    with pytest.raises(InputError, match="a radius above 0"):
        iter_ball_neighbours([[0], [3]], 0)
    with pytest.raises(InputError, match="finite coordinates"):
        iter_ball_neighbours([[0], [np.nan]], 1)
    with pytest.raises(InputError, match="vertices 0 to 3"):
        iter_mesh_neighbours(STRIP, 4, n_rings=1)
    cases: list[dict[str, Any]] = [{}, {"n_rings": 1, "radius": 2.0}, {"radius": 2.0}, {"n_rings": 0}]
    for wrong in cases:
        with pytest.raises(InputError, match="ring"):
            iter_mesh_neighbours(STRIP, 5, **wrong)


def test_rings_of_a_surface_and_its_edges_in_mm():
    found = [each.tolist() for each in iter_mesh_neighbours(STRIP, 6, n_rings=2)]
    assert found == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [5]]
    line = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [6, 0, 0], [10, 0, 0]])
    found = [each.tolist() for each in iter_mesh_neighbours(STRIP, 5, coordinates=line, radius=3.0)]
    assert found == [[0, 1, 2], [0, 1, 2], [0, 1, 2, 3], [2, 3], [4]]


@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
@pytest.mark.parametrize("block", [1, 3, 1000])
def test_every_centre_with_every_rdm_as_scipy_has_it(distance, block, monkeypatch):
    values, rdms = make_data()
    monkeypatch.setattr(_searchlight, "_BLOCK_BYTES", 8 * 28 * block)
    around = [np.arange(i, i + 12) for i in range(7)]
    found = compute_searchlight(values, iter(around), rdms, distance)
    own = [pdist(values[:, 0, units], distance) for units in around]
    expected = [[rank_correlation(rdm, each) for each in own] for rdm in rdms]
    np.testing.assert_allclose(found.estimates, expected, atol=2e-6)
    found = compute_searchlight(values, around, rdms, distance, "pearson")
    expected = [[float(np.corrcoef(rdm, each)[0, 1]) for each in own] for rdm in rdms]
    np.testing.assert_allclose(found.estimates, expected, atol=2e-6)


@pytest.mark.parametrize("method", COMPARISONS)
def test_ties_are_shared_ranks_and_rho_a_is_below_spearman_for_them(method):
    values, rdms = make_data(n_rdms=1)
    rdms = np.round(rdms * 3)
    around = [np.arange(15)]
    own = pdist(values[:, 0, :15], "correlation")
    found = compute_searchlight(values, around, rdms, method=method).estimates[0, 0]
    spearman = rank_correlation(rdms[0], own)
    if method == "spearman":
        assert found == pytest.approx(spearman, abs=2e-6)
    if method == "cosine":
        assert found == pytest.approx(rdms[0] @ own / np.linalg.norm(rdms[0]) / np.linalg.norm(own), abs=2e-6)
    if method == "rho-a":
        from scipy.stats import rankdata

        n = len(own)
        products = (rankdata(own) - (n + 1) / 2) @ (rankdata(rdms[0]) - (n + 1) / 2)
        assert found == pytest.approx(12 * products / (n**3 - n), abs=2e-6) and abs(found) < abs(spearman)


def test_p_counts_the_maps_of_permuted_stimuli_that_reach_it_anywhere():
    values, rdms = make_data(n_stimuli=9, n_units=40, n_rdms=1)
    rdms[0] = DISTANCES["correlation"].compute(values[:, :, 5:17])
    around = [np.arange(i, i + 12) for i in range(28)]
    found = compute_searchlight(values, around, rdms, n_permutations=99)
    assert found.estimates[0, 5] == pytest.approx(1, abs=1e-6) and found.p[0, 5] == pytest.approx(0.01)
    assert found.estimates[0].argmax() == 5 and found.p[0, 20] > 0.05
    assert np.isnan(compute_searchlight(values, around, rdms).p).all()
    again = compute_searchlight(values, around, rdms, n_permutations=99)
    np.testing.assert_array_equal(again.p, found.p)


def test_small_neighbourhoods_and_units_not_measured_are_left_out_and_counted():
    values, rdms = make_data(n_units=12)
    values = np.repeat(values, 2, axis=1)
    values[3, :, 2] = np.nan
    values[4, 0, 3] = np.nan
    values[1, :, :4] = values[1, :, :1]
    around = [np.arange(6), np.arange(2, 6), np.arange(12)]
    found = compute_searchlight(values, around, rdms)
    assert found.n_units.tolist() == [5, 3, 11] and (found.n_small, found.n_undefined) == (1, 0)
    assert np.isnan(found.estimates[:, 1]).all() and np.isfinite(found.estimates[:, [0, 2]]).all()
    used = np.delete(np.arange(12), 2)
    expected = rank_correlation(pdist(np.nanmean(values[:, :, used], axis=1), "correlation"), rdms[0])
    assert found.estimates[0, 2] == pytest.approx(expected, abs=2e-6)


def test_a_pair_that_one_rdm_misses_is_left_out_for_all():
    values, rdms = make_data()
    rdms[1, 4] = np.nan
    own = pdist(values[:, 0, :12], "correlation")
    kept = np.delete(np.arange(28), 4)
    found = compute_searchlight(values, [np.arange(12)], rdms).estimates[0, 0]
    assert found == pytest.approx(rank_correlation(own[kept], rdms[0, kept]), abs=2e-6)


def test_crossnobis_of_neighbourhoods_takes_the_runs():
    generator = np.random.default_rng(3)
    values, folds = generator.standard_normal((6, 4, 9)), ["1", "1", "2", "2"]
    rdm = DISTANCES["crossnobis"].compute(values[:, :, :6], folds=folds)
    found = compute_searchlight(values, [np.arange(6)], rdm[None], "crossnobis", "pearson", folds=folds)
    assert found.estimates[0, 0] == pytest.approx(1, abs=1e-6)


def test_what_cannot_be_mapped_is_refused():
    values, rdms = make_data()
    with pytest.raises(InputError, match="10 measured units or more; got 1, of 4 units at most"):
        compute_searchlight(values, [np.arange(4)], rdms, min_units=10)
    with pytest.raises(InputError, match="of the same stimuli"):
        compute_searchlight(values, [np.arange(6)], rdms[:, :-1])
    with pytest.raises(InputError, match="RDM 1 constant"):
        compute_searchlight(values, [np.arange(6)], np.vstack([rdms[0], np.ones(28)]))
    with pytest.raises(InputError, match="'spearman'"):
        compute_searchlight(values, [np.arange(6)], rdms, method="speerman")


@pytest.mark.slow
def test_a_map_of_noise_has_a_small_p_anywhere_as_often_as_p_says():
    hits = 0
    around = [np.arange(i, i + 8) for i in range(0, 20, 2)]
    for seed in range(200):
        values, rdms = make_data(n_units=28, n_rdms=1, seed=seed)
        hits += np.nanmin(compute_searchlight(values, around, rdms, n_permutations=59, seed=seed).p) < 0.05
    assert 2 <= hits <= 20, hits
