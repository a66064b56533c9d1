"""Several recordings: regions or conditions, told apart in the same people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

import beholder as bh
from beholder._core.errors import InputError
from beholder.analysis import Result, compare_rdms
from beholder.recordings import RecordedRDMs
from beholder.statistics import bootstrap_rsa

IDS = [f"s{i}" for i in range(10)]
RNG = np.random.default_rng(0)
SHARED = RNG.normal(size=(10, 6))
LAYERS = {"near": SHARED + 0.3 * RNG.normal(size=(10, 6)), "far": RNG.normal(size=(10, 6))}


def record(gain: float, name: str, *, people: str = "abcd", region: str = "IT", seed: int = 1) -> RecordedRDMs:
    rng = np.random.default_rng(seed)
    rows = [pdist(np.hstack([gain * SHARED, rng.normal(size=(10, 8))]), "correlation") for _ in people]
    return RecordedRDMs(np.stack(rows), IDS, {"subject": list(people), "region": [region] * len(people)}, name)


def analyze(*recordings: Any, **options: Any) -> Result:
    asked: dict[str, Any] = {"n_draws": 40, "n_permutations": 19, **options}
    return bh.analyze_rsa(LAYERS, list(recordings), stimulus_ids=IDS, recorded_ids=IDS, **asked)


def pick(result: Result, statistic: str, **columns: Any) -> Any:
    table: Any = result.table[result.table["statistic"] == statistic]
    for name, value in columns.items():
        table = table[table[name] == value]
    return table


def test_one_region_in_two_files_is_told_apart_in_the_people_of_both() -> None:
    base, other = record(2, "base"), record(0.3, "confound", people="dcbz", seed=2)
    order = np.random.default_rng(3).permutation(10)
    shuffled = RecordedRDMs(other.to_square()[:, order][:, :, order], [IDS[i] for i in order], other.table, "confound")
    result = analyze(base, shuffled)
    assert list(dict.fromkeys(pick(result, "comparison")["target"])) == ["base IT", "confound IT"]
    row = pick(result, "difference of recordings", layer="near").to_dict("records")[0]
    rdm = pdist(LAYERS["near"], "correlation")
    pairs = [
        (compare_rdms(rdm, base.values[i]), compare_rdms(rdm, other.values[j])) for i, j in ((1, 2), (2, 1), (3, 0))
    ]
    assert row["estimate"] == pytest.approx(np.mean([a - b for a, b in pairs]), abs=1e-6)
    assert (row["target"], row["other_target"], row["n"], row["interval"]) == ("base IT", "confound IT", 3, "both")
    assert row["low"] < row["estimate"] < row["high"] and row["p_corrected"] >= row["p"]
    assert any("3 people are in both" in note for note in result.warnings)
    assert any("base IT less confound IT is" in sentence for sentence in result.sentences())
    assert "compared at each layer" in result.methods()


def test_the_interval_of_a_difference_is_that_of_paired_draws() -> None:
    base, other = record(2, "base"), record(0.3, "confound", seed=2)
    result = analyze(base, other, over="stimuli")
    row = pick(result, "difference of recordings", layer="near").to_dict("records")[0]
    rdms = np.stack([pdist(each, "correlation") for each in LAYERS.values()])
    boot = bootstrap_rsa(rdms, np.concatenate([base.values, other.values]), n_draws=40)
    draws = (boot.draws[:, 0, :4] - boot.draws[:, 0, 4:8]).mean(axis=1)
    from scipy.stats import t

    error = np.sqrt(draws.var() * 10 / 9)
    assert row["high"] - row["estimate"] == pytest.approx(t.ppf(0.975, 9) * error, rel=1e-6)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("people", ["abcd", "wxyz"], ids=["the same people", "other people"])
@pytest.mark.parametrize("over", ["stimuli", "both"])
def test_a_difference_the_other_way_round_has_the_same_interval(method: str, people: str, over: str) -> None:
    base, other = record(2, "base"), record(0.3, "confound", people=people, seed=2)
    there, back = (
        pick(analyze(*pair, method=method, over=over), "difference of recordings", layer="near").to_dict("records")[0]
        for pair in ((base, other), (other, base))
    )
    assert (there["low"], there["high"]) == pytest.approx((-back["high"], -back["low"]), rel=1e-9)
    assert there["p"] == pytest.approx(back["p"])


def test_a_difference_of_equal_recordings_does_not_vary() -> None:
    base = record(2, "base")
    same = RecordedRDMs(base.values, IDS, base.table, "confound")
    row = pick(analyze(base, same, method="pearson"), "difference of recordings", layer="near").to_dict("records")[0]
    assert (row["low"], row["high"], row["p"]) == pytest.approx((0, 0, 1), abs=1e-9)


def test_few_stimuli_make_intervals_of_ranks_too_careful_and_a_note_says_so() -> None:
    def count(**options: Any) -> int:
        return sum("wider than need be" in note for note in analyze(record(2, "base"), **options).warnings)

    assert [count(), count(method="pearson"), count(over="subjects")] == [1, 0, 0]


def test_regions_in_files_of_their_own_keep_their_names() -> None:
    result = analyze(record(1, "one", region="V1"), record(2, "two"))
    assert list(dict.fromkeys(pick(result, "comparison")["target"])) == ["V1", "IT"]
    assert not len(pick(result, "difference of recordings"))
    assert [each["name"] for each in result.settings["recordings"]] == ["one", "two"]


def test_other_people_are_told_and_not_drawn() -> None:
    result = analyze(record(2, "base"), record(0.3, "patients", people="xyz", seed=5))
    row = pick(result, "difference of recordings", layer="near").to_dict("records")[0]
    means = pick(result, "mean over subjects", layer="near").set_index("target")["estimate"]
    assert row["estimate"] == pytest.approx(means["base IT"] - means["patients IT"]) and row["interval"] == "stimuli"
    assert any("of other people" in note for note in result.warnings)


def test_recordings_without_regions_or_names_are_numbered() -> None:
    plain = [RecordedRDMs(np.random.default_rng(i).random((1, 45)), IDS) for i in range(2)]
    result = analyze(*plain)
    assert list(dict.fromkeys(result.table["target"])) == ["recordings (1)", "recordings (2)"]
    assert len(pick(result, "difference of recordings")) == 2


def test_networks_and_brains_do_not_mix_and_several_networks_do() -> None:
    with pytest.raises(InputError, match="1 of 2 of the first kind"):
        analyze(record(1, "one"), {"a": SHARED})
    result = analyze({"a": SHARED}, {"b": SHARED, "a": LAYERS["far"]})
    targets = list(dict.fromkeys(pick(result, "mean over subjects")["target"]))
    assert targets == ["the network (1) a", "b", "the network (2) a"]


def test_masks_that_overlap_are_targets() -> None:
    from beholder.recordings import Recordings

    units = pd.DataFrame({"in_pitch": [True] * 6 + [False] * 2, "in_music": [False] * 4 + [True] * 4})
    brain = Recordings(np.random.default_rng(4).normal(size=(10, 8)), IDS, units)
    result = analyze(brain, by=["mask"])
    expected = compare_rdms(pdist(LAYERS["near"], "correlation"), pdist(brain.average()[:, 4:], "correlation"))
    row = pick(result, "averaged RDM", target="music", layer="near").to_dict("records")[0]
    assert row["estimate"] == pytest.approx(expected, abs=1e-6)
    assert list(dict.fromkeys(result.table["target"])) == ["pitch", "music"]
    assert brain.select(region="pitch").values.shape[1] == 6


@pytest.mark.slow
def test_intervals_of_the_nearest_layer_and_of_recordings_cover_their_means() -> None:
    rng, found = np.random.default_rng(0), []
    ids, people = [f"s{i}" for i in range(20)], [f"p{i}" for i in range(6)]
    for study in range(100):
        shared, gains = rng.normal(size=(20, 12)), rng.gamma(2, 0.5, (6, 12))
        layers = {
            name: weight * shared + rng.normal(size=(20, 12)) for name, weight in zip("abc", (1, 0.9, 0), strict=True)
        }
        told = {"subject": people, "region": ["IT"] * 6}
        both = [
            RecordedRDMs(
                np.stack([pdist(np.hstack([size * shared * gain, rng.normal(size=(20, 20))])) for gain in gains]),
                ids, told, name,
            )
            for name, size in (("one", 1), ("two", 0.4))
        ]  # fmt: skip
        asked: dict[str, Any] = {"method": "pearson", "n_draws": 100, "n_permutations": 0, "seed": study}
        result = bh.analyze_rsa(layers, both, stimulus_ids=ids, distance="squared-euclidean", **asked)
        rows = [pick(result, "nearest layer", target="one IT"), pick(result, "difference of recordings", layer="a")]
        found.append([row[["estimate", "low", "high"]].to_numpy()[0] for row in rows])
    estimate, low, high = np.moveaxis(np.array(found, dtype=float), 2, 0)
    covered = ((low < estimate.mean(axis=0)) & (estimate.mean(axis=0) < high)).mean(axis=0)
    assert ((covered >= 0.88) & (covered <= 0.99)).all(), covered
