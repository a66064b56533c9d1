"""netCDF and xarray, MNE's epochs, and the metamer study's responses of auditory cortex."""

import importlib.util
import pickle

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file

from beholder import InputError
from beholder.recordings import from_xarray, open_recordings
from recording_files import list_runs, open_units

xarray = pytest.importorskip("xarray")
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(4, 3, 2))


def make_assembly():
    """Presentations × neuroids × time bins, as Brain-Score's assemblies."""
    coords = {
        "stimulus_id": ("presentation", ["a", "b", "a", "c"]),
        "repetition": ("presentation", [0, 0, 1, 0]),
        "neuroid_id": ("neuroid", ["n1", "n2", "n3"]),
        "region": ("neuroid", ["V4", "IT", "IT"]),
        "animal": ("neuroid", ["m1", "m1", "m2"]),
        "time_bin_start": ("time_bin", [70, 90], {"units": "ms"}),
    }
    return xarray.DataArray(VALUES, dims=("presentation", "neuroid", "time_bin"), coords=coords, name="it")


def write_netcdf_4(path, array):
    """As netCDF 4 lies in HDF5: dimensions are scales, those without a coordinate have values that mean nothing."""
    with h5py.File(path, "w") as file:
        for name, size in zip(array.dims, array.shape, strict=True):
            file.create_dataset(name, data=np.zeros(size, dtype=">f4")).make_scale(
                f"This is a netCDF dimension but not a netCDF variable. {size:10d}"
            )
        for name, coordinate in {"it": array, **array.coords}.items():
            values = coordinate.values
            dataset = file.create_dataset(name, data=values.astype(object) if values.dtype.kind == "U" else values)
            for place, dim in enumerate(coordinate.dims):
                dataset.dims[place].attach_scale(file[dim])
            dataset.attrs.update(coordinate.attrs)


def test_an_assembly_in_memory_and_on_disk(tmp_path):
    assembly = make_assembly()
    write_netcdf_4(tmp_path / "it.nc", assembly)
    for found in (from_xarray(assembly), open_units(tmp_path / "it.nc")):
        assert found.stimulus_ids == ("a", "b", "c")
        np.testing.assert_array_equal(found.values[0, :, 1], VALUES[2])
        assert np.isnan(found.values[1:, :, 1]).all()
        assert found.units["region"].tolist() == ["V4", "IT", "IT"]
        assert found.units["subject"].tolist() == ["m1", "m1", "m2"]
        assert found.times is not None and found.times.tolist() == [0.07, 0.09]


def test_times_without_a_unit_that_cannot_be_seconds(caplog):
    array = make_assembly()
    array["time_bin_start"].attrs.clear()
    with caplog.at_level("WARNING"):
        found = from_xarray(array)
    assert found.times is not None and found.times.tolist() == [0.07, 0.09]
    assert "70 to 90 without a unit are taken for milliseconds" in caplog.text


def test_a_joint_index_and_repeats_of_their_own():
    array = make_assembly().isel(time_bin=0, drop=True).set_index(neuroid=["neuroid_id", "region"])
    found = from_xarray(array)
    assert found.units["neuroid_id"].tolist() == ["n1", "n2", "n3"]
    own = xarray.DataArray(VALUES, dims=("stimulus", "voxel", "repetition"), coords={"stimulus": ["a", "b", "c", "d"]})
    np.testing.assert_array_equal(from_xarray(own).values, VALUES)
    with pytest.raises(InputError, match="coordinate stimulus_id"):
        from_xarray(own.drop_vars("stimulus"))
    with pytest.raises(InputError, match="axes stimulus, voxel, depth"):
        from_xarray(own.rename(repetition="depth"))


def test_netcdf_3(tmp_path):
    with netcdf_file(tmp_path / "a.nc", "w") as file:
        for name, size in (("stimulus", 4), ("unit", 3), ("repeat", 2), ("letters", 3)):
            file.createDimension(name, size)
        file.createVariable("betas", "d", ("stimulus", "unit", "repeat"))[:] = VALUES
        ids = file.createVariable("stimulus_id", "S1", ("stimulus", "letters"))
        ids[:] = np.array([list("cat"), list("dog"), list("sun"), list("sky")], dtype="S1")
    found = open_units(tmp_path / "a.nc")
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.stimulus_ids == ("cat", "dog", "sun", "sky")
    with pytest.raises(InputError, match="try 'betas'"):
        open_recordings(tmp_path / "a.nc", variable="beta")


def test_epochs_without_mne_say_how_to_export_them(tmp_path):
    if importlib.util.find_spec("mne"):
        pytest.skip("mne is here")
    (tmp_path / "a-epo.fif").write_bytes(b"\0" * 64)
    with pytest.raises(InputError, match=r"package 'mne'.*numpy\.savez\('epochs\.npz'"):
        open_recordings(tmp_path / "a-epo.fif")
    np.savez(tmp_path / "epochs.npz", values=VALUES, times=[0.0, 0.1], stimulus_id=list("abac"))
    found = open_units(tmp_path / "epochs.npz", axes="trial unit time")
    np.testing.assert_array_equal(found.values[0, :, 1], VALUES[2])
    assert found.times is not None and found.times.tolist() == [0, 0.1]


def write_study(folder, n_voxels=5):
    """The files of the metamer study, with the columns that the published ones have."""
    kinds = [
        ("subj_idx", "<i8"),
        ("hemi", "S2"),
        ("x_ras", "<i2"),
        ("y_ras", "<i2"),
        ("voxel_id", "<i8"),
        ("n_reps", "<f8"),
    ]
    meta = np.zeros(n_voxels, dtype=kinds)
    meta["subj_idx"], meta["n_reps"], meta["hemi"] = np.arange(n_voxels) // 3, 3, b"rh"
    meta["n_reps"][1] = 2
    values = np.random.default_rng(2).normal(size=(4, n_voxels, 3))
    values[:, 1, 2] = np.nan
    np.save(folder / "voxel_features_array.npy", values)
    np.save(folder / "voxel_features_meta.npy", meta)
    sounds = np.array([(f"stim{i}_bell.wav".encode(), i) for i in range(4)], dtype=[("filename", "S20"), ("id", "<i8")])
    np.save(folder / "neural_stim_meta.npy", sounds)
    masks = np.zeros((n_voxels - 1, 2))
    masks[0, 1] = 1
    (folder / "roi_masks.cpy").write_bytes(pickle.dumps({"masks": masks, "mask_names": ["tonotopic", "pitch"]}))
    return values


def test_voxels_with_three_runs_are_kept(tmp_path):
    values = write_study(tmp_path)
    for path in (tmp_path, tmp_path / "voxel_features_array.npy"):
        found = open_units(path)
        np.testing.assert_array_equal(found.values, values[:, [0, 2, 3, 4]])
        assert found.stimulus_ids == ("stim0_bell", "stim1_bell", "stim2_bell", "stim3_bell")
        assert found.units["subject"].tolist() == ["0", "0", "1", "1"]
        assert found.units["hemi"].tolist() == ["rh"] * 4
        assert found.units["in_pitch"].tolist() == [True, False, False, False]
        assert list_runs(found)[0] == ["1", "2", "3"]
    (tmp_path / "roi_masks.cpy").write_bytes(pickle.dumps({"masks": np.zeros((3, 2)), "mask_names": ["a", "b"]}))
    with pytest.raises(InputError, match=r"masks of 4 voxels; got \(3, 2\)"):
        open_recordings(tmp_path)
