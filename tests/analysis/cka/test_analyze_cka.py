"""CKA of stores and recordings, joined by id."""

from typing import Any

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis import analyze_cka, compute_cka
from beholder.recordings import RecordedRDMs, Recordings

IDS = [f"s{i}" for i in range(9)]


def make_layers(seed=0, **sizes):
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal((9, n)) for name, n in sizes.items()}


def test_all_layers_with_all_layers_joined_by_id_in_any_order():
    ours, theirs = make_layers(a=12, b=7), make_layers(1, c=5, d=6)
    order = np.random.default_rng(2).permutation(9)
    shuffled = {name: values[order] for name, values in theirs.items()}
    found = analyze_cka(
        ours, shuffled, stimulus_ids=IDS, recorded_ids=[IDS[i] for i in order], n_permutations=0, debiased=False
    )
    table: Any = found.table.set_index(["layer", "target"])["estimate"]
    for one, x in ours.items():
        for other, y in theirs.items():
            assert table[one, other] == pytest.approx(compute_cka(x, y, debiased=False), abs=1e-12)
    assert any("Biased CKA" in warning for warning in found.warnings) and found.plot() is not None
    from beholder.analysis import RESULT_KINDS, ArrayLayers
    from beholder.figures import find_overlaps

    sides = [
        ArrayLayers(each, IDS, f"torchvision:a_network_{i}@IMAGENET1K_V1") for i, each in enumerate((ours, theirs))
    ]
    named = analyze_cka(*sides, n_permutations=0)
    (drawing,) = RESULT_KINDS["cka"].draw(named)
    assert find_overlaps(drawing.figure) == []
    assert RESULT_KINDS["cka"].title(named) == "Which layers of a_network_0 and a_network_1 are alike (CKA)?"
    assert "biased estimate" in found.methods() and "most alike" in found.sentences()[0]


def test_people_with_other_stimuli_and_units_that_lack_some_have_what_they_have():
    ours = make_layers(a=12)
    values = np.random.default_rng(3).standard_normal((9, 8, 2))
    values[:2, :4] = np.nan
    values[5, 1] = np.nan
    brain = Recordings(values, IDS, {"subject": ["p"] * 4 + ["q"] * 4, "region": ["IT"] * 8})
    found = analyze_cka(ours, brain, stimulus_ids=IDS, n_permutations=19)
    table: Any = found.table[found.table["statistic"] == "cka"].set_index("subject")
    expected = compute_cka(ours["a"][2:], values[2:, [0, 2, 3]].mean(axis=2))
    assert table["estimate"]["p"] == pytest.approx(expected, abs=1e-6) and table["n"].to_dict() == {"p": 7, "q": 9}
    (mean,) = found.table[found.table["statistic"] == "mean over subjects"].to_dict("records")
    assert mean["estimate"] == pytest.approx((table["estimate"]["p"] + table["estimate"]["q"]) / 2)
    assert (mean["n"], mean["n_stimuli"], mean["interval"]) == (2, 7, "subjects") and np.isnan(mean["p"])
    assert table["estimate"]["q"] == pytest.approx(compute_cka(ours["a"], values[:, 4:].mean(axis=2)), abs=1e-6)
    told = ["p, IT: 1 of 4 uni", "p, IT: 2 of 9 sti", "IT: people have d", "3 of 3 intervals "]
    assert [warning[:17] for warning in found.warnings] == told
    assert "around a CKA of 0 they are wider than need be" in found.warnings[3]
    assert "Student's t over people" in found.methods() and "less what both count" not in found.methods()
    alike = analyze_cka(ours, {"b": ours["a"]}, stimulus_ids=IDS, recorded_ids=IDS, n_permutations=0)
    assert not alike.warnings


def test_of_people_some_with_the_same_stimuli_one_mean_is_told():
    values = np.random.default_rng(3).standard_normal((9, 9, 1))
    values[:2, 6:] = np.nan
    brain = Recordings(values, IDS, {"subject": ["p"] * 3 + ["q"] * 3 + ["r"] * 3, "region": ["IT"] * 9})
    table: Any = analyze_cka(make_layers(a=12, b=4), brain, stimulus_ids=IDS, n_permutations=9).table
    means = table[table["statistic"] == "mean over subjects"]
    assert means["layer"].tolist() == ["a", "b"] and means["n"].tolist() == [3, 3]  # not that of p and q beside it
    alone = table[table["statistic"] == "cka"].groupby("layer")["estimate"].mean()
    assert means["estimate"].tolist() == pytest.approx(alone.tolist())


def test_p_is_small_for_the_same_features_and_not_for_noise():
    ours = make_layers(a=30, b=30)
    same = {"same": ours["b"] @ np.random.default_rng(4).standard_normal((30, 30)), **make_layers(5, noise=20)}
    found = analyze_cka(ours, same, stimulus_ids=IDS, recorded_ids=IDS, n_permutations=99).table
    p: Any = found.set_index(["layer", "target"])["p"]
    assert p["b", "same"] <= 0.03 and p["a", "noise"] > 0.05


def test_times_are_targets_of_their_own():
    values = np.random.default_rng(6).standard_normal((9, 4, 1, 2))
    found = analyze_cka(make_layers(a=5), Recordings(values, IDS, times=[0.1, 0.2]), stimulus_ids=IDS).table
    assert found["target"].tolist() == ["recordings 100 ms", "recordings 200 ms"] and found["time"].tolist() == [
        0.1,
        0.2,
    ]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="analyze rsa"):
        analyze_cka(make_layers(a=5), RecordedRDMs(np.ones(36), IDS), stimulus_ids=IDS)
    with pytest.raises(InputError, match="4 stimuli in common"):
        analyze_cka(make_layers(a=5), {"b": np.eye(3)}, stimulus_ids=IDS, recorded_ids=IDS[:3])


def test_people_with_the_same_stimuli_have_a_mean_with_an_interval_over_both():
    rng = np.random.default_rng(7)
    shared = rng.standard_normal((9, 6))
    brain = Recordings(
        np.hstack([shared @ rng.standard_normal((6, 5)) + rng.standard_normal((9, 5)) for _ in range(3)]), IDS,
        {"subject": np.repeat(["p", "q", "r"], 5), "region": ["IT"] * 15},
    )  # fmt: skip
    found = analyze_cka({"a": shared}, brain, stimulus_ids=IDS, n_permutations=19)
    table: Any = found.table.set_index("statistic")
    people: Any = table.loc["cka"]
    (mean,) = table.loc[["mean over subjects"]].to_dict("records")
    assert mean["estimate"] == pytest.approx(people["estimate"].mean()) and (mean["n"], mean["n_stimuli"]) == (3, 9)
    assert mean["low"] < mean["estimate"] < mean["high"] and mean["interval"] == "both" and mean["p"] <= 0.1
    assert (people["low"] < people["estimate"]).all() and (people["estimate"] < people["high"]).all()
    assert "mean over 3 people" in found.sentences()[0] and "[" in found.sentences()[0]
    assert "jackknife" in found.methods()


def test_more_kernels_than_memory_holds_are_never_held(monkeypatch):
    ours, theirs = make_layers(a=12, b=7), make_layers(1, c=5)
    asked = {"stimulus_ids": IDS, "recorded_ids": IDS, "n_permutations": 19}
    whole = analyze_cka(ours, theirs, **asked)
    monkeypatch.setattr("beholder.analysis.cka._compare.HELD_BYTES", 0)
    monkeypatch.setattr("beholder.analysis.cka._compare.TEST_STIMULI", 6)
    streamed = analyze_cka(ours, theirs, **asked)
    for column in ("estimate", "low", "high"):
        np.testing.assert_allclose(streamed.table[column], whole.table[column], atol=1e-12)
    assert "p is of 6 of 9 stimuli, drawn at random." in streamed.warnings
    assert streamed.table["p"].between(0.05, 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(("n", "gain"), [(12, 1.5), (20, 4.0), (50, 0.7)])
def test_intervals_cover_what_all_stimuli_would_give(n, gain):
    rng = np.random.default_rng(8)
    first, second = gain * rng.standard_normal((5, 30)) / 5**0.5, gain * rng.standard_normal((5, 20)) / 5**0.5
    norm = np.linalg.norm
    true = norm(first.T @ second) ** 2 / (norm(first.T @ first + np.eye(30)) * norm(second.T @ second + np.eye(20)))
    ids, hits = [f"s{i}" for i in range(n)], 0
    for _ in range(200):
        shared = rng.standard_normal((n, 5))
        ours = {"a": shared @ first + rng.standard_normal((n, 30))}
        theirs = {"b": shared @ second + rng.standard_normal((n, 20))}
        table: Any = analyze_cka(ours, theirs, stimulus_ids=ids, recorded_ids=ids, n_permutations=0).table
        hits += int((table["low"][0] < true) & (true < table["high"][0]))
    assert 0.90 <= hits / 200 <= 0.985, hits


@pytest.mark.slow
def test_noise_has_a_small_p_as_often_as_p_says():
    """The largest of three layers, against its own null."""
    hits = 0
    for seed in range(200):
        ours, theirs = make_layers(seed, a=15, b=15, c=15), make_layers(1000 + seed, d=15)
        found = analyze_cka(ours, theirs, stimulus_ids=IDS, recorded_ids=IDS, n_permutations=59, seed=seed)
        hits += int(found.table["p"].to_numpy().min() < 0.05)
    assert 2 <= hits <= 20, hits
