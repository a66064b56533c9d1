"""Circular differences by hand, decoding against scikit-learn's ridge, bias of known size and sign."""

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.statistics._circular import compute_circular_bias, decode_circular, wrap_difference


def test_differences_go_the_short_way_around():
    assert wrap_difference([350, 10, 90], [10, 350, 270], 360).tolist() == [-20, 20, -180]


@pytest.mark.parametrize(("pull", "sign"), [(4.0, 1), (-4.0, -1)])
@pytest.mark.parametrize("side", [1, -1])
def test_towards_the_reference_is_above_zero_on_either_side_and_across_the_seam(pull, sign, side):
    generator = np.random.default_rng(0)
    shown = generator.uniform(0, 180, 60)
    references = (shown + side * generator.uniform(5, 80, 60)) % 180
    decoded = (shown + side * pull + generator.normal(0, 2, 60)) % 180
    found = compute_circular_bias(decoded, shown, references, 180)
    assert found.low < sign * 4 < found.high and found.p < 0.001 and found.n == 60


def test_own_opposite_and_missing_references_do_not_count():
    shown = np.arange(0.0, 180, 20)
    references = shown + 30
    references[0] = shown[0]
    references[1] += 60
    references[2] = np.nan
    found = compute_circular_bias(shown + 1, shown, references, 180)
    assert found.n == 6 and found.estimate == pytest.approx(1) and found.error == pytest.approx(1)
    with pytest.raises(InputError, match="3 of 9"):
        compute_circular_bias(shown + 1, shown, np.where(shown < 120, np.nan, references), 180)


def test_decoding_as_scikit_learns_ridge_fitted_on_other_folds():
    linear = pytest.importorskip("sklearn.linear_model")
    generator = np.random.default_rng(1)
    features, shown, folds = generator.standard_normal((24, 40)), generator.uniform(0, 24, 24), np.arange(24) % 4
    angles = shown * np.pi / 12
    found = decode_circular(features, shown, 24, folds, alpha=0.5)
    for fold in range(4):
        train, test = folds != fold, folds == fold
        scaled = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
        # Of standardised features the kernel's mean eigenvalue over stimuli is n_features.
        model = linear.Ridge(alpha=0.5 * 40).fit(
            scaled[train], np.column_stack([np.cos(angles), np.sin(angles)])[train]
        )
        c, s = model.predict(scaled[test]).T
        np.testing.assert_allclose(wrap_difference(found[test], np.arctan2(s, c) * 12 / np.pi, 24), 0, atol=1e-9)


def test_what_has_no_answer_is_refused():
    values = np.arange(6.0)
    with pytest.raises(InputError, match="one length"):
        compute_circular_bias(values, values[1:], values, 180)
    with pytest.raises(InputError, match="period above 0"):
        compute_circular_bias(values, values, values, 0)
    with pytest.raises(InputError, match="two folds"):
        decode_circular(values[:, None], values, 180, np.zeros(6))
    with pytest.raises(InputError, match="finite"):
        decode_circular(values[:, None] * np.nan, values, 180, np.arange(6))


@pytest.mark.slow
def test_noise_is_biased_as_often_as_p_says_and_intervals_cover():
    generator = np.random.default_rng(2)
    hits = covered = 0
    for seed in range(200):
        shown = generator.uniform(0, 180, 40)
        decoded = shown + generator.normal(2, 20, 40) * np.sign(generator.normal(size=40))
        found = compute_circular_bias(decoded, shown, generator.uniform(0, 180, 40), 180, n_draws=500, seed=seed)
        hits += found.p < 0.05
        covered += found.low <= 0 <= found.high
    assert 2 <= hits <= 20 and 180 <= covered <= 196
