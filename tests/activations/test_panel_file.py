import json
import resource
import subprocess
import sys
from typing import Any

import h5py
import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.activations.formats import _panel as _panel_file
from beholder.activations.formats._panel import write_panel_file


class Layer:
    """A layer's values, sliceable by rows alone."""

    def __init__(self, values, ids):
        self._values = values
        self.shape, self.dtype, self.stimulus_ids = values.shape, values.dtype, tuple(ids)
        self.longest = 0

    def __getitem__(self, index):
        assert isinstance(index, slice)
        rows = self._values[index]
        self.longest = max(self.longest, len(rows))
        return rows


def make_model(ids, n_replicates=4, seed=0, layers=(("conv1", (2, 3, 3)), ("layer1.0.conv1", (8,)))):
    model = {}
    for name, shape in layers:
        values = [
            np.random.default_rng([seed, sum(name.encode()), sum(i.encode())]).standard_normal((n_replicates, *shape))
            for i in ids
        ]
        model[name] = Layer(np.stack(values).astype(np.float32), ids)
    return model


IDS = [f"object_{i:02d}" for i in range(7)]


def read_bytes(path, *args, **kwargs):
    write_panel_file(path, *args, **kwargs)
    return path.read_bytes()


def test_layout_is_the_pipelines(tmp_path):
    path = tmp_path / "model_activations_root.h5"
    model = make_model(IDS)
    write_panel_file(path, {"ResNet50": model, "ViT-B-16": make_model(IDS, seed=1)})
    file: Any
    with h5py.File(path) as file:
        assert sorted(file.keys()) == ["ResNet50", "ViT-B-16"]
        assert sorted(file["ResNet50"].keys()) == IDS
        for row, stimulus in enumerate(IDS):
            for layer, values in model.items():
                dataset: Any = file["ResNet50"][stimulus][layer]
                assert dataset.dtype == np.float32
                assert dataset.chunks is None
                assert dataset.compression is None
                np.testing.assert_array_equal(dataset[:], values[row : row + 1][0].reshape(4, -1))


def test_attributes_hold_exact_names(tmp_path):
    model = make_model(IDS, layers=[("z.conv", (3,)), ("a/b:in", (2,)), ("relu@3[1]", (2,))])
    path = tmp_path / "p.h5"
    write_panel_file(path, {"SLIP ViT-Small": model}, attributes={"SLIP ViT-Small": {"weights": "abc", "x": {"a": 1}}})
    with h5py.File(path) as file:
        group: Any = file["SLIP_ViT-Small"]
        assert sorted(group[IDS[0]].keys()) == ["a_b:in", "relu@3[1]", "z.conv"]
        attributes: Any = dict(group.attrs)
        assert attributes["model"] == "SLIP ViT-Small"
        assert json.loads(attributes["layers"]) == ["z.conv", "a/b:in", "relu@3[1]"]
        assert attributes["n_replicates"] == 4
        assert not attributes["average_replicates"]
        assert attributes["weights"] == "abc"
        assert json.loads(attributes["x"]) == {"a": 1}


def test_the_full_name_may_be_given(tmp_path):
    full = {"m": {"model": "torchvision:m@V1"}}
    write_panel_file(tmp_path / "p.h5", {"m": make_model(IDS)}, attributes=full)
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["m"].attrs["model"] == "torchvision:m@V1"


def test_average_over_replicates(tmp_path):
    model = make_model(IDS)
    write_panel_file(tmp_path / "p.h5", {"m": model}, average_replicates=True)
    file: Any
    with h5py.File(tmp_path / "p.h5") as file:
        value: Any = file["m"][IDS[2]]["conv1"][:]
        np.testing.assert_allclose(value, model["conv1"][2:3][0].reshape(4, -1).mean(axis=0, keepdims=True), atol=1e-6)
        assert file["m"].attrs["average_replicates"]
        assert file["m"].attrs["n_replicates"] == 1


def test_blocks_and_order_of_stimuli_do_not_show(tmp_path, monkeypatch):
    model = make_model(IDS)
    expected = read_bytes(tmp_path / "a.h5", {"m": model})
    shuffled = make_model([IDS[i] for i in (3, 1, 6, 0, 2, 5, 4)])
    assert read_bytes(tmp_path / "b.h5", {"m": shuffled}) == expected
    monkeypatch.setattr(_panel_file, "_BLOCK_BYTES", 900)
    model = make_model(IDS)
    assert read_bytes(tmp_path / "c.h5", {"m": model}) == expected
    assert model["conv1"].longest == 2
    assert read_bytes(tmp_path / "d.h5", {"m": shuffled}) == expected


def test_a_rerun_and_a_file_grown_in_parts_have_the_same_bytes(tmp_path):
    first, second = make_model(IDS), make_model(IDS, seed=5)
    expected = read_bytes(tmp_path / "a.h5", {"m1": first, "m2": second})
    assert read_bytes(tmp_path / "a.h5", {"m1": first, "m2": second}) == expected
    assert read_bytes(tmp_path / "a.h5", {"m2": second}) == expected
    write_panel_file(tmp_path / "b.h5", {"m2": make_model(IDS[4:], seed=5)})
    write_panel_file(tmp_path / "b.h5", {"m1": {"conv1": first["conv1"]}})
    write_panel_file(tmp_path / "b.h5", {"m2": make_model(IDS[:5], seed=5)})
    assert read_bytes(tmp_path / "b.h5", {"m1": {"layer1.0.conv1": first["layer1.0.conv1"]}}) == expected


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_panel_file import IDS, make_model, write_panel_file
junk = [bytes(range(256)) * 999 for _ in range(int(sys.argv[3]))]
write_panel_file(sys.argv[2], {"m1": make_model(IDS * 1), "m2": make_model(IDS, seed=5)}, attributes={"m1": {"w": "x"}})
"""


def test_other_processes_write_the_same_bytes(tmp_path, request):
    files = []
    for i in range(2):
        path = tmp_path / f"{i}.h5"
        command = [sys.executable, "-c", SCRIPT, str(request.path.parent), str(path), str(300 * i)]
        subprocess.run(command, check=True)
        files.append(path.read_bytes())
    models = {"m1": make_model(IDS), "m2": make_model(IDS, seed=5)}
    assert files[0] == files[1] == read_bytes(tmp_path / "here.h5", models, attributes={"m1": {"w": "x"}})


def test_nothing_of_an_old_pipeline_file_is_lost(tmp_path):
    path = tmp_path / "old.h5"
    file: Any
    with h5py.File(path, "w") as file:
        file.create_dataset("Old/extra/conv1", data=np.arange(6, dtype=np.float64).reshape(2, 3))
        file.create_dataset("m/object_00/conv1", data=np.zeros((4, 18), np.float32))
        file.create_dataset("m/object_00/other", data=np.ones((4, 2), np.float32))
        file.create_dataset("m/zebra/conv1", data=np.ones((4, 18), np.float32))
        file["m"].attrs["note"] = "hand-made"
        file["m/object_00"].attrs["angle"] = 45
        file["m/object_00/other"].attrs["unit"] = "mV"
    model = make_model(IDS)
    write_panel_file(path, {"m": model})
    with h5py.File(path) as file:
        assert file["Old/extra/conv1"].dtype == np.float64
        np.testing.assert_array_equal(file["Old/extra/conv1"][:], np.arange(6).reshape(2, 3))
        np.testing.assert_array_equal(file["m/object_00/conv1"][:], model["conv1"][0:1][0].reshape(4, -1))
        assert (file["m/object_00/other"][:] == 1).all()
        assert (file["m/zebra/conv1"][:] == 1).all()
        assert sorted(file["m"].keys()) == [*IDS, "zebra"]
        assert file["m"].attrs["note"] == "hand-made"
        assert file["m/object_00"].attrs["angle"] == 45
        assert file["m/object_00/other"].attrs["unit"] == "mV"
        assert set(json.loads(file["m"].attrs["layers"])) == {"conv1", "other", "layer1.0.conv1"}


def test_foreign_files_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.ones(3)
    before = path.read_bytes()
    with pytest.raises(InputError, match="/features is something else"):
        write_panel_file(path, {"m": make_model(IDS)})
    (tmp_path / "y.h5").write_bytes(b"no hdf5")
    with pytest.raises(InputError, match="none, or damaged"):
        write_panel_file(tmp_path / "y.h5", {"m": make_model(IDS)})
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.h5", "y.h5"]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"m": make_model(["a/b"])}, "can stand in"),
        ({"m": make_model(["a", "a"])}, "twice"),
        ({"m": {}}, "at least one layer"),
        ({"a b": make_model(["x"]), "a_b": make_model(["x"])}, "two called 'a_b'"),
        ({"m": make_model(["x"], layers=[("a/b", (1,)), ("a_b", (1,))])}, "names of their own"),
        ({"m": {**make_model(["x"]), "late": make_model(["y"])["conv1"]}}, "others at late"),
        ({"m": {**make_model(["x"]), "late": make_model(["x"], 2)["conv1"]}}, "2 at late"),
    ],
)
def test_names_and_shapes_are_checked(tmp_path, models, message):
    with pytest.raises(InputError, match=message):
        write_panel_file(tmp_path / "p.h5", models)
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from test_panel_file import IDS, make_model, write_panel_file
from beholder._core.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    write_panel_file(sys.argv[2], {"m": make_model([f"i{n:04d}" for n in range(3000)])})
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file size")
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, request):
    path = tmp_path / "p.h5"
    before = read_bytes(path, {"m": make_model(IDS)})
    command = [sys.executable, "-c", FULL_DISK, str(request.path.parent), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "a full disk" in done.stdout
    assert done.stderr == ""
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
