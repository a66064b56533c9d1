"""Distances by name: each gives a condensed RDM, over repeats that are there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from beholder._core.errors import UnknownNameError
from beholder.analysis import DISTANCES


@pytest.mark.parametrize("name", ["correlation", "cosine", "euclidean"])
def test_distances_between_means_agree_with_scipy(name: str) -> None:
    values = np.random.default_rng(1).normal(size=(5, 3, 4, 2))
    values[2, 1] = np.nan
    oracle: Any = pdist
    expected = oracle(np.nanmean(values, axis=1).reshape(5, -1), name)
    np.testing.assert_allclose(DISTANCES[name].compute(values), expected, rtol=1e-12)


def test_a_stimulus_without_data_costs_its_own_pairs_alone() -> None:
    values = np.random.default_rng(1).normal(size=(4, 1, 6))
    values[1] = np.nan
    for name in ("correlation", "euclidean"):
        found = DISTANCES[name].compute(values)
        assert np.isnan(found).tolist() == [True, False, False, True, True, False]
        np.testing.assert_allclose(found[~np.isnan(found)], DISTANCES[name].compute(values[[0, 2, 3]]))


def test_near_names_are_suggested() -> None:
    with pytest.raises(UnknownNameError, match="'euclidean'"):
        DISTANCES["euclidian"]
