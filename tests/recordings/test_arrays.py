"""Arrays of numpy's files with tables beside them."""

import numpy as np
import pandas as pd
import pytest

from beholder import InputError
from beholder.recordings import open_recordings
from recording_files import list_runs, open_rdms, open_units

VALUES = np.random.default_rng(0).normal(size=(4, 3, 2))
IDS = ["cat", "dog", "sun", "sky"]


def test_npz_with_ids_and_columns(tmp_path):
    np.savez(tmp_path / "it.npz", values=VALUES, stimulus_ids=IDS, region=["V1", "V4", "IT"], subject=[1, 1, 2])
    found = open_units(tmp_path / "it.npz")
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.stimulus_ids == tuple(IDS)
    assert found.units.to_dict("list") == {"subject": ["1", "1", "2"], "region": ["V1", "V4", "IT"]}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_npy_with_tables_beside_it(tmp_path, suffix):
    np.save(tmp_path / "it.npy", VALUES)
    stimuli = pd.DataFrame({"file": [f"images/{name}.png" for name in IDS]})
    units = pd.DataFrame({"region": ["V1", "V4", "IT"], "code": ["007", "008", "010"], "x": [1.5, 2, -3]})
    for name, table in (("stimuli", stimuli), ("units", units)):
        path = tmp_path / f"it_{name}{suffix}"
        table.to_parquet(path) if suffix == ".parquet" else table.to_csv(
            path, index=False, sep="\t" if suffix == ".tsv" else ","
        )
    found = open_units(tmp_path / "it.npy")
    assert found.stimulus_ids == tuple(IDS)
    assert found.units["code"].tolist() == ["007", "008", "010"]
    assert found.units["x"].tolist() == [1.5, 2, -3]
    again = open_units(tmp_path / "it.npy", stimuli=IDS, units=units, name="other")
    assert again.name == "other"
    np.testing.assert_array_equal(again.values, found.values)


def test_ids_of_a_table_stay_as_they_are_written(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    ids = ["1_2", "1e3", "007", "3.0"]
    (tmp_path / "a_stimuli.csv").write_text("stimulus_id\n" + "\n".join(ids) + "\n")
    (tmp_path / "a_units.csv").write_text("x,code,gap,dots\n-1.5,1_0,n/a,.\n2,2_0,3,.5\n1e-3,3_0,,2.\n")
    found = open_units(tmp_path / "a.npy")
    assert found.stimulus_ids == tuple(ids)
    assert found.units["x"].tolist() == [-1.5, 2, 0.001]
    assert found.units["code"].tolist() == ["1_0", "2_0", "3_0"]
    assert found.units["dots"].tolist() == [".", ".5", "2."]
    np.testing.assert_array_equal(found.units["gap"], [np.nan, 3, np.nan])


def test_axes_in_any_order(tmp_path):
    np.save(tmp_path / "a.npy", VALUES.transpose(2, 0, 1))
    found = open_units(tmp_path / "a.npy", stimuli=IDS, axes="repeat stimulus unit")
    np.testing.assert_array_equal(found.values, VALUES)


def test_single_trials(tmp_path):
    table = pd.DataFrame({"stimulus_id": ["a", "b", "a", "b"], "run": [1, 1, 2, 2]})
    np.save(tmp_path / "a.npy", VALUES[:, :, 0])
    found = open_units(tmp_path / "a.npy", stimuli=table, axes="trial unit")
    np.testing.assert_array_equal(found.values[0], VALUES[[0, 2], :, 0].T)
    assert list_runs(found) == [["1", "2"], ["1", "2"]]
    with pytest.raises(InputError, match="'a' 2 times, 'b' 2 times"):
        open_recordings(tmp_path / "a.npy", stimuli=table)


def test_rdms_of_a_file(tmp_path):
    square = np.abs(VALUES[:, None, :, 0] - VALUES[None, :, :, 0]).transpose(2, 0, 1)
    np.savez(tmp_path / "a.npz", rdms=square, stimulus_ids=IDS, subject=["1", "2", "3"])
    found = open_rdms(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.to_square(), square)
    assert found.table["subject"].tolist() == ["1", "2", "3"]
    np.save(tmp_path / "b.npy", square.transpose(1, 2, 0))
    again = open_rdms(tmp_path / "b.npy", stimuli=IDS, axes="stimulus stimulus rdm")
    np.testing.assert_array_equal(again.values, found.values)


def test_a_square_alone_is_an_rdm_and_similarities_are_refused(tmp_path):
    square = np.abs(VALUES[:, None, 0, 0] - VALUES[None, :, 0, 0])
    np.save(tmp_path / "a.npy", square)
    np.testing.assert_array_equal(open_rdms(tmp_path / "a.npy", stimuli=IDS).to_square(), [square])
    np.save(tmp_path / "b.npy", 1 - square)
    with pytest.raises(InputError, match="symmetric with 1 there; try 1 - values"):
        open_recordings(tmp_path / "b.npy", stimuli=IDS)
    assert open_units(tmp_path / "b.npy", stimuli=IDS, axes="stimulus unit").values.shape == (4, 4, 1)


def test_what_nothing_can_be_said_of_is_told(tmp_path, caplog):
    values = VALUES.copy()
    values[:, 1] = 7
    values[2] = np.nan
    values[0, 0, 1] = np.nan
    np.save(tmp_path / "a.npy", values)
    with caplog.at_level("WARNING"):
        open_units(tmp_path / "a.npy", stimuli=IDS)
    told = "a.npy: 1 of 4 stimuli without a response; 1 of 3 units without variance; 1 of 24 missing values"
    assert told in caplog.text


def test_pickled_objects_are_refused_with_a_way_to_convert_them(tmp_path):
    objects = np.array([np.ones(2), np.ones(3)], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", values=objects)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match=r"pickled Python objects in .*; try converting .*numpy\.savez") as caught:
            open_recordings(tmp_path / name, stimuli=IDS)
        assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(InputError, match=r"ids of 4 stimuli.*a_stimuli\.csv"):
        open_recordings(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"4 stimuli in a\.npy; got a table of 3"):
        open_recordings(tmp_path / "a.npy", stimuli=IDS[:3])
    with pytest.raises(InputError, match="'stimulus_id'; got columns label"):
        open_recordings(tmp_path / "a.npy", stimuli=pd.DataFrame({"label": IDS}))
    with pytest.raises(InputError, match="names of 3 axes"):
        open_recordings(tmp_path / "a.npy", stimuli=IDS, axes="stimulus unit")
    np.savez(tmp_path / "two.npz", one=VALUES, two=VALUES, stimulus_ids=IDS)
    with pytest.raises(InputError, match="with one, two; try variable="):
        open_recordings(tmp_path / "two.npz")
    with pytest.raises(InputError, match="try 'one'"):
        open_recordings(tmp_path / "two.npz", variable="on")
    with pytest.raises(InputError, match="nothing at"):
        open_recordings(tmp_path / "b.npy")
    (tmp_path / "a.npyz").touch()
    with pytest.raises(InputError, match="suffix"):
        open_recordings(tmp_path / "a.npyz")
    with pytest.raises(InputError, match="try 'units'"):
        open_recordings(tmp_path / "a.npy", unit=None)  # type: ignore[call-arg]
