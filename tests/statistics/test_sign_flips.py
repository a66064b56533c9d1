"""Sign flips against enumeration by hand, Holm by hand, maps of stimuli against their distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from beholder.statistics import correct_holm, flip_signs, map_stimuli


def test_two_models_by_hand() -> None:
    found = flip_signs([[1.0, 1, 1, 1, 1], [1, 1, 1, 1, -3]])
    # The second sums to 1; of 32 signings that is reached by +3 with a sum of four of -2 or more (15: all but four
    # negative ones), and by -3 with a sum of four of 4 (1).
    assert found.p.tolist() == [1 / 32, 16 / 32]
    assert found.smallest_p == 1 / 32
    assert np.isnan(flip_signs([[1.0, np.nan, 1, 1, 1]]).p).all()


def test_many_people_are_drawn() -> None:
    found = flip_signs(np.random.default_rng(0).normal(2, 1, (1, 14)), n_permutations=200)
    assert found.p[0] == 1 / 201 == found.smallest_p


def test_holm_never_falls_and_never_passes_one() -> None:
    np.testing.assert_allclose(correct_holm([0.02, 0.01, 0.9, 0.6]), [0.06, 0.04, 1.0, 1.0])
    assert np.isnan(correct_holm([np.nan])).all() and len(correct_holm([])) == 0


def test_a_plane_is_found_again() -> None:
    distances: Any = pdist
    points = np.random.default_rng(0).normal(size=(9, 2))
    places, share = map_stimuli(distances(points))
    np.testing.assert_allclose(distances(places), distances(points), atol=1e-10)
    assert share > 1 - 1e-10
