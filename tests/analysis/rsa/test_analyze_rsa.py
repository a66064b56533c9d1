"""RSA in one call: what joins, what is compared with what, what is chosen where, and what is refused or told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

import beholder as bh
from beholder._core.errors import InputError, UnknownNameError
from beholder.analysis import DISTANCES, RESULT_KINDS, Result, compare_rdms, write_result
from beholder.analysis.rsa._layers import cross_replicates
from beholder.recordings import RecordedRDMs, Recordings
from beholder.report import write_report

IDS = [f"picture_{i}" for i in range(12)]
QUICK: dict[str, Any] = {"n_draws": 30, "n_permutations": 40}
RNG = np.random.default_rng(0)
SHARED = RNG.normal(size=(12, 8))
LAYERS = {
    "early": np.hstack([0.2 * SHARED, RNG.normal(size=(12, 8))]),
    "late": np.hstack([2 * SHARED, RNG.normal(size=(12, 8))]),
    "noise": RNG.normal(size=(12, 8)),
}


def record(n_people: int = 3, *, signal: float = 2.0, n_units: int = 10, seed: int = 1) -> Recordings:
    """Responses of people's V1 (noise) and IT (the shared features)."""
    rng = np.random.default_rng(seed)
    values, units = [], []
    for person in range(n_people):
        for region, gain in (("V1", 0.0), ("IT", signal)):
            mixed = gain * SHARED @ rng.normal(size=(8, n_units)) / 3 + rng.normal(size=(12, n_units))
            values.append(mixed[:, :, None] + 0.1 * rng.normal(size=(12, n_units, 2)))
            units += [(f"person{person}", region)] * n_units
    return Recordings(np.concatenate(values, axis=1), IDS, pd.DataFrame(units, columns=["subject", "region"]))


def analyze(recordings: Any, layers: Any = LAYERS, **options: Any) -> Result:
    return bh.analyze_rsa(layers, recordings, stimulus_ids=IDS, **{**QUICK, **options})


def pick(result: Result, **columns: Any) -> Any:
    table: Any = result.table
    for name, value in columns.items():
        table = table[table[name] == value]
    return table


@pytest.fixture(scope="module")
def found() -> Result:
    return analyze(record())


def test_every_person_region_and_layer_is_compared(found: Result) -> None:
    recordings = record()
    rdm = pdist(recordings.select(subject="person1", region="IT").average(), "correlation")
    oracle: Any = spearmanr
    expected = oracle(pdist(LAYERS["late"], "correlation"), rdm).statistic
    (row,) = pick(found, statistic="comparison", subject="person1", target="IT", layer="late").to_dict("records")
    assert row["estimate"] == pytest.approx(expected, abs=1e-6) and row["n"] == 12
    own = pick(found, statistic="comparison", target="IT", layer="late")["estimate"]
    (mean,) = pick(found, statistic="mean over subjects", target="IT", layer="late").to_dict("records")
    assert mean["estimate"] == pytest.approx(own.mean()) and mean["n"] == 3
    assert mean["low"] < mean["estimate"] < mean["high"] and mean["interval"] == "both"
    assert mean["p"] <= mean["p_corrected"] <= 0.05
    assert len(pick(found, statistic="averaged RDM")) == 2 * 3


def test_rows_join_by_id_whatever_their_order(found: Result) -> None:
    recordings = record()
    order = np.random.default_rng(3).permutation(12)
    moved = Recordings(recordings.values[order], [IDS[i] for i in order], recordings.units)
    pd.testing.assert_frame_equal(analyze(moved).table, found.table)
    half = Recordings(recordings.values[order[:8]], [IDS[i] for i in order[:8]], recordings.units)
    assert analyze(half).settings["joined"].startswith("8 stimuli in common: 8 of 12")


def test_the_same_call_gives_the_same_bytes(found: Result, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (found if name == "one" else analyze(record())).save(tmp_path / f"{name}.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_the_layer_of_the_sentence_is_chosen_on_other_people(found: Result) -> None:
    (row,) = pick(found, statistic="nearest layer", target="IT").to_dict("records")
    assert (row["layer"], row["chosen_on"], row["n_agree"], row["n_choices"]) == ("late", "subjects", 3, 3)
    first = found.sentences()[0]
    assert first.startswith("late of the network is nearest to IT: r = .")
    assert "n = 3 people, ceiling ." in first and "chosen for each person on the other people" in first


def test_with_few_people_it_is_chosen_on_half_of_the_stimuli() -> None:
    result = analyze(record(1))
    (row,) = pick(result, statistic="nearest layer", target="IT").to_dict("records")
    assert row["chosen_on"] == "stimuli" and row["layer"] == "late" and row["n_choices"] == 20
    assert "no noise ceiling with one person" in result.sentences()[0]
    assert "half of the stimuli" in result.sentences()[0]
    assert set(pick(result, statistic="mean over subjects")["interval"]) == {"stimuli"}
    assert not len(pick(result, statistic="ceiling lower"))


def test_choosing_on_the_data_that_give_the_value_would_flatter_noise() -> None:
    """Held-out values of noise average to about 0; the largest of many layers does not."""
    rng = np.random.default_rng(5)
    held_out, largest = [], []
    for _ in range(12):
        layers = {f"layer{i}": rng.normal(size=(12, 6)) for i in range(12)}
        people = RecordedRDMs(rng.random((3, 66)), IDS, {"subject": ["1", "2", "3"], "region": ["IT"] * 3})
        result = analyze(people, layers, n_draws=2, n_permutations=19, over="stimuli")
        held_out.append(float(pick(result, statistic="nearest layer")["estimate"].iloc[0]))
        largest.append(float(pick(result, statistic="mean over subjects")["estimate"].max()))
    assert np.mean(largest) > 0.1 > abs(np.mean(held_out))


def test_people_who_do_not_agree_have_no_percent_of_ceiling(found: Result) -> None:
    means = pick(found, statistic="mean over subjects")
    shares = {name: group["percent_of_ceiling"] for name, group in means.groupby("target")}
    assert shares["V1"].isna().all() and shares["IT"].notna().all()
    assert any("V1: people's RDMs do not agree above chance" in note for note in found.warnings)
    assert not any(note.startswith("IT:") for note in found.warnings)


def test_a_test_that_cannot_reach_alpha_says_so(found: Result) -> None:
    assert any("With 3 people the smallest p of a test over people is 0.125" in note for note in found.warnings)
    assert pick(found, statistic="mean over subjects")["p_people"].isna().all()
    few = bh.analyze_rsa({name: values[:3] for name, values in LAYERS.items()}, record(), stimulus_ids=IDS[:3], **QUICK)
    assert any("the smallest p that shuffling 3 stimuli can give is 0.167" in note for note in few.warnings)
    assert pick(few, statistic="mean over subjects")["p"].isna().all()
    assert pick(analyze(record(5)), statistic="mean over subjects")["p_people"].min() == 1 / 32


def test_missing_and_constant_data_are_left_out_and_told() -> None:
    recordings = record()
    values = recordings.values.copy()
    values[0, 0] = np.nan  # one unit of person0's V1, one stimulus
    values[1, 1, 0] = np.nan  # one repeat
    values[:, 2] = 5.0  # a constant unit
    values[3, 20:40] = np.nan  # person1 did not see a stimulus
    result = analyze(Recordings(values, IDS, recordings.units))
    told = "\n".join(result.warnings)
    assert "person0, V1: 1 of 10 units lack some of the stimuli and are left out." in told
    assert "person0, V1: 1 of 10 units do not vary and are left out." in told
    assert "person1, IT: 1 of 12 stimuli have no data; their pairs are left out." in told
    (row,) = pick(result, statistic="comparison", subject="person1", target="IT", layer="late").to_dict("records")
    kept = np.delete(np.arange(12), 3)
    rdms = [pdist(each[kept], "correlation") for each in (LAYERS["late"], values[:, 30:40].mean(axis=2))]
    assert row["estimate"] == pytest.approx(compare_rdms(rdms[0], rdms[1]), abs=1e-6)
    means = pick(result, statistic="mean over subjects")
    assert np.isfinite(means[["estimate", "low", "high", "p"]].to_numpy()).all()


def test_ties_everywhere_and_layers_that_tell_nothing_apart() -> None:
    layers = {
        "binary": np.sign(SHARED), "dead": np.zeros((12, 4)), "late": LAYERS["late"],
        "one_stimulus": np.vstack([np.ones((1, 16)), LAYERS["late"][1:]]),
    }  # fmt: skip
    result = analyze(record(), layers)
    told = "\n".join(result.warnings)
    assert "dead of the network has no RDM" in told
    assert "1 of 12 stimuli have no distance from others at one_stimulus" in told
    assert pick(result, layer="dead", statistic="mean over subjects")["estimate"].isna().all()
    assert pick(result, layer="binary", statistic="mean over subjects")["estimate"].notna().all()
    assert set(result.table["n_stimuli"]) == {11}
    assert pick(result, statistic="nearest layer")["layer"].isin(list(layers)).all()
    result.to_json()


def test_recorded_rdms_are_targets_and_another_distance_is_told() -> None:
    recordings = record()
    rows, table = [], []
    for labels, part in recordings.split_by(["subject", "region"]):
        rows.append(pdist(part.average(), "correlation"))
        table.append(labels)
    rdms = RecordedRDMs(np.stack(rows), IDS, pd.DataFrame(table))
    one, two = (analyze(each).table["estimate"].to_numpy() for each in (recordings, rdms))
    np.testing.assert_allclose(np.sort(one), np.sort(two), atol=1e-6)
    with pytest.raises(InputError, match="two of person0, V1"):
        analyze(RecordedRDMs(np.stack([rows[0], rows[0]]), IDS, pd.DataFrame([table[0], table[0]])))
    crossed = analyze(recordings, recorded_distance="crossnobis")
    assert "that of recorded responses" in crossed.methods()
    assert "Negative dissimilarities were kept" in crossed.methods()


def test_times_are_targets_of_their_own() -> None:
    recordings = record(2)
    series = np.stack([recordings.values, recordings.values[::-1]], axis=3)
    result = analyze(Recordings(series, IDS, recordings.units, times=[0.1, 0.2]))
    assert list(dict.fromkeys(pick(result, statistic="comparison")["target"])) == [
        "V1 100 ms",
        "V1 200 ms",
        "IT 100 ms",
        "IT 200 ms",
    ]
    assert set(pick(result, target="IT 200 ms")["time"]) == {0.2}
    still, moving = analyze(recordings), pick(result, target="IT 100 ms", statistic="mean over subjects")
    np.testing.assert_allclose(
        moving["estimate"], pick(still, target="IT", statistic="mean over subjects")["estimate"], atol=1e-9
    )


def test_another_network_is_a_target_at_each_of_its_layers() -> None:
    result = bh.analyze_rsa(LAYERS, LAYERS, stimulus_ids=IDS, recorded_ids=IDS, **QUICK)
    means = pick(result, statistic="mean over subjects")
    own = means[means["layer"] == means["target"]]
    np.testing.assert_allclose(own["estimate"], 1)
    assert not len(pick(result, statistic="difference"))
    assert RESULT_KINDS["rsa"].title(result).endswith("as the other network does?")
    assert next(RESULT_KINDS["rsa"].draw(result)).name == "heat_map"


def test_several_networks_are_told_apart_with_intervals() -> None:
    other = {"early": LAYERS["noise"], "late": LAYERS["noise"], "noise": LAYERS["noise"]}
    result = bh.analyze_rsa([LAYERS, other], record(), stimulus_ids=IDS, depth_bins=2, **QUICK)
    assert set(result.table["source"]) == {"the network (1)", "the network (2)"}
    between = pick(result, statistic="difference", target="IT", layer="late", other_source="the network (2)")
    assert (between["estimate"] > 0).all() and (between["low"] < between["estimate"]).all()
    same = pick(result, statistic="difference", target="IT", layer="noise", other_layer="noise")
    assert same["estimate"].abs().max() < 1e-9 and (same["p"] == 1).all()
    bins = pick(result, statistic="mean of depth bin", target="IT", source="the network (1)")
    assert bins["layer"].tolist() == ["depth 1 of 2", "depth 2 of 2"]
    means = pick(result, statistic="mean over subjects", target="IT", source="the network (1)")["estimate"].to_numpy()
    np.testing.assert_allclose(bins["estimate"], [means[0], means[1:].mean()])
    assert any("less the network (2)" in sentence for sentence in result.sentences())
    told = " ".join(result.sentences())
    assert " of 3 layers and " in told and " of 2 depth bins (corrected)" in told


def test_crossed_replicates_compare_unlike_exposures() -> None:
    values = np.random.default_rng(2).normal(size=(5, 3, 4, 2)) + np.arange(5)[:, None, None, None]
    rows = values.reshape(5, 3, 8)

    def similarity(i: int, j: int) -> float:
        pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
        return float(np.mean([np.corrcoef(rows[i, a], rows[j, b])[0, 1] for a, b in pairs]))

    expected = [1 - similarity(i, j) for i in range(5) for j in range(i + 1, 5)]
    np.testing.assert_allclose(cross_replicates(values, "correlation"), expected, atol=1e-12)
    with pytest.raises(InputError, match="two replicates"):
        analyze(record(), replicates="cross")
    with pytest.raises(InputError, match="crossnobis"):
        cross_replicates(values, "euclidean")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "spearmen"}, UnknownNameError, "'spearman'"),
        ({"distance": "correlations"}, UnknownNameError, "'correlation'"),
        ({"layers": ["lat"]}, UnknownNameError, "'late'"),
        ({"by": ["area"]}, InputError, "area"),
        ({"conditions": "label"}, InputError, "column"),
        ({"over": "people"}, InputError, "what to draw"),
        ({"replicates": "crossed"}, InputError, "'cross'"),
        ({"metod": "spearman"}, UnknownNameError, "'method'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        bh.analyze_rsa(LAYERS, record(1), **{"stimulus_ids": IDS, **QUICK, **options})
    assert "\n" not in str(caught.value)


def test_ids_that_do_not_meet_and_too_few_that_do() -> None:
    recordings = record(1)
    named = Recordings(recordings.values, [f"s/{each}.png" for each in IDS], recordings.units)
    with pytest.raises(InputError, match="id_pattern"):
        analyze(named)
    joined = analyze(named, id_pattern=r"(picture_\d+)")
    assert joined.settings["n_stimuli"] == 12
    pd.testing.assert_frame_equal(joined.table, analyze(recordings).table)
    with pytest.raises(InputError, match="3 stimuli or more in common; got 2 stimuli"):
        bh.analyze_rsa({"a": SHARED[:2]}, recordings, stimulus_ids=IDS[:2])


def test_a_result_becomes_a_section_with_pictures_table_and_methods(found: Result, tmp_path: Path) -> None:
    write_result(found, tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"rsa_layers.svg", "rsa_heat_map.svg", "rsa_rdms.svg", "rsa_map.svg"} <= names
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "At which layer does the network represent stimuli as brains and people do?" in page
    assert "late of the network is nearest to IT" in page and "References: Kriegeskorte" in page
    assert page.count("<figure>") == 4 and "do not agree above chance" in page


def test_pictures_have_no_words_that_overlap(found: Result) -> None:
    from beholder.figures import find_overlaps

    drawn = list(RESULT_KINDS["rsa"].draw(found))
    assert [each.name for each in drawn] == ["layers", "heat_map", "rdms", "map"]
    for drawing in drawn[:3]:
        assert find_overlaps(drawing.figure) == [], drawing.name
    assert found.plot().get_title(loc="left") == "IT"


def test_methods_tell_every_setting_in_words(found: Result) -> None:
    told = found.methods()
    for words in ("12 stimuli", "1 − Pearson correlation", "Spearman", "30 bootstrap draws", "40 shuffles", "Seed 42"):
        assert words in told
    for distance in DISTANCES:
        assert DISTANCES[distance].words


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    from PIL import Image

    rng = np.random.default_rng(0)
    for orientation in ("0", "45", "90", "135"):
        (tmp_path / "gratings" / orientation).mkdir(parents=True)
        for i in range(2):
            picture = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "gratings" / orientation / f"{orientation}_{i}.png")
    return iter([tmp_path])


def test_folders_of_pictures_are_conditions_and_stores_have_thumbnails(folders: Iterator[Path]) -> None:
    import torch
    from torch import nn

    place = next(folders)
    torch.manual_seed(0)
    net = bh.wrap(nn.Sequential(nn.Conv2d(3, 4, 5, 2), nn.ReLU(), nn.Conv2d(4, 4, 3)), input_range=(0, 1))
    store = bh.extract(net, place / "gratings", layers=["0", "2"], out_path=place / "out", name="toy")
    names = ["0", "45", "90", "135"]
    labels = store.stimuli["label"].astype(str).to_numpy()
    rng = np.random.default_rng(1)
    people = RecordedRDMs(rng.random((2, 6)), names, {"subject": ["1", "2"], "region": ["V1"] * 2})
    result = bh.analyze_rsa(store, people, conditions="label", **QUICK)
    flat = store["2"].to_numpy().reshape(8, -1)
    order = list(dict.fromkeys(labels))
    means = np.stack([flat[labels == name].mean(axis=0) for name in order])
    rows = [names.index(name) for name in order]
    square = np.zeros((4, 4))
    square[np.triu_indices(4, 1)] = people.values[0]
    square += square.T
    expected = compare_rdms(pdist(means, "correlation"), square[np.ix_(rows, rows)])
    (row,) = pick(result, statistic="comparison", layer="2", subject="1").to_dict("records")
    assert row["estimate"] == pytest.approx(expected) and row["n"] == 4
    assert "4 conditions" in result.methods()
    with pytest.raises(UnknownNameError, match="'label'"):
        bh.analyze_rsa(store, people, conditions="labels", **QUICK)

    own = RecordedRDMs(rng.random((2, 28)), store.stimulus_ids, {"subject": ["1", "2"], "region": ["V1"] * 2})
    shown = bh.analyze_rsa(store.path, own, **QUICK)
    assert shown.arrays["thumbnails"].shape == (8, 48, 48, 3)
    assert shown.arrays["categories"].tolist() == [str(each) for each in labels]

    moved = place / "moved"
    (place / "gratings").rename(moved)
    for path in moved.rglob("*_0.png"):
        path.write_bytes(next(moved.rglob("*_1.png")).read_bytes())
    other = bh.extract(net, moved, layers=["0"], out_path=place / "out", name="other")
    with pytest.raises(InputError, match="the same stimuli under the same ids"):
        bh.analyze_rsa(store, other, **QUICK)
