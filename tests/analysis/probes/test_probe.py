"""Linear probes of layers: scikit-learn's coefficients and choices, larger than memory, split, interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegressionCV
from sklearn.preprocessing import StandardScaler

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError
from beholder.analysis.probes import _rows, _worker
from beholder.analysis.probes._split import TEST, TRAIN, VALIDATION, split_by_hash
from beholder.models import read_card
from beholder.statistics import _softmax, wilson_interval

PENALTIES = [1e-3, 1e-1, 1e1]
KINDS = np.repeat(["cow", "dog", "cat"], 20)
IDS = [f"s{i}" for i in range(60)]


@pytest.fixture(scope="module")
def layers() -> dict[str, np.ndarray]:
    """Layers with fewer features than stimuli, and with more."""
    generator = np.random.default_rng(3)
    means = generator.normal(size=(3, 90))[np.repeat([0, 1, 2], 20)]
    wide = generator.normal(size=(60, 90)) + 0.4 * means
    return {"narrow": wide[:, :6] + means[:, :6], "wide": wide.reshape(60, 9, 2, 5)}


@pytest.fixture(scope="module")
def probed(layers, tmp_path_factory) -> tuple[bh.Result, Path]:
    out = tmp_path_factory.mktemp("probed")
    return bh.analyze_probe(layers, KINDS, penalties=PENALTIES, stimulus_ids=IDS, out_path=out), out


def fit_oracle(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The chosen C, coefficients and intercepts of the layer's own features, and which test stimuli are right."""
    labels = np.unique(KINDS, return_inverse=True)[1]
    parts = split_by_hash(IDS, labels, 42)
    x = x.reshape(60, -1)
    scaler: Any = StandardScaler().fit(x[parts == TRAIN])
    order = np.concatenate([np.flatnonzero(parts == TRAIN), np.flatnonzero(parts == VALIDATION)])
    n = int((parts == TRAIN).sum())
    fold = [(np.arange(n), np.arange(n, len(order)))]
    options: dict[str, Any] = {"Cs": PENALTIES, "cv": fold, "refit": False}
    model = LogisticRegressionCV(**options, tol=1e-10, max_iter=10_000)
    fit: Any = model.fit(scaler.transform(x)[order], labels[order])
    weights = fit.coef_ / scaler.scale_
    bias = fit.intercept_ - weights @ scaler.mean_
    test = parts == TEST
    return float(fit.C_[0]), weights, bias - bias.mean(), fit.predict(scaler.transform(x)[test]) == labels[test]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["narrow", "wide"])
def test_a_probe_is_scikit_learns(layers, probed, name):
    result, out = probed
    c, weights, bias, right = fit_oracle(layers[name])
    row = result.table[(result.table["layer"] == name) & (result.table["statistic"] == "top1")].iloc[0]
    assert (row["penalty"], row["estimate"], row["n"]) == (c, right.mean(), len(right))
    low, high = wilson_interval(right.sum(), len(right))
    assert (row["low"], row["high"]) == (low, high) and row["chance"] == pytest.approx(1 / 3)
    found = load_file(out / "probes" / f"{name}.safetensors")
    np.testing.assert_allclose(found["readout.weight"], weights, atol=1e-4)
    np.testing.assert_allclose(found["readout.bias"] - found["readout.bias"].mean(), bias, atol=1e-3)


def test_a_layer_larger_than_memory_is_probed_alike(layers, probed, tmp_path, monkeypatch):
    result, out = probed
    monkeypatch.setattr(_rows, "_MOST_TURNED", 0)
    monkeypatch.setattr(_rows, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(_softmax, "_BLOCK_BYTES", 8 * 90 * 7)
    other = bh.analyze_probe(layers, KINDS, penalties=PENALTIES, stimulus_ids=IDS, out_path=tmp_path)
    columns = ["layer", "statistic", "estimate", "penalty", "validation"]
    assert other.table[columns].equals(result.table[columns])
    for name in layers:
        one, two = (load_file(place / "probes" / f"{name}.safetensors") for place in (out, tmp_path))
        np.testing.assert_allclose(one["readout.weight"], two["readout.weight"], atol=1e-5)


def test_what_is_told(probed):
    result, out = probed
    assert set(result.table["statistic"]) == {"top1", "balanced-accuracy"}
    assert result.arrays["confusions"].shape == (2, 3, 3) and result.arrays["validation_path"].shape == (2, 3)
    first, second = result.sentences()
    assert "narrow" in first and "chance is .33, n = 12" in first and second.startswith("It is right most often at")
    assert "3 values of C from 0.001 to 10" in result.methods() and "36 to fit" in result.methods()
    assert [drawing.name for drawing in bh.analysis.RESULT_KINDS["probe"].draw(result)] == ["top1", "balanced_accuracy"]
    card = read_card(out / "probes" / "wide.safetensors")
    assert card.readout is not None and (card.readout["layer"], card.readout["n_features"]) == ("wide", 90)
    assert card.classes == ("cat", "cow", "dog") and card.data["n_stimuli"] == 36


def test_top5_of_many_classes_and_a_class_that_is_most_of_them():
    generator = np.random.default_rng(0)
    kinds = np.array([f"k{i}" for i in [*range(7)] * 5 + [0] * 40])
    layer = generator.normal(size=(75, 4))
    result = bh.analyze_probe({"a": layer}, kinds, penalties=[1.0], stimulus_ids=[f"s{i}" for i in range(75)])
    rows = result.table.set_index("statistic")
    assert rows["chance"].round(4).to_dict() == {"top1": 0.1429, "top5": 0.7143, "balanced-accuracy": 0.1429}
    found = rows["estimate"].to_dict()
    assert found["top5"] >= found["top1"]
    assert any("'k0' is" in note and "balanced accuracy" in note for note in result.warnings)


def test_recipes_descend(layers):
    result = bh.analyze_probe({"narrow": layers["narrow"]}, KINDS, recipe="hmax", stimulus_ids=IDS)
    row = result.table.iloc[0]
    assert row["method"] == "hmax" and np.isnan(row["penalty"]) and row["estimate"] > 0.6
    assert "30 epochs at rate .1" in result.methods() and "augmented" in result.warnings[-1]
    again = bh.analyze_probe({"narrow": layers["narrow"]}, KINDS, recipe="hmax", stimulus_ids=IDS)
    assert again.table.equals(result.table)
    with pytest.raises(InputError, match="penalties with logistic regression"):
        bh.analyze_probe(layers, KINDS, recipe="moco", penalties=[1.0], stimulus_ids=IDS)
    with pytest.raises(UnknownNameError, match="simclr"):
        bh.analyze_probe(layers, KINDS, recipe="simcrl", stimulus_ids=IDS)  # type: ignore[arg-type]


def test_an_interrupted_run_ends_in_the_same_bytes(layers, probed, tmp_path, monkeypatch):
    result, out = probed
    real, asked = _worker.probe_layer, []

    def stop_at_second(layer, name, *rest):
        asked.append(name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(layer, name, *rest)

    monkeypatch.setattr(_worker, "probe_layer", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        bh.analyze_probe(layers, KINDS, penalties=PENALTIES, stimulus_ids=IDS, out_path=tmp_path)
    again = bh.analyze_probe(layers, KINDS, penalties=PENALTIES, stimulus_ids=IDS, out_path=tmp_path)
    assert asked == ["narrow", "wide", "wide"] and again.table.equals(result.table)
    for name in ("narrow", "wide"):
        one, two = (place / "probes" / f"{name}.safetensors" for place in (out, tmp_path))
        assert one.read_bytes() == two.read_bytes()
    with pytest.raises(ConfigurationChanged, match="seed was 42, now 7"):
        bh.analyze_probe(layers, KINDS, penalties=PENALTIES, stimulus_ids=IDS, out_path=tmp_path, seed=7)
    other = bh.analyze_probe(
        layers, KINDS, penalties=[1.0], stimulus_ids=IDS, out_path=tmp_path, overwrite=True, layers=["narrow"]
    )
    assert set(other.table["penalty"]) == {1.0} and not (tmp_path / "probes" / "wide.safetensors").exists()


def test_parts_hang_on_ids_alone():
    labels = np.repeat([0, 1], 30)
    parts = split_by_hash(IDS, labels, 1)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_array_equal(split_by_hash([IDS[i] for i in order], labels[order], 1), parts[order])
    for each in (0, 1):
        assert np.bincount(parts[labels == each]).tolist() == [18, 6, 6]
    free = split_by_hash(IDS, None, 1)
    np.testing.assert_array_equal(split_by_hash(IDS[:10], None, 1), free[:10])
    assert not np.array_equal(split_by_hash(IDS, None, 2), free)
    share = np.bincount(split_by_hash([str(i) for i in range(5000)], None, 3)) / 5000
    np.testing.assert_allclose(share, [0.6, 0.2, 0.2], atol=0.03)


def test_parts_that_are_given_and_groups_that_stay_together(layers):
    given = np.resize(["train", "train", "train", "val", "test"], 60)
    given[0] = ""
    result = bh.analyze_probe({"a": layers["narrow"]}, KINDS, split=given, penalties=[1.0], stimulus_ids=IDS)
    assert (result.settings["n_train"], result.settings["n_validation"], result.settings["n_test"]) == (35, 12, 12)
    assert result.warnings[0].startswith("1 of 60 stimuli")
    groups = [f"film {i // 2}" for i in range(60)]
    parts = split_by_hash(groups, None, 42)
    grouped = bh.analyze_probe({"a": layers["narrow"]}, KINDS, groups=groups, penalties=[1.0], stimulus_ids=IDS)
    assert grouped.settings["n_test"] == int((parts == TEST).sum())
    assert np.array_equal(parts[::2], parts[1::2])
    with pytest.raises(InputError, match="train, validation or test; got 'rest'"):
        bh.analyze_probe(layers, KINDS, split=["rest"] * 60, stimulus_ids=IDS)
    with pytest.raises(InputError, match="groups with a split by hash"):
        bh.analyze_probe(layers, KINDS, split=given, groups=groups, stimulus_ids=IDS)


def test_bad_input_is_one_line(layers):
    with pytest.raises(InputError, match="two classes or more; got 1"):
        bh.analyze_probe(layers, ["cat"] * 60, stimulus_ids=IDS)
    with pytest.raises(InputError, match="three stimuli or more of each class"):
        bh.analyze_probe(layers, [*KINDS[:58], "cow", "bee"], stimulus_ids=IDS)
    with pytest.raises(InputError, match="stimuli in the test part; got none"):
        bh.analyze_probe(layers, KINDS, split=["train", "val"] * 30, stimulus_ids=IDS)
    with pytest.raises(InputError, match="every class in the train part; got none of 'cow'"):
        bh.analyze_probe(layers, KINDS, split=[*["test"] * 20, *["train", "val"] * 20], stimulus_ids=IDS)
    with pytest.raises(UnknownNameError, match="narrow"):
        bh.analyze_probe(layers, KINDS, layers=["narow"], stimulus_ids=IDS)
    for penalties in ([0.0], []):
        with pytest.raises(InputError, match="above 0"):
            bh.analyze_probe(layers, KINDS, penalties=penalties, stimulus_ids=IDS)
    broken = layers["narrow"].copy()
    broken[3, 2] = np.nan
    with pytest.raises(InputError, match="NaN or infinite values in narrow"):
        bh.analyze_probe({"narrow": broken}, KINDS, stimulus_ids=IDS)
    with pytest.raises(InputError, match="vary over the train part"):
        bh.analyze_probe({"flat": np.ones((60, 4))}, KINDS, stimulus_ids=IDS)
