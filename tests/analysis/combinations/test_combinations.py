"""Weighted sums of RDMs against scipy and scikit-learn, shares of variance against formulas."""

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis.combinations._combine import combine_rdms, fit_weights
from beholder.analysis.combinations._partition import partition_variance


def make_rdms(n_models=3, n_stimuli=24, seed=0):
    return np.random.default_rng(seed).random((n_models, n_stimuli * (n_stimuli - 1) // 2))


def test_weights_as_scikit_learn_has_them():
    linear = pytest.importorskip("sklearn.linear_model")
    models = make_rdms()
    target = 2 * models[0] - 0.7 * models[1] + 5 + make_rdms(1, seed=1)[0]
    expected = linear.LinearRegression(positive=True).fit(models.T, target).coef_
    np.testing.assert_allclose(fit_weights(target, models), expected, atol=1e-10)
    assert fit_weights(target, models)[1] == 0


def test_a_sum_is_found_on_held_out_stimuli_and_beats_its_parts():
    models = make_rdms()
    found = combine_rdms(models[0] + 3 * models[1], models, n_folds=4, n_repeats=2)
    assert found.score > 0.995 and found.score > found.fixed_score > found.single_scores.min()
    assert found.single_scores.argmax() == 1
    assert found.weights[2] == pytest.approx(0, abs=1e-12)
    assert found.weights[1] / found.weights[0] == pytest.approx(3 * models[1].std() / models[0].std())


def test_many_noise_models_do_not_predict_held_out_stimuli():
    models = make_rdms(40, 20, seed=2)
    target = make_rdms(1, 20, seed=3)[0]
    found = combine_rdms(target, models, "pearson", n_folds=4, n_repeats=10)
    fitted = np.corrcoef(found.weights @ models, target)[0, 1]
    assert fitted > 0.25 and abs(found.score) < 0.12


def test_held_out_stimuli_never_reach_the_fit():
    """What a pair of a held-out stimulus with a training one says changes no score of its fold."""
    models = make_rdms(2, 12, seed=4)
    target = make_rdms(1, 12, seed=5)[0]
    found = combine_rdms(target, models, n_folds=3, n_repeats=1, seed=7)
    from beholder.analysis.combinations import _combine

    splits = list(_combine.iter_splits(12, 3, 1, 7))
    assert all(not set(train) & set(test) for train, test in splits)
    assert sum(len(test) for _, test in splits) == 3 * 6 and all(len(train) == 28 for train, _ in splits)
    used = np.unique(np.concatenate([np.concatenate(split) for split in splits]))
    hidden = np.setdiff1d(np.arange(66), used)
    target[hidden] = 100
    assert combine_rdms(target, models, n_folds=3, n_repeats=1, seed=7).score == pytest.approx(found.score, abs=1e-12)


def test_missing_pairs_are_left_out():
    models = make_rdms()
    target = models[0] + models[2]
    target[::9] = np.nan
    models[1, 5] = np.nan
    assert combine_rdms(target, models, "pearson", n_folds=2).score == pytest.approx(1)


def test_two_models_by_formula():
    a, b, noise = make_rdms(seed=6)
    target = a + 0.5 * b + noise
    b = b + 0.5 * a
    correlate = np.corrcoef([target, a, b])
    ya, yb, ab = correlate[0, 1], correlate[0, 2], correlate[1, 2]
    total = (ya**2 + yb**2 - 2 * ya * yb * ab) / (1 - ab**2)
    found = partition_variance(target, {"a": a, "b": b}, "pearson")
    assert found.total == pytest.approx(total)
    assert found.parts == pytest.approx(
        {("a",): total - yb**2, ("b",): total - ya**2, ("a", "b"): ya**2 + yb**2 - total}
    )
    assert found.alone == pytest.approx({"a": ya**2, "b": yb**2})


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_shares_of_three_models_add_up_to_each_of_them(method):
    a, b, c = make_rdms(seed=8)
    found = partition_variance(a + b + 0.3 * c, {"a": a + c, "b": np.vstack([b, b * c]), "c": c + 0.1 * b}, method)
    assert len(found.parts) == 7
    assert sum(found.parts.values()) == pytest.approx(found.total)
    for name, own in found.alone.items():
        assert sum(share for names, share in found.parts.items() if name in names) == pytest.approx(own)


def test_a_suppressor_has_a_negative_share_which_is_kept():
    a, b, _ = make_rdms(seed=9)
    a, b = a - a.mean(), b - b.mean()
    b -= a * (a @ b) / (a @ a)
    found = partition_variance(a - b, {"a": a + 0.2 * b, "b": b + 0.5 * a}, "pearson")
    assert found.parts["a", "b"] < 0


def test_what_cannot_be_combined_is_refused():
    models = make_rdms(2, 10)
    with pytest.raises(InputError, match="2 folds or more"):
        combine_rdms(models[0], models, n_folds=5)
    with pytest.raises(InputError, match="of the same pairs"):
        combine_rdms(models[0][:-1], models)
    with pytest.raises(InputError, match="some number of stimuli"):
        combine_rdms(models[0][:-1], models[:, :-1])
    with pytest.raises(InputError, match="model 1 constant"):
        combine_rdms(models[0], np.vstack([models[0], np.ones(45)]), n_folds=2)
    with pytest.raises(InputError, match="a constant target"):
        combine_rdms(np.ones(45), models, n_folds=2)
    with pytest.raises(InputError, match="'pearson'"):
        combine_rdms(models[0], models, "pearsons")
    with pytest.raises(InputError, match="two or three models"):
        partition_variance(models[0], {"a": models[0]})
