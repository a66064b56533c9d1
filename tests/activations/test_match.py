"""The three measures against scipy and plain formulas."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from beholder import InputError
from beholder.activations.similarity import _match
from beholder.activations.similarity._match import RankedValues, compute_match, rank_values


def make_pair(kind: str, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=size)
    y = x + generator.normal(size=size)
    if kind == "rectified":
        x, y = x.clip(0), y.clip(0)
    elif kind == "integers":
        x, y = np.round(3 * x), np.round(3 * y)
    elif kind == "far from zero":
        x, y = x + 1000, y + 1000
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize("kind", ["plain", "rectified", "integers", "far from zero"])
@pytest.mark.parametrize("size", [3, 7, 4096])
def test_against_scipy(kind: str, size: int) -> None:
    x, y = make_pair(kind, size, seed=4)
    match = compute_match(x.reshape(1, -1), y)
    a, b = x.astype(np.float64), y.astype(np.float64)
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert match.spearman == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
        assert match.pearson == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-9)
    assert match.db_snr == pytest.approx(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()), abs=1e-9)
    assert match.db_snr_published == pytest.approx(
        10 * np.log10(np.linalg.norm(a) / np.linalg.norm(a - b)), abs=1e-9
    )  # as the released code has it
    assert match.norm_signal == pytest.approx(np.linalg.norm(a))
    assert match.norm_noise == pytest.approx(np.linalg.norm(a - b))


def test_sums_a_piece_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = make_pair("rectified", 5000)
    whole = compute_match(x, y)
    monkeypatch.setattr(_match, "_CHUNK", 300)
    pieces = compute_match(x, y)
    for name, value in whole.to_dict().items():
        assert pieces.to_dict()[name] == pytest.approx(value, rel=1e-12)


def test_ranks_against_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 9, 500).astype(np.float32)
    np.testing.assert_array_equal(rank_values(values), stats.rankdata(values))
    assert rank_values(np.empty(0)).shape == (0,)


def test_zero_is_every_value_zero_and_not_the_sum() -> None:
    signed = np.array([1.0, -1.0, 2.0, -2.0])
    assert compute_match(signed, signed[::-1]).pearson != 0
    for match in (compute_match(np.zeros(4), signed), compute_match(signed, np.zeros(4))):
        assert (match.spearman, match.pearson, match.db_snr, match.db_snr_published) == (0, 0, 0, 0)
        assert match.norm_noise == pytest.approx(np.linalg.norm(signed))


def test_constant_and_equal_activations() -> None:
    constant, other = np.full(5, 2.0), np.arange(5.0)
    match = compute_match(constant, other)
    assert (match.spearman, match.pearson) == (0, 0)
    assert match.db_snr == pytest.approx(10 * np.log10(20 / ((2 - other) ** 2).sum()))
    same = compute_match(other, other)
    assert (same.spearman, same.pearson, same.db_snr) == (pytest.approx(1), pytest.approx(1), math.inf)


def test_nan_stays_visible() -> None:
    match = compute_match([1.0, math.nan], [1.0, 2.0])
    assert math.isnan(match.spearman)
    assert math.isnan(match.db_snr)


def test_ranked_values_are_shared() -> None:
    x, y = make_pair("rectified", 1000)
    assert compute_match(RankedValues(x), RankedValues(y)) == compute_match(x, y)
    with pytest.raises(InputError, match="one size"):
        compute_match(x, y[:-1])


@pytest.mark.filterwarnings("ignore")
def test_wide_layers_keep_exact_ranks() -> None:
    values = np.arange(2**23 + 2, dtype=np.float64)
    assert RankedValues(values).ranks.dtype == np.float64
    assert RankedValues(values[: 2**22]).ranks.dtype == np.float32


def test_the_number_of_threads_changes_no_bit() -> None:
    code = (
        "import numpy as np; from beholder.activations.similarity._match import compute_match;"
        "r = np.random.default_rng(0);"
        "a = r.normal(size=200_000).astype(np.float32); b = a + r.normal(size=a.size).astype(np.float32);"
        "print(repr(compute_match(a, b)))"
    )
    said = set()
    for n in ("1", "2", "3"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
        env = {**os.environ, **dict.fromkeys(names, n)}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1
