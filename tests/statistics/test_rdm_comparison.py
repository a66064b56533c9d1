"""Comparisons of RDMs against rsatoolbox, scipy and values by hand; draws of stimuli against RDMs built anew."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import kendalltau, pearsonr, spearmanr

from beholder._core.errors import InputError, UnknownNameError
from beholder.statistics import RDM_METHODS, compare_rdms
from beholder.statistics._rdm_comparison import Pairs, PreparedRdms, compare_prepared

_THEIR_NAMES = {
    "pearson": "corr",
    "whitened-cosine": "cosine_cov",
    "whitened-correlation": "corr_cov",
}


def make_rdms(kind: str, n_stimuli: int = 9, n_rdms: int = 2) -> np.ndarray:
    rng = np.random.default_rng(3)
    rdms = rng.random((n_rdms, n_stimuli * (n_stimuli - 1) // 2))
    if kind == "ties":
        rdms = np.round(4 * rdms)
    if kind == "missing":
        rdms[:, rng.random(rdms.shape[1]) < 0.2] = np.nan
    return rdms


@pytest.mark.parametrize("kind", ["plain", "ties", "missing"])
@pytest.mark.parametrize("method", RDM_METHODS)
@pytest.mark.filterwarnings("ignore")
def test_rsatoolbox_gives_the_same(method: str, kind: str) -> None:
    toolbox: Any = pytest.importorskip("rsatoolbox.rdm")
    one, two = make_rdms(kind)
    sides = (toolbox.RDMs(each[None]) for each in (one, two))
    expected = toolbox.compare(*sides, _THEIR_NAMES.get(method, method))[0, 0]
    assert compare_rdms(one, two, method) == pytest.approx(expected, abs=1e-12)
    if kind == "plain":
        assert compare_rdms(squareform(one), squareform(two), method) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", RDM_METHODS)
@pytest.mark.filterwarnings("ignore")
def test_drawn_stimuli_weigh_as_an_rdm_that_is_built_anew(method: str) -> None:
    toolbox: Any = pytest.importorskip("rsatoolbox.rdm")
    rdms = make_rdms("ties", n_rdms=3)
    drawn = np.array([0, 0, 2, 3, 3, 3, 5, 7, 8])
    sides = [toolbox.RDMs(each).subsample_pattern("index", drawn) for each in (rdms[:2], rdms[2:])]
    expected = toolbox.compare(*sides, _THEIR_NAMES.get(method, method))
    pairs = Pairs(9)
    one, two = (PreparedRdms(each, pairs, method) for each in (rdms[:2], rdms[2:]))
    found = compare_prepared(one, two, np.bincount(drawn, minlength=9))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_scipy_gives_the_same() -> None:
    one, two = make_rdms("ties")
    oracles: dict[str, Any] = {"spearman": spearmanr, "pearson": pearsonr, "tau-b": kendalltau}
    for method, oracle in oracles.items():
        assert compare_rdms(one, two, method) == pytest.approx(oracle(one, two).statistic, abs=1e-12)


def test_rho_a_is_the_mean_over_all_ways_to_break_ties() -> None:
    one, two = np.array([1.0, 1, 2, 3, 3, 3]), np.array([2.0, 1, 1, 3, 5, 4])

    def break_ties(values: np.ndarray) -> list[np.ndarray]:
        orders = {
            tuple(np.argsort(np.lexsort((np.array(tie), values))))
            for tie in map(list, itertools.permutations(range(len(values))))
        }
        return [np.array(order, dtype=float) for order in orders]

    broken = [np.corrcoef(x, y)[0, 1] for x in break_ties(one) for y in break_ties(two)]
    assert len(broken) == 12 * 2
    assert compare_rdms(one, two, "rho-a") == pytest.approx(np.mean(broken), abs=1e-12)
    assert compare_rdms(one, two, "spearman") > compare_rdms(one, two, "rho-a")


def test_taus_of_signs_are_those_of_scipy_with_ties_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    rdms, drawn = rng.integers(0, 9, (4, 28)).astype(float), np.array([2, 0, 1, 1, 3, 0, 1, 0])
    pairs = Pairs(8)
    for method in ("tau-a", "tau-b"):
        found = compare_prepared(PreparedRdms(rdms[:2], pairs, method), PreparedRdms(rdms[2:], pairs, method), drawn)
        monkeypatch.setattr("beholder.statistics._rdm_comparison._MOST_SIGN_PAIRS", 0)
        expected = compare_prepared(PreparedRdms(rdms[:2], pairs, method), PreparedRdms(rdms[2:], pairs, method), drawn)
        monkeypatch.undo()
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tau_a_by_hand() -> None:
    # Pairs of entries: (1,2) and (1,3) concordant, (2,3) tied in the second.
    assert compare_rdms([1, 2, 3], [1, 2, 2], "tau-a") == pytest.approx(2 / 3)
    assert compare_rdms([1, 2, 3], [1, 1, 1], "tau-a") == 0


@pytest.mark.parametrize(
    "method", [each for each in RDM_METHODS if each not in ("tau-a", "rho-a", "cosine", "whitened-cosine")]
)
def test_an_rdm_that_does_not_vary_has_no_comparison(method: str) -> None:
    assert np.isnan(compare_rdms(np.full(10, 0.1), np.arange(10.0), method))


def test_pairs_left_out_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "beholder"):
        assert compare_rdms([1, np.nan, 3, 4, 5, 6], [1, 2, 3, np.inf, 5, 6]) == 1
    assert "2 of 6 pairs are not finite in both RDMs and are left out" in caplog.text


def test_what_is_no_rdm_is_refused() -> None:
    with pytest.raises(InputError, match="n_pairs"):
        compare_rdms(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(InputError, match="3 and 6 pairs"):
        compare_rdms(np.zeros((3, 3)), np.zeros(6))
    with pytest.raises(InputError, match="pairs of n stimuli; got 5"):
        compare_rdms(np.zeros(5), np.zeros(5))
    with pytest.raises(UnknownNameError, match="'rho-a'"):
        compare_rdms(np.zeros(3), np.zeros(3), "rho_a")
