"""MATLAB, HDF5 and RDMs as other toolboxes write them."""

import h5py
import numpy as np
import pytest
import scipy.io
from scipy.spatial.distance import squareform

from beholder import InputError
from beholder.recordings import open_recordings
from recording_files import list_runs, open_rdms, open_units

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(4, 3, 2))
IDS = ["cat", "dog", "sun", "sky"]
CONDENSED = RNG.random((3, 6))


def write_matlab_73(path, values, ids):
    """As MATLAB 7.3 does: axes reversed, text as numbers, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["betas"] = values.T
        refs = []
        for number, name in enumerate(ids):
            cell = file.create_dataset(f"#refs#/{number}", data=np.array([[ord(c)] for c in name], dtype="u2"))
            cell.attrs["MATLAB_class"] = np.bytes_("char")
            refs.append(cell.ref)
        cells = file.create_dataset("stimulus_ids", (1, len(refs)), dtype=h5py.ref_dtype)
        cells[0] = refs
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def test_matlab_of_both_versions(tmp_path):
    old, new = tmp_path / "old.mat", tmp_path / "new.mat"
    scipy.io.savemat(old, {"betas": VALUES, "stimulus_ids": np.array(IDS, dtype=object), "roi": ["V1", "V1", "IT"]})
    write_matlab_73(new, VALUES, IDS)
    for path in (old, new):
        found = open_units(path)
        np.testing.assert_array_equal(found.values, VALUES)
        assert found.stimulus_ids == tuple(IDS)
    assert open_units(old).units["region"].tolist() == ["V1", "V1", "IT"]


def test_structs_of_the_rsa_toolbox(tmp_path):
    structs = np.zeros((1, 3), dtype=[("RDM", object), ("name", object), ("color", object)])
    for number, name in enumerate(["hIT | BE | Session: 1", "hIT | BE | Session: 2", "EVC | KO | Session: 1"]):
        structs[0, number] = (squareform(CONDENSED[number]), name, np.zeros(3))
    scipy.io.savemat(tmp_path / "rdms.mat", {"RDMs": structs})
    found = open_rdms(tmp_path / "rdms.mat", stimuli=IDS)
    np.testing.assert_array_equal(found.values, CONDENSED)
    assert found.table["region"].tolist() == ["hIT", "hIT", "EVC"]
    assert found.table["subject"].tolist() == ["BE", "BE", "KO"]
    assert found.table["session"].tolist() == ["1", "2", "1"]


def test_judgements_of_meadows_join_by_the_names_of_their_stimuli(tmp_path):
    order = [2, 0, 3, 1]
    square = squareform(CONDENSED[0])
    files = np.array([f"{name}.png" for name in IDS])
    content = {
        "rdmutv_able_fly": CONDENSED[:1],
        "stimuli_able_fly": files,
        "rdmutv_clean_koi": squareform(square[np.ix_(order, order)])[None],
        "stimuli_clean_koi": files[order],
    }
    scipy.io.savemat(tmp_path / "judged.mat", content)
    found = open_rdms(tmp_path / "judged.mat")
    assert found.stimulus_ids == ("cat", "dog", "sky", "sun")
    np.testing.assert_array_equal(found.values[0], found.values[1])
    assert found.table["subject"].tolist() == ["able_fly", "clean_koi"]


def test_hdf5_with_groups(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["V1/betas"] = VALUES
        file["V1/stimulus_ids"] = IDS
        file["IT/betas"] = VALUES[:, :2]
        file["IT/stimulus_ids"] = np.array(IDS, dtype="S")
    for name, expected in (("V1/betas", VALUES), ("IT/betas", VALUES[:, :2])):
        found = open_units(tmp_path / "a.h5", variable=name)
        np.testing.assert_array_equal(found.values, expected)
        assert found.stimulus_ids == tuple(IDS)
    with pytest.raises(InputError, match="IT/betas, V1/betas; try variable="):
        open_recordings(tmp_path / "a.h5")
    with pytest.raises(InputError, match="try 'V1/betas'"):
        open_recordings(tmp_path / "a.h5", variable="V1/beta")


def test_rsatoolbox(tmp_path):
    """What rsatoolbox 0.3.2 writes with RDMs.save and Dataset.save, file_type='hdf5'."""
    with h5py.File(tmp_path / "rdms.hdf5", "w") as file:
        file["dissimilarities"] = CONDENSED
        file["rdm_descriptors/subject"] = np.array(["s1", "s2", "s3"], dtype="S")
        file["rdm_descriptors/index"] = np.arange(3)
        file["pattern_descriptors/index"] = np.arange(4)
        file["pattern_descriptors/stim"] = np.array(IDS, dtype="S")
    found = open_rdms(tmp_path / "rdms.hdf5")
    np.testing.assert_array_equal(found.values, CONDENSED)
    assert (found.stimulus_ids, found.table["subject"].tolist()) == (tuple(IDS), ["s1", "s2", "s3"])
    with h5py.File(tmp_path / "data.hdf5", "w") as file:
        file["measurements"] = VALUES.transpose(2, 0, 1).reshape(8, 3)
        file["obs_descriptors/conds"] = np.array(IDS * 2, dtype="S")
        file["obs_descriptors/sessions"] = np.repeat([1, 2], 4)
        file["channel_descriptors/roi"] = np.array(["V1", "V1", "IT"], dtype="S")
    data = open_units(tmp_path / "data.hdf5")
    np.testing.assert_array_equal(data.values, VALUES)
    assert list_runs(data) == [["1", "2"]] * 4
    with h5py.File(tmp_path / "rdms.hdf5", "r+") as file:
        del file["pattern_descriptors/stim"]
    with pytest.raises(InputError, match=r"never by position; got .* with index"):
        open_recordings(tmp_path / "rdms.hdf5")
    again = open_rdms(tmp_path / "rdms.hdf5", stimuli=IDS)
    np.testing.assert_array_equal(again.values, CONDENSED)


@pytest.mark.parametrize("with_times", [False, True])
def test_net2brain(tmp_path, with_times):
    squares = np.stack([squareform(each) for each in CONDENSED])
    values = np.stack([squares, 2 * squares], axis=1) if with_times else squares
    path = tmp_path / ("meg_MEG_RDMs.npz" if with_times else "fmri_EVC_RDMs.npz")
    np.savez(path, values)
    found = open_rdms(path, stimuli=IDS)
    assert found.table["subject"].tolist() == (["1", "1", "2", "2", "3", "3"] if with_times else ["1", "2", "3"])
    expected = np.repeat(CONDENSED, 2, axis=0) * np.tile([1, 2], 3)[:, None] if with_times else CONDENSED
    np.testing.assert_array_equal(found.values, expected)
    assert with_times or found.table["region"].tolist() == ["EVC"] * 3


def test_a_folder_of_stimuli_names_the_rows(tmp_path):
    from PIL import Image

    (tmp_path / "images").mkdir()
    for name in ("b", "a", "d", "c"):
        Image.new("RGB", (2, 2)).save(tmp_path / "images" / f"{name}.png")
    np.save(tmp_path / "rdm.npy", squareform(CONDENSED[0])[None])
    assert open_rdms(tmp_path / "rdm.npy", stimuli=tmp_path / "images").stimulus_ids == ("a", "b", "c", "d")


def test_pickles_are_not_opened(tmp_path):
    (tmp_path / "rdms.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(InputError, match=r"the pickle .*; try saving it anew"):
        open_recordings(tmp_path / "rdms.pkl")


def test_rdms_beside_those_in_structs_are_not_passed_over(tmp_path):
    structs = np.zeros((1, 2), dtype=[("RDM", object), ("name", object)])
    for number in range(2):
        structs[0, number] = (squareform(CONDENSED[number]), f"brain {number}")
    scipy.io.savemat(tmp_path / "model.mat", {"RDMs": structs, "model": squareform(CONDENSED[2])})
    ids = [f"s{n}" for n in range(len(squareform(CONDENSED[0])))]
    with pytest.raises(InputError, match="one variable with RDMs; got RDMs, model in"):
        open_recordings(tmp_path / "model.mat", stimuli=ids)
    chosen = open_recordings(tmp_path / "model.mat", stimuli=ids, variable="model")
    np.testing.assert_allclose(chosen.values[0], CONDENSED[2])
