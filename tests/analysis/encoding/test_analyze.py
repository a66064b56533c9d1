"""Encoding from activations and recordings to a table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import beholder as bh
from beholder import InputError
from beholder.activations import write_activations
from beholder.recordings import Recordings

IDS = [f"s{i}" for i in range(30)]


def make_pair(n_repeats: int = 3, seed: int = 0) -> tuple[dict[str, np.ndarray], Recordings]:
    generator = np.random.default_rng(seed)
    layers = {"noise": generator.normal(size=(30, 6)), "conv": generator.normal(size=(30, 2, 4))}
    signal = layers["conv"].reshape(30, 8) @ generator.normal(size=(8, 6))
    values = signal[:, :, None] + generator.normal(size=(30, 6, n_repeats))
    units = {"subject": ["1", "1", "1", "2", "2", "2"], "region": ["V1", "IT"] * 3}
    return layers, Recordings(values, IDS, units)


def analyze(acts: Any, recordings: Any, **asked: Any) -> bh.Result:
    return bh.analyze_encode(acts, recordings, **({"stimulus_ids": IDS, "n_permutations": 20, "n_folds": 3} | asked))


def pick(result: bh.Result, **wanted: str) -> Any:
    table: Any = result.table
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def test_rows_are_joined_by_id_and_the_order_of_either_side_does_not_matter() -> None:
    layers, recordings = make_pair()
    shuffled = np.random.default_rng(1).permutation(30)
    other = recordings.select(stimulus_ids=[IDS[i] for i in shuffled])
    one, two = analyze(layers, recordings), analyze(layers, other)
    np.testing.assert_allclose(one.table["estimate"], two.table["estimate"])
    r = pick(one, layer="conv", statistic="r", target="V1", subject="1")
    assert r.estimate.item() > 0.5
    assert r.p.item() == 1 / 21
    assert (r.low.item() < r.estimate.item() < r.high.item(), r.n.item(), r.n_units.item()) == (True, 30, 2)


def test_the_chosen_layer_is_said_to_be_chosen_on_other_participants() -> None:
    layers, recordings = make_pair()
    result = analyze(layers, recordings, n_permutations=0)
    best = pick(result, statistic="r-best-layer", target="IT")
    assert set(best.layer) == {"conv"}
    assert set(best.chosen_on) == {"other participants"}
    alone = analyze(layers, recordings, subject="1", n_permutations=0)
    assert set(pick(alone, statistic="r-best-layer").chosen_on) == {"training stimuli"}


def test_values_above_1_are_counted_and_kept() -> None:
    layers, recordings = make_pair()
    weak = Recordings(recordings.values * 0.2 + np.random.default_rng(2).normal(size=(30, 6, 3)), IDS, recordings.units)
    result = analyze(layers, weak, recipe="published", n_splits=4)
    rows = pick(result, statistic="corrected-r2", subject="1")
    corrected = result.arrays["corrected"]
    assert rows.n_above_1.sum() == (corrected[:, result.arrays["subject"] == "1"] > 1).sum()
    assert np.nanmax(corrected) > 1
    assert rows.sd_over_splits.notna().all()
    r = pick(result, statistic="r", layer="conv")
    assert (r.p.notna() & (r.low < r.estimate) & (r.estimate < r.high)).all()


def test_predictions_are_a_store_that_others_take(tmp_path: Path) -> None:
    layers, recordings = make_pair()
    analyze(layers, recordings, predictions=tmp_path / "predicted.zarr", n_permutations=0)
    store = bh.open(tmp_path / "predicted.zarr")
    assert (store.layers, store.stimulus_ids) == (["noise", "conv"], tuple(IDS))
    predicted = store["conv"].to_numpy()
    assert np.corrcoef(predicted[:, 0], recordings.average()[:, 0])[0, 1] > 0.5
    np.testing.assert_array_equal(np.isfinite(predicted), True)
    with pytest.raises(InputError, match="expected the settings"):
        analyze(layers, recordings, predictions=tmp_path / "predicted.zarr", n_permutations=0, seed=7)


def test_predictions_have_no_gaps_that_later_commands_would_stumble_over(tmp_path: Path) -> None:
    layers, recordings = make_pair()
    values = recordings.values.copy()
    values[:, 0] = 3.0  # a unit that is left out
    values[25:, 3:] = np.nan  # participant 2 saw fewer
    result = analyze(
        layers, Recordings(values, IDS, recordings.units), predictions=tmp_path / "p.zarr", n_permutations=0,
        recipe="published", n_splits=2,
    )  # fmt: skip
    store = bh.open(tmp_path / "p.zarr")
    predicted = store["conv"].to_numpy()
    assert np.isfinite(predicted).all()
    assert predicted.shape[1] == 5
    assert store.attributes["settings"]["written"]["units"] == [1, 2, 3, 4, 5]
    assert len(store.stimulus_ids) < 25
    said = " ".join(result.warnings)
    assert "1 of 6 units, to which nothing was fitted, have no predictions." in said
    assert f"{30 - len(store.stimulus_ids)} of 30 stimuli were not predicted for all units: left out." in said
    rsa = bh.analyze_rsa(store, recordings, distance="euclidean", n_draws=20, n_permutations=20)
    assert np.isfinite(rsa.table[rsa.table["statistic"] == "comparison"]["estimate"]).all()


def test_another_network_is_predicted_layer_by_layer(tmp_path: Path) -> None:
    layers = make_pair()[0]
    values = {"a": layers["conv"].reshape(30, 8), "b": layers["noise"]}
    other = write_activations(tmp_path / "other.zarr", values, IDS, model="other", settings={})
    for given in (other, tmp_path / "other.zarr"):
        result = analyze(layers, given, layers=["conv"], n_permutations=0)
        r = pick(result, statistic="r").set_index("target").estimate
        assert r["a"] > 0.99
        assert r["b"] < 0.5


def test_partial_least_squares_is_that_of_scikit_learn() -> None:
    cross = pytest.importorskip("sklearn.cross_decomposition")
    layers, recordings = make_pair(1)
    result = analyze(layers, recordings, method="pls", n_components=3, layers=["conv"], n_permutations=0)
    x, y = layers["conv"].reshape(30, -1), recordings.average()[:, :3]
    train = result.arrays["train"][0]
    expected = []
    for rows in train[:3]:
        model = cross.PLSRegression(3, scale=False).fit(x[rows], y[rows])
        found = model.predict(x[~rows])
        expected.append([np.corrcoef(found[:, i], y[~rows, i])[0, 1] for i in range(3)])
    np.testing.assert_allclose(result.arrays["r"][0][:3], np.mean(expected, axis=0), atol=1e-9)
    assert any("one response a stimulus" in warning for warning in result.warnings)
    with pytest.raises(InputError, match="at most 8 components"):
        analyze(layers, recordings, method="pls", layers=["conv"])


def test_layers_jointly_share_the_variance() -> None:
    pytest.importorskip("himalaya")
    layers = make_pair()[0]
    signal = layers["conv"].reshape(30, 8)[:, :2] + 0.5 * layers["noise"][:, :2]
    result = analyze(layers, Recordings(signal, IDS), method="banded")
    shares = pick(result, statistic="r2-part").estimate.to_numpy()
    assert shares[1] > shares[0] > 0.05
    assert pick(result, layer="joint", statistic="r").estimate.item() > 0.9


def test_bad_days() -> None:
    layers, recordings = make_pair()
    values = recordings.values.copy()
    values[:, 0] = 3.0
    values[4, 1] = np.nan
    gaps = analyze(layers, Recordings(values, IDS, recordings.units), n_permutations=0)
    assert "1 of 3 units of participant 1 without responses to some stimuli were left out." in gaps.warnings
    assert "1 of 3 units of participant 1 with the same response to all were left out." in gaps.warnings
    assert set(gaps.arrays["unit"]) == {2, 3, 4, 5}
    few = recordings.select(stimulus_ids=IDS[:5])
    with pytest.raises(InputError, match="at least 3 stimuli in each of 3 folds"):
        analyze(layers, few)
    values = recordings.values.copy()
    values[20:, 3:] = np.nan
    others = analyze(layers, Recordings(values, IDS, recordings.units), n_permutations=0)
    assert set(pick(others, subject="2", statistic="r").n) == {20}
    assert any("no unit has all repeats" in each for each in others.warnings) is False
    values = recordings.values.copy()
    values[::2, :3, 0] = np.nan
    some = analyze(layers, Recordings(values, IDS, recordings.units), n_permutations=5)
    assert (
        "Participant 1: no unit has all repeats of all stimuli, so that nothing is corrected for noise."
        in some.warnings
    )
    assert "No test was made: 20 permutations are the fewest for a p below .05." in some.warnings
    values = recordings.values.copy()
    values[5:, 2] = 7.0
    sparse = analyze(layers, Recordings(values, IDS, recordings.units), n_permutations=20, n_folds=5)
    assert any(
        each.startswith("1 of 6 units, which give all test stimuli of a fold the same") for each in sparse.warnings
    )
    assert np.isfinite(sparse.table.loc[sparse.table["statistic"] == "r", "p"]).all()
    with pytest.raises(InputError, match="three runs for the published recipe"):
        analyze(layers, make_pair(2)[1], recipe="published")
    with pytest.raises(InputError, match="without a time axis"):
        analyze(layers, Recordings(np.zeros((30, 2, 1, 4)), IDS, times=[0, 1, 2, 3]))
    with pytest.raises(InputError, match="'pls'"):
        analyze(layers, recordings, method="plss")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "p", "n_units", "strength", "asked"),
    [
        (40, 10, 1, 0, {}),
        (40, 60, 5, 0, {}),
        (40, 10, 4, 1, {}),
        (40, 20, 5, 0, {"recipe": "published", "n_splits": 6}),
        (60, 30, 20, 1.5, {"recipe": "published"}),
        (40, 20, 5, 0, {"method": "pls", "n_components": 3}),
    ],
)
def test_calibration(n: int, p: int, n_units: int, strength: float, asked: dict[str, Any]) -> None:
    """p < .05 in 1 to 10 % of noise layers; intervals cover the mean over experiments 90 to 98 times of 100.

    Those of the published recipe are wider on noise, where penalties jump: they cover it always.
    """
    generator = np.random.default_rng(n + p)
    ids = [f"s{i}" for i in range(n)]
    weights = strength * generator.normal(size=(p, n_units)) / np.sqrt(p)
    rows = []
    for seed in range(200):
        x, shared = generator.normal(size=(n, p)), generator.normal(size=(n, 1))
        y = (x @ weights + 0.5 * shared)[:, :, None] + generator.normal(size=(n, n_units, 3)) * np.sqrt(3)
        result = bh.analyze_encode(
            {"a": x}, Recordings(y, ids), stimulus_ids=ids, n_permutations=60 if not strength else 0, seed=seed, **asked
        )
        rows.append(result.table[["estimate", "low", "high", "p"]].to_numpy(dtype=float))
    estimate, low, high, ps = np.array(rows).transpose(1, 2, 0)[0]
    if not strength:
        assert 0.01 <= (ps < 0.05).mean() <= 0.1
    truth = estimate.mean()
    assert 0.88 <= ((low <= truth) & (truth <= high)).mean() <= (1 if "recipe" in asked else 0.99)
    corrected, low, high, _ = np.array(rows).transpose(1, 2, 0)[1]
    if strength:
        assert ((low <= corrected.mean()) & (corrected.mean() <= high)).mean() >= 0.9


def test_intervals_say_what_they_are_over() -> None:
    layers, recordings = make_pair()
    two = analyze(layers, recordings, n_permutations=0)
    everyone = pick(two, subject="", statistic="r")
    assert set(everyone.interval) == {"stimuli"}
    assert (everyone.low < everyone.estimate).all()
    assert set(pick(two, subject="", statistic="corrected-r2").interval) == {"stimuli"}
    assert pick(two, statistic="r-best-layer").low.notna().all()
    units = {"subject": ["1", "1", "2", "2", "3", "3"], "region": ["V1", "IT"] * 3}
    three = analyze(layers, Recordings(recordings.values, IDS, units), n_permutations=0)
    rows = pick(three, subject="", statistic="r", layer="conv", target="V1")
    single = pick(three, statistic="r", layer="conv", target="V1")
    single = single[single.subject != ""].estimate
    assert rows.interval.item() == "participants"
    assert rows.estimate.item() - rows.low.item() == pytest.approx(4.302653 * single.std() / np.sqrt(3))


def test_zero_centred_predictions_are_saved_as_responses(tmp_path: Path) -> None:
    layers, recordings = make_pair()
    far = Recordings(recordings.values + 100, IDS, recordings.units)
    options: dict[str, Any] = {"recipe": "published", "n_splits": 8, "n_permutations": 0, "zero_center": True}
    analyze(layers, far, predictions=tmp_path / "p.zarr", **options)
    predicted = bh.open(tmp_path / "p.zarr")["conv"].to_numpy()
    assert abs(np.nanmean(predicted) - 100) < 1


def test_groups_widen_intervals() -> None:
    """Each stimulus three times over is not three stimuli."""
    layers, recordings = make_pair()
    ids = [f"{name}-{copy}" for name in IDS for copy in range(3)]
    noise = np.random.default_rng(1).normal(size=(90, 6, 3)) * 1e-3
    more = Recordings(np.repeat(recordings.values, 3, axis=0) + noise, ids, recordings.units)
    copies = {name: np.repeat(values, 3, axis=0) for name, values in layers.items()}
    groups = np.repeat(IDS, 3)
    alone = pick(analyze(layers, recordings, n_permutations=0), layer="conv", statistic="r", subject="1")
    found = pick(analyze(copies, more, stimulus_ids=ids, groups=groups, n_permutations=0), layer="conv", statistic="r")
    found = found[found.subject == "1"]
    width = ((found.high - found.low).to_numpy() / (alone.high - alone.low).to_numpy()).mean()
    assert 0.6 < width < 1.7
