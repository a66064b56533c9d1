"""Noise ceilings against rsatoolbox; their chance level says when people do not agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.statistics import RDM_METHODS, compare_rdms, noise_ceiling

from .rdm_simulations import simulate_rdms
from .test_rdm_comparison import _THEIR_NAMES


@pytest.mark.parametrize("method", RDM_METHODS)
@pytest.mark.filterwarnings("ignore")
def test_rsatoolbox_gives_the_same(method: str) -> None:
    toolbox: Any = pytest.importorskip("rsatoolbox")
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling

    people = simulate_rdms(np.random.default_rng(1), 8, 4)[1]
    expected = boot_noise_ceiling(toolbox.rdm.RDMs(people), _THEIR_NAMES.get(method, method))
    found = noise_ceiling(people, method, n_permutations=20)
    np.testing.assert_allclose([found.lower, found.upper], expected, atol=1e-12)
    assert found.lower < found.upper and np.isfinite(found.chance)


def test_people_who_do_not_agree_have_no_ceiling_above_chance() -> None:
    rng = np.random.default_rng(0)
    above = [noise_ceiling(rng.random((4, 66)), n_permutations=100, seed=seed).is_above_chance for seed in range(40)]
    assert sum(above) <= 6
    agreeing = simulate_rdms(rng, 12, 4, signal=2.0)[1]
    found = noise_ceiling(agreeing)
    assert found.is_above_chance and found.p == pytest.approx(1 / 201)


def test_a_subject_without_a_stimulus_counts_where_it_can() -> None:
    people = simulate_rdms(np.random.default_rng(1), 6, 3)[1]
    people[0, :5] = np.nan  # all pairs of the first stimulus
    from scipy.stats import rankdata

    others = np.mean([rankdata(people[1]), rankdata(people[2])], axis=0)
    first = compare_rdms(others[5:], people[0, 5:])
    found = noise_ceiling(people, n_permutations=10)
    assert np.isfinite([found.lower, found.upper, found.chance]).all()
    assert compare_rdms(others, people[0]) == pytest.approx(first)


def test_one_person_has_no_ceiling() -> None:
    with pytest.raises(InputError, match="two people"):
        noise_ceiling(np.zeros((1, 3)))
