"""Recordings and recorded RDMs: what they hold, what they refuse, what a file keeps of them."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from beholder import InputError
from beholder.recordings import RecordedRDMs, Recordings, open_recordings
from beholder.statistics import compute_reliability
from recording_files import list_runs, open_rdms, open_units


def make(n_stimuli=5, n_units=4, n_repeats=3, n_times=0, **kept):
    shape = (n_stimuli, n_units, n_repeats, *([n_times] if n_times else []))
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    units = {"region": ["V1", "V1", "IT", "IT"][:n_units], "subject": [1, 2, 1, 2][:n_units], "x": np.arange(n_units)}
    if n_times:
        kept.setdefault("times", np.arange(n_times) / 10)
    return Recordings(values, [f"s{i}" for i in range(n_stimuli)], units, **kept)


def test_units_have_subject_and_region_first_as_texts():
    units = make().units
    assert list(units.columns) == ["subject", "region", "x"]
    assert units["subject"].tolist() == ["1", "2", "1", "2"]
    bare = Recordings(np.ones((3, 2)), list("abc"))
    assert bare.units.to_dict("list") == {"subject": ["", ""], "region": ["", ""]}
    assert bare.values.shape == (3, 2, 1)


@pytest.mark.parametrize(
    ("given", "kept"), [("f2", "f4"), ("f4", "f4"), ("i2", "f4"), ("i4", "f8"), (">f8", "f8"), ("?", "f4")]
)
def test_numbers_become_floats_that_hold_them(given, kept):
    values = np.array([[1, 0], [0, 1], [1, 1]]).astype(given)
    found = Recordings(values, list("abc")).values
    assert found.dtype == np.dtype(kept)
    np.testing.assert_array_equal(found[:, :, 0], values)


def test_average_leaves_out_what_was_not_measured():
    values = np.array([[[1, 3], [np.nan, 5]], [[np.nan, np.nan], [2, 4]]])
    recordings = Recordings(values, ["a", "b"])
    np.testing.assert_array_equal(recordings.average(), [[2, 5], [np.nan, 3]])
    np.testing.assert_array_equal(recordings.measured, [[True, True], [False, True]])
    np.testing.assert_allclose(make(n_times=2).average(), make(n_times=2).values.mean(axis=2), rtol=1e-6)


def test_trials_become_repeats_of_their_stimulus_in_the_order_they_came():
    trials = np.arange(10.0).reshape(5, 2)
    found = Recordings.from_trials(trials, ["b", "a", "b", "b", "a"], {"region": ["V1", "IT"]}, runs=[1, 1, 2, 3, 3])
    assert found.stimulus_ids == ("b", "a")
    np.testing.assert_array_equal(found.values[:, 0], [[0, 4, 6], [2, 8, np.nan]])
    assert list_runs(found) == [["1", "2", "3"], ["1", "3", ""]]
    with pytest.raises(InputError, match="4 ids"):
        Recordings.from_trials(trials, list("abab"))


def test_select_takes_units_by_subject_and_region_and_stimuli_in_the_order_asked_for():
    recordings = make(runs=["r1", "r2", "r3"])
    found = recordings.select(subject="2", region=["V1", "IT"], stimulus_ids=["s4", "s0"])
    np.testing.assert_array_equal(found.values, recordings.values[[4, 0]][:, [1, 3]])
    assert found.stimulus_ids == ("s4", "s0")
    assert found.units["x"].tolist() == [1, 3]
    assert list_runs(found) == [["r1", "r2", "r3"]] * 2
    for wanted in ({"region": "V2"}, {"subject": "3"}, {"stimulus_ids": ["s9"]}):
        with pytest.raises(InputError, match="expected the name of"):
            recordings.select(**wanted)


def test_split_by_covers_every_unit_once():
    recordings = make()
    parts = list(recordings.split_by(("subject", "region")))
    assert [tuple(labels.values()) for labels, _ in parts] == [("1", "V1"), ("2", "V1"), ("1", "IT"), ("2", "IT")]
    assert sorted(x for _, part in parts for x in part.units["x"]) == [0, 1, 2, 3]
    with pytest.raises(InputError, match="try 'region'"):
        list(recordings.split_by("regions"))


def test_reliability_is_that_of_statistics_at_each_time_too():
    still, moving = make(20), make(20, n_times=3)
    np.testing.assert_allclose(still.compute_reliability("alpha"), compute_reliability(still.values, "alpha"))
    found = moving.compute_reliability("alpha")
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found[:, 1], compute_reliability(moving.values[..., 1], "alpha"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stimulus_ids": ["a", "b", "a"]}, "'a' 2 times"),
        ({"stimulus_ids": ["a", "b"]}, "3 stimulus ids.*got 2"),
        ({"stimulus_ids": ["a", "", "c"]}, "1 of 3 empty"),
        ({"stimulus_ids": "abc"}, "a sequence"),
        ({"units": {"region": ["V1"]}}, "2 units; got 1"),
        ({"values": [[1, np.inf], [0, 1], [0, 0]]}, "1 infinite"),
        ({"values": [["x", "y"]] * 3}, "numbers"),
        ({"values": [1.0, 2.0, 3.0]}, "shape"),
        ({"values": np.ones((3, 2, 1, 2)), "times": [0.1, 0.1]}, "ascending"),
        ({"values": np.ones((3, 2, 1, 2))}, "2 times in seconds"),
        ({"times": [0.0]}, "fourth axis"),
        ({"runs": ["1", "2"]}, "labels of runs"),
        ({"affine": np.eye(3)}, "affine"),
        ({"volume_shape": (2, 2)}, "three sides"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change, words):
    given = {"values": np.ones((3, 2)), "stimulus_ids": list("abc")} | change
    with pytest.raises(InputError, match=words) as caught:
        Recordings(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("n_times", [0, 2])
def test_a_file_keeps_everything(tmp_path, n_times):
    times = [-0.1, 0.2] if n_times else None
    labels = np.array([["1", "2", "3"]] * 4 + [["2", "", ""]])
    shape, affine = (4, 5, 6), np.diag([2.0, 2, 2, 1])
    given = make(n_times=n_times, times=times, runs=labels, volume_shape=shape, affine=affine, name="mine")
    path = given.save(tmp_path / "a.recordings.npz")
    found = open_units(path)
    np.testing.assert_array_equal(found.values, given.values)
    assert found.values.dtype == np.float32
    pd.testing.assert_frame_equal(found.units, given.units)
    assert (found.stimulus_ids, found.name, found.volume_shape) == (given.stimulus_ids, "mine", shape)
    assert found.affine is not None
    np.testing.assert_array_equal(found.affine, affine)
    assert list_runs(found) == labels.tolist()
    assert (found.times if found.times is None else found.times.tolist()) == times
    assert given.save(tmp_path / "b.recordings.npz").read_bytes() == path.read_bytes()


def test_a_changed_file_is_not_taken_for_what_was_written(tmp_path):
    path = make().save(tmp_path / "a.recordings.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["values.npy"] = members["values.npy"][:-1] + b"\x7f"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="'values' has changed"):
        open_recordings(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="a whole file"):
        open_recordings(path)


SQUARE = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]], dtype=float)


def test_rdms_of_every_shape_are_the_same():
    condensed = [1, 2, 3, 4, 5, 6]
    for values in (condensed, [condensed], SQUARE, SQUARE[None]):
        found = RecordedRDMs(values, list("abcd"))
        np.testing.assert_array_equal(found.values, [condensed])
        np.testing.assert_array_equal(found.to_square(), [SQUARE])


def test_pairs_of_some_stimuli_are_those_of_the_square():
    order = [3, 0, 2]
    found = RecordedRDMs([SQUARE, 2 * SQUARE], list("abcd"), {"subject": ["1", "2"]}).select(
        subject="2", stimulus_ids=["d", "a", "c"]
    )
    np.testing.assert_array_equal(found.to_square(), [2 * SQUARE[np.ix_(order, order)]])
    assert found.stimulus_ids == ("d", "a", "c")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 2.0, 3.0, 4.0], "n stimuli have"),
        ([1 - SQUARE / 6], "1 of 1 with other values there.*similarities"),
        ([np.triu(SQUARE)], "1 of 1 not symmetric, by up to 6"),
        ([1, np.inf, 2], "1 infinite"),
        ([[[0.0]]], "square"),
    ],
)
def test_what_is_no_rdm_is_refused(values, words):
    with pytest.raises(InputError, match=words):
        RecordedRDMs(values, list("abcd"))


def test_rdms_round_trip_with_missing_pairs(tmp_path):
    square = SQUARE.copy()
    square[0, 1] = square[1, 0] = np.nan
    given = RecordedRDMs([square, SQUARE], list("abcd"), {"subject": ["1", "2"], "time": [0.1, 0.2]}, "judged")
    found = open_rdms(given.save(tmp_path / "r.recordings.npz"))
    np.testing.assert_array_equal(found.values, given.values)
    pd.testing.assert_frame_equal(found.table, given.table)
    assert repr(found) == "RecordedRDMs judged: 2 RDMs of 4 stimuli; subjects 1, 2"
    assert [labels for labels, _ in found.split_by("time")] == [{"time": 0.1}, {"time": 0.2}]
