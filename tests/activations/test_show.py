import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import zarr

from beholder._core.errors import InputError
from beholder.activations.formats._exports import FORMATS, export_layer
from beholder.activations.formats._panel import write_panel_file
from beholder.activations.show._describe import describe_file


class Layer:
    def __init__(self, *shape):
        self._values = np.ones(shape, np.float32)
        self.shape, self.dtype = shape, np.dtype(np.float32)
        self.stimulus_ids = [f"s{i}" for i in range(shape[0])]

    def __getitem__(self, index):
        return self._values[index]


@pytest.fixture
def panel(tmp_path):
    path = tmp_path / "p.h5"
    models = {
        "ResNet50": {"conv1": Layer(3, 4, 2, 5), "a.conv": Layer(3, 4, 7)},
        "SLIP ViT-Small": {"blocks.1": Layer(3, 4, 6)},
    }
    return write_panel_file(path, models)


def test_panel(panel):
    summary = describe_file(panel)
    assert summary.kind == "panel"
    assert list(summary.tables) == ["models"]
    assert summary.tables["models"] == [
        {"model": "ResNet50", "name": "ResNet50", "stimuli": 3, "layers": 2, "replicates": 4, "averaged": False},
        {
            "model": "SLIP_ViT-Small",
            "name": "SLIP ViT-Small",
            "stimuli": 3,
            "layers": 1,
            "replicates": 4,
            "averaged": False,
        },
    ]
    layers = describe_file(panel, show_layers=True).tables["layers"]
    assert [record["layer"] for record in layers] == ["conv1", "a.conv", "blocks.1"]
    assert layers[0] == {"model": "ResNet50", "layer": "conv1", "shape": [4, 10], "dtype": "float32"}
    for name in ("SLIP ViT-Small", "SLIP_ViT-Small"):
        assert len(describe_file(panel, name).tables["layers"]) == 1
    with pytest.raises(InputError, match="'ResNet50'"):
        describe_file(panel, "ResNet5")


def test_text_and_json(panel):
    summary = describe_file(panel, "ResNet50")
    lines = summary.to_lines()
    assert lines[0] == f"{panel}: panel"
    assert lines[-1].split() == ["ResNet50", "a.conv", "4", "x", "7", "float32"]
    document = json.loads(json.dumps(summary.to_dict()))
    assert document["file"][0]["kind"] == "panel"
    assert all(isinstance(record, dict) for table in document.values() for record in table)


def test_panel_of_the_published_pipeline_and_other_hdf5(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.create_dataset("m/s1/conv1", data=np.ones((4, 3), np.float32))
        file.create_group("empty")
    summary = describe_file(tmp_path / "old.h5", show_layers=True)
    assert summary.tables["layers"] == [{"model": "m", "layer": "conv1", "shape": [4, 3], "dtype": "float32"}]
    assert summary.tables["models"][0] == {
        "model": "empty", "name": "empty", "stimuli": 0, "layers": 0, "replicates": None, "averaged": False,
    }  # fmt: skip
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["features"] = np.ones((5, 2))
    assert describe_file(tmp_path / "x.h5").tables["datasets"] == [
        {"dataset": "features", "shape": [5, 2], "dtype": "float64"}
    ]


@pytest.mark.parametrize("file_format", FORMATS)
def test_exports(tmp_path, file_format):
    export_layer(Layer(6, 1, 2, 3), tmp_path, file_format, targets=range(6), file_names=list("abcdef"))
    records = describe_file(tmp_path).tables["files"]
    names = [record["file"] for record in records]
    assert names[0] == f"activations.{file_format}"
    assert names[-1] == "file_names.txt"
    assert records[0]["shape"] == ([6, 7] if file_format in ("csv", "parquet") else [6, 2, 3])
    assert records[1]["shape"][0] == records[-1]["shape"][0] == 6
    single = describe_file(tmp_path / names[0])
    assert single.tables


def test_splits(tmp_path):
    export_layer(Layer(6, 1, 4), tmp_path, "txt", n_splits=2)
    assert [record["shape"] for record in describe_file(tmp_path).tables["files"]] == [[3, 4], [3, 4]]


@pytest.mark.filterwarnings("ignore:.*(does not have a Zarr|String|string|specification).*")
def test_store(tmp_path):
    path = tmp_path / "net.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.attrs.put({"model": "torchvision:net", "layers": ["fc"], "complete": False})
    root.create_group("stimuli").create_array("id", shape=(3,), dtype="string")[:] = np.array(list("abc"), dtype=object)
    names = ["stimulus", "replicate", "channel"]
    root.create_group("fc").create_array("values", shape=(3, 1, 5), dtype="float32", dimension_names=names)
    for where in (path, tmp_path):
        summary = describe_file(where)
        assert summary.kind == "store"
        assert summary.facts == {"model": "torchvision:net", "stimuli": 3, "layers": 1, "complete": False}
        assert summary.tables["layers"] == [
            {
                "layer": "fc",
                "shape": [3, 1, 5],
                "axes": "stimulus, replicate, channel",
                "dtype": "float32",
                "bytes": 60,
            }
        ]
    assert describe_file(path, "torchvision:net").kind == "store"
    with pytest.raises(InputError, match="'torchvision:nett'; try 'torchvision:net'"):
        describe_file(path, "torchvision:nett")
    (tmp_path / "results.csv").write_text("a\n1\n")
    assert describe_file(tmp_path).tables["files"] == [{"file": "net.zarr"}, {"file": "results.csv"}]


def test_tables(tmp_path):
    table = pd.DataFrame({"model": ["a", "b"], "loss": [0.5, 1.5]})
    table.to_parquet(tmp_path / "results.parquet")
    summary = describe_file(tmp_path / "results.parquet")
    assert summary.facts == {"rows": 2, "columns": 2}
    assert summary.tables["columns"][1] == {"column": "loss", "type": "double"}
    table.to_csv(tmp_path / "results.csv", index=False)
    assert describe_file(tmp_path / "results.csv").facts == {"rows": 2, "columns": 2}


def test_what_cannot_be_shown(tmp_path):
    for name, message in [("absent", "nothing at"), (".", "without any of them")]:
        with pytest.raises(InputError, match=message):
            describe_file(tmp_path / name)
    (tmp_path / "x.parquet").write_text("no")
    (tmp_path / "x.mat").write_text("no")
    (tmp_path / "x.xyz").write_text("no")
    (tmp_path / "x.npy").write_text("no")
    torch.save({"a": 1}, tmp_path / "x.pt")
    for name in ("x.parquet", "x.mat", "x.xyz", "x.npy"):
        with pytest.raises(InputError):
            describe_file(tmp_path / name)
    assert describe_file(tmp_path / "x.pt").tables["files"][0]["dtype"] == "dict"
