"""Classes told from layers: classifiers, folds, balanced accuracy, chance."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import beholder as bh
from beholder import InputError
from beholder.analysis.decoding import _analyze
from beholder.analysis.decoding._classifiers import fit_classifier, prepare_rows
from beholder.analysis.decoding._decode import DecodeSettings, decode_conditions
from beholder.analysis.decoding._folds import draw_label_orders, plan_class_folds
from beholder.statistics import _softmax, balance_accuracy

CLASSIFIERS = ("centroid", "logistic", "svm", "lda")
IDS = [f"s{i}" for i in range(36)]
KINDS = np.repeat(["cat", "dog", "owl"], 12)


def make_layer(strength: float = 1.0, n_features: int = 6, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    means = generator.normal(size=(3, n_features)) * strength
    return generator.normal(size=(36, n_features)) + means[np.arange(36) // 12]


def decode(acts: Any, labels: Any = KINDS, **asked: Any) -> bh.Result:
    return bh.analyze_decode(
        acts, labels, **({"stimulus_ids": IDS, "classifier": "centroid", "n_permutations": 20} | asked)
    )


@pytest.mark.parametrize("n_features", [6, 60])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_are_those_of_scikit_learn(name: Any, n_features: int) -> None:
    pytest.importorskip("sklearn")
    import sklearn.svm
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    library: Any = sklearn.svm

    theirs: Any = {
        "centroid": NearestCentroid(),
        "logistic": LogisticRegression(class_weight="balanced", max_iter=1000, tol=1e-8),
        "svm": library.LinearSVC(class_weight="balanced", dual=True, max_iter=20000, random_state=0),
        "lda": None,
    }[name]
    x, labels = make_layer(0.5, n_features), np.arange(36) // 12
    train, test = np.arange(36) % 3 > 0, np.arange(36) % 3 == 0
    for n_components in (None, 4):
        prepared = prepare_rows(x[train], n_components=n_components)
        found = fit_classifier(prepared.rows, labels[train], name)(prepared.turn(x[test]))
        steps = [StandardScaler(), *([PCA(n_components)] if n_components else [])]
        if theirs is None:
            expected = _tell_by_discriminants(make_pipeline(*steps), x[train], labels[train], x[test])
        else:
            expected = make_pipeline(*steps, theirs).fit(x[train], labels[train]).predict(x[test])
        assert (found == expected).mean() > (0.99 if name != "svm" else 0.9)


def _tell_by_discriminants(steps: Any, x: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The formula written out: Mahalanobis distance with a covariance within classes, shrunk."""
    from sklearn.covariance import LedoitWolf

    x, others = steps.fit_transform(x), steps.transform(others)
    means = np.stack([x[labels == each].mean(axis=0) for each in range(3)])
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(x - means[labels]).covariance_)
    apart = others[:, None] - means
    return np.einsum("scf,fg,scg->sc", apart, inverse, apart).argmin(axis=1)


def test_scaler_and_components_see_training_stimuli_alone() -> None:
    x = make_layer(n_features=5)
    prepared = prepare_rows(x[:20], n_components=2)
    changed = np.concatenate([x[:20], 1e6 * x[20:]])
    np.testing.assert_array_equal(prepare_rows(changed[:20], n_components=2).rows, prepared.rows)
    np.testing.assert_allclose(prepared.turn(x[:20]), prepared.rows, atol=1e-12)


def test_each_fold_has_every_class_and_whole_groups() -> None:
    groups = np.array([f"g{i // 3}" for i in range(36)])
    folds = plan_class_folds(KINDS, 4, 1, groups)
    for fold in range(4):
        assert set(KINDS[folds == fold]) == {"cat", "dog", "owl"}
        assert not set(groups[folds == fold]) & set(groups[folds != fold])
    with pytest.raises(InputError, match="at least 5 groups of each class for 5 folds; got 4 of 'cat'"):
        plan_class_folds(KINDS, 5, 1, groups)
    with pytest.raises(InputError, match="at least 5 stimuli of each class for 5 folds; got 2 of 'dog'"):
        plan_class_folds(np.array(["cat"] * 9 + ["dog"] * 2), 5, 1)


def test_accuracy_is_balanced_and_chance_is_one_in_the_number_of_classes() -> None:
    assert balance_accuracy(np.array([[90, 0], [10, 0]])) == 0.5
    labels = np.array(["a"] * 28 + ["b"] * 8)
    result: Any = decode({"one": np.random.default_rng(0).normal(size=(36, 2))}, labels, n_permutations=0)
    assert result.table["chance"][0] == 0.5
    confusions = result.arrays["confusions"][0, 0, 0]
    assert confusions.sum(axis=1).tolist() == [28, 8]
    assert result.table["estimate"][0] == balance_accuracy(confusions)


def test_a_layer_with_the_classes_is_told_from_noise() -> None:
    acts = {"noise": make_layer(0), "conv": make_layer(2)}
    result = decode(acts)
    table: Any = result.table
    assert table["estimate"][1] > 0.9
    assert (table["p"][1], table["p_of_all_layers"][1]) == (1 / 21, 1 / 21)
    assert table["low"][0] < 1 / 3 < table["high"][0]
    assert "chance is .33, n = 36 stimuli" in result.sentences()[0]


def test_conditions_are_crossed_on_stimuli_that_were_not_seen_in_any() -> None:
    """Exemplars that are alike in both conditions must not be recognised across conditions by having been seen."""
    generator = np.random.default_rng(1)
    exemplar = np.repeat(np.arange(18), 2)
    labels = np.where(exemplar < 9, "a", "b")
    x = generator.normal(size=(18, 40))[exemplar]  # nothing of the class, all of the exemplar
    sketch = np.tile(["photo", "sketch"], 18)
    naive = decode({"x": x}, labels, across=sketch, n_folds=3, n_permutations=0, groups=exemplar)
    assert naive.table["estimate"].between(0.2, 0.75).all()
    assert naive.table[["fitted_in", "tested_in"]].to_numpy().tolist() == [
        ["photo", "photo"], ["photo", "sketch"], ["sketch", "photo"], ["sketch", "sketch"],
    ]  # fmt: skip
    folds = plan_class_folds(labels, 3, 1, exemplar)
    numbers = (labels == "b").astype(int)
    how = DecodeSettings(classifier="centroid")
    found = decode_conditions(x, numbers, np.arange(36) % 2, folds, np.empty((0, 36), int), how)
    assert {own.confusions.sum() for own in found.values()} == {18}


def test_shuffled_labels_respect_groups() -> None:
    groups = np.repeat(np.arange(12), 3).astype(str)
    whole = draw_label_orders(np.arange(36) // 12, 10, 1, groups)
    assert (whole.reshape(10, 12, 3).std(axis=2) == 0).all()
    within = draw_label_orders(np.arange(36) % 3, 10, 1, groups)
    assert (np.sort(within.reshape(10, 12, 3), axis=2) == [0, 1, 2]).all()
    assert len(draw_label_orders(np.arange(36) // 10, 10, 1, groups)) == 0


def test_bad_days() -> None:
    acts = {"conv": make_layer()}
    with pytest.raises(InputError, match="labels of two classes or more; got 1"):
        decode(acts, np.full(36, "cat"))
    with pytest.raises(InputError, match="'centroid'"):
        decode(acts, classifier="centroids")
    with pytest.raises(InputError, match="NaN or infinite values in conv"):
        decode({"conv": np.full((36, 2), np.nan)})
    with pytest.raises(InputError, match="a value for each of 36 stimuli"):
        decode(acts, KINDS[:5])
    with pytest.raises(InputError, match="1 to 6 components"):
        decode(acts, n_components=99)
    some = np.where(np.arange(36) % 9 == 0, "", KINDS)
    assert "4 of 36 stimuli have no label and were left out." in decode(acts, some, n_folds=3).warnings


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_calibration(strength: float) -> None:
    rows = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        means = np.random.default_rng(0).normal(size=(2, 5)) * strength
        labels = np.arange(30) % 2
        x = generator.normal(size=(30, 5)) + means[labels]
        ids = [f"s{i}" for i in range(30)]
        result = bh.analyze_decode(
            {"a": x}, labels, classifier="centroid", stimulus_ids=ids, n_permutations=40, seed=seed
        )
        rows.append(result.table.loc[0, ["estimate", "low", "high", "p"]].to_numpy(dtype=float))
    estimate, low, high, p = np.array(rows).T
    if not strength:
        assert 0.01 <= (p < 0.05).mean() <= 0.1
    truth = estimate.mean()
    assert 0.88 <= ((low <= truth) & (truth <= high)).mean() <= 0.99


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("more", [{}, {"n_components": 5}, {"across": list(range(2)) * 18}])
def test_a_layer_larger_than_memory_is_decoded_as_one_that_is_held(
    classifier: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    layer = make_layer(0.4, 50) * np.random.default_rng(3).uniform(0.01, 30, 50) + 5
    layer[:, 7] = 2.0  # does not vary
    asked: dict[str, Any] = {"classifier": classifier, "n_permutations": 0, **more}
    held = decode({"a": layer}, **asked)
    monkeypatch.setattr(_analyze, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(_softmax, "_BLOCK_BYTES", 8 * 50 * 5)  # five stimuli at once
    streamed = decode({"a": layer}, **asked)
    one, two = (each.arrays["confusions"] for each in (held, streamed))
    if classifier == "svm":  # its solver stops where it may
        assert np.abs(one - two).sum() <= 4
    else:
        assert (one == two).all()
        pd.testing.assert_frame_equal(held.table, streamed.table, atol=1e-9)


def test_a_circular_variable_of_a_layer_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_analyze, "IN_MEMORY_BYTES", 0)
    with pytest.raises(InputError, match="activations that are pooled"):
        bh.analyze_decode({"a": make_layer()}, np.arange(36) % 6 * 30, period=180, stimulus_ids=IDS, n_permutations=0)
