"""The metamer study's two scripts: its layout written, read, and taken by the regressions."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import beholder as bh
from beholder import InputError
from beholder.activations import read_layer_list_file, write_layer_list_file
from beholder.analysis import ArrayLayers, list_sound_layers, write_sound_files
from beholder.recordings import Recordings


def test_the_layout_is_the_studys(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 2, 3, 7)).astype(np.float32)
    acts = ArrayLayers({"relu0": values, "final": values[:, :, 0, 0]}, list("abcde"))

    class Layer:
        """A layer with the stimuli's ids."""

        def __init__(self, name: str) -> None:
            self.values, self.shape, self.dtype = acts[name], acts[name].shape, acts[name].dtype
            self.stimulus_ids = acts.stimulus_ids

        def __getitem__(self, index: slice) -> np.ndarray:
            return self.values[index]

    layers = {name: Layer(name) for name in acts.layers}
    path = write_layer_list_file(tmp_path / "natsound_activations.h5", layers, average_time=True)
    with h5py.File(path) as opened:  # as run_regressions_all_voxels_om_natsounddata.py reads it
        file: Any = opened
        layer = file["layer_list"][0]
        assert layer == b"relu0"
        np.testing.assert_allclose(file[layer][:], values.mean(axis=3).reshape(5, 6), rtol=1e-6)
        assert file["final"].shape == (5, 2)
    full = write_layer_list_file(tmp_path / "natsound_activations_full.h5", layers, average_time=False)
    found, ids = read_layer_list_file(full)
    np.testing.assert_array_equal(found["relu0"], values.reshape(5, -1))
    assert (list(found), ids) == (["relu0", "final"], tuple("abcde"))


def test_a_file_of_the_studys_script_goes_through_the_published_recipe(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(21, 6)).astype(np.float32)
    path = tmp_path / "natsound_activations.h5"
    with h5py.File(path, "w") as file:
        file["layer_list"] = np.array([b"conv1", b"relu0"])
        file["conv1"], file["relu0"] = generator.normal(size=(21, 4)), features
    runs = (features @ generator.normal(size=(6, 5)))[:, :, None] + 0.5 * generator.normal(size=(21, 5, 3))
    recordings = Recordings(runs, [f"stim{i}" for i in range(21)])
    result: Any = bh.analyze_encode(path, recordings, layers=["1"], recipe="published", n_splits=3, zero_center=True)
    assert set(result.table["layer"]) == {"relu0"}
    assert result.settings["seed"] == 3882
    assert "names no stimuli" in result.warnings[0]
    assert result.arrays["corrected_of_splits"].shape == (1, 3, 5)
    np.testing.assert_allclose(np.median(result.arrays["corrected_of_splits"], axis=1), result.arrays["corrected"])
    assert result.table["estimate"][1] > 0.5
    with pytest.raises(InputError, match="as many rows as there are recorded stimuli, 20"):
        bh.analyze_encode(path, recordings.select(stimulus_ids=recordings.stimulus_ids[:20]))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(InputError, match="an HDF5 file with layer_list"):
        bh.analyze_encode(tmp_path / "other.h5", recordings)


def test_a_network_of_sounds_is_measured(tmp_path: Path) -> None:
    net: Any = bh.load_model("beholder:syllables@random")
    sounds = 0.1 * np.random.default_rng(0).normal(size=(3, *net.input_shape)).astype(np.float32)
    store = bh.extract(net, sounds, list_sound_layers(net, ["block1", "block1_fake_relu"]), out_path=tmp_path)
    path, full = write_sound_files(store, tmp_path)
    averaged, ids = read_layer_list_file(path)
    whole, _ = read_layer_list_file(full)
    values = store["block1"].to_numpy()
    np.testing.assert_allclose(averaged["block1"], values.mean(axis=-1).reshape(3, -1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(whole["block1"], values.reshape(3, -1))
    assert ids == store.stimulus_ids
    with pytest.raises(InputError, match="a network of sounds"):
        list_sound_layers(bh.load_model("beholder:shapes@random"))
