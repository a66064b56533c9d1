"""CKA against its definition over tuples of four stimuli, worked out one by one."""

import itertools
import math

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis.cka._cka import compute_cka, compute_cka_matrix


def estimate_hsic(k, m):
    """Song et al. (2012), equation 4: the mean over tuples of their kernel h, itself a mean over 24 orders."""
    values = []
    for four in itertools.combinations(range(len(k)), 4):
        orders = itertools.permutations(four)
        values.append(sum(k[s, t] * (m[s, t] + m[u, v] - 2 * m[s, u]) for s, t, u, v in orders) / 24)
    return np.mean(values)


def make_pair(n=7, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, 4)) + 3
    return x, x[:, :2] @ generator.standard_normal((2, 5)) + generator.standard_normal((n, 5))


@pytest.mark.parametrize("seed", [0, 1])
def test_debiased_is_the_u_statistic_over_tuples_of_four(seed):
    x, y = make_pair(seed=seed)
    k, m = x @ x.T, y @ y.T
    expected = estimate_hsic(k, m) / math.sqrt(estimate_hsic(k, k) * estimate_hsic(m, m))
    assert compute_cka(x, y) == pytest.approx(expected, abs=1e-12)


def test_biased_is_the_cosine_of_centred_kernels_and_of_covariances():
    x, y = make_pair(20)
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    norm = np.linalg.norm
    expected = norm(a.T @ b) ** 2 / (norm(a.T @ a) * norm(b.T @ b))
    assert compute_cka(x, y, debiased=False) == pytest.approx(expected, abs=1e-12)


def test_noise_has_none_debiased_and_nearly_all_biased():
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((2, 40, 2000), dtype=np.float32)
    assert abs(compute_cka(x, y)) < 0.15
    assert compute_cka(x, y, debiased=False) > 0.9


def test_rotation_scale_and_shift_of_features_change_nothing():
    x, y = make_pair(12)
    turn, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((5, 5)))
    assert compute_cka(x, 4 * y @ turn + 100) == pytest.approx(compute_cka(x, y), abs=1e-9)


@pytest.mark.parametrize("debiased", [True, False])
def test_all_layers_with_all_layers(debiased, monkeypatch):
    sides = [np.random.default_rng(seed).standard_normal((9, 3, 2)) for seed in range(5)]
    found = compute_cka_matrix(iter(sides[:2]), iter(sides[2:]), debiased)
    expected = [[compute_cka(x, y, debiased) for y in sides[2:]] for x in sides[:2]]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    monkeypatch.setattr("beholder.analysis.cka._cka._FLOAT64_ROWS", 5)
    np.testing.assert_allclose(compute_cka_matrix(sides[:2], sides[2:], debiased), expected, atol=1e-6)


def test_what_has_no_answer():
    x, y = make_pair()
    assert math.isnan(compute_cka(x, np.full((7, 2), 0.1)))
    assert math.isnan(compute_cka(np.full((7, 2), 0.1, np.float32), y, debiased=False))
    with pytest.raises(InputError, match="four stimuli or more"):
        compute_cka(x[:3], y[:3])
    with pytest.raises(InputError, match="7 and 6"):
        compute_cka(x, y[:6])
    with pytest.raises(InputError, match="same stimuli"):
        compute_cka_matrix([x], [y[:6]])
    x[1, 1] = np.nan
    with pytest.raises(InputError, match="row 1"):
        compute_cka(x, y)
