"""What is said of recordings before anything is computed of them."""

import numpy as np

import beholder as bh
from beholder.activations import describe_file
from beholder.recordings import RecordedRDMs, Recordings, count_faults, find_constant_units


def make() -> Recordings:
    values = np.random.default_rng(0).normal(size=(5, 4, 2)) + 100
    values[:, 1] = 1 / 3
    values[0, 2, 1] = np.nan
    values[3] = np.nan
    return Recordings(values, list("abcde"), {"region": ["V1", "V1", "IT", "IT"]})


def test_faults_are_counted():
    assert count_faults(make()) == {
        "stimuli without a response": 1,
        "units without a response": 0,
        "units without variance": 1,
        "missing values": 1,
    }


def test_small_variance_is_variance_and_rounding_is_not():
    base = np.arange(6.0).reshape(3, 2) * 1e-9
    assert not find_constant_units(Recordings(base, list("abc"))).any()
    rounding = np.full((3, 1, 3), 0.1, dtype=np.float32) * np.array([1, 1, 1], dtype=np.float32)
    rounding[:, :, 0] += np.array([[0], [1e-8], [2e-8]], dtype=np.float32)
    assert find_constant_units(Recordings(rounding, list("abc"))).all()


def test_a_file_is_opened_and_shown(tmp_path):
    path = make().save(tmp_path / "it.recordings.npz")
    assert repr(bh.open(path)) == repr(make()).replace("Recordings", "Recordings it")  # unnamed: called as its file
    shown = describe_file(path)
    assert shown.kind == "recordings"
    assert shown.facts["units without variance"] == 1
    assert [record["units"] for record in shown.tables["regions"]] == [2, 2]
    assert shown.tables["regions"][0]["stimuli"] == 4
    rdms = RecordedRDMs([[1.0, np.nan, 3.0]], list("abc"), {"region": ["IT"]}).save(tmp_path / "r.recordings.npz")
    assert describe_file(rdms).facts["pairs without a value"] == 1
