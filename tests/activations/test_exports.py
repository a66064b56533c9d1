import contextlib
import io
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import torch

from beholder._core.errors import InputError, OutputError
from beholder._core.files import explain_write_errors
from beholder.activations.formats import _exports, _matlab_file
from beholder.activations.formats._export_reader import read_export
from beholder.activations.formats._exports import export_layer, resolve_export_format
from beholder.activations.formats._rows import RowView, iter_row_blocks
from beholder.activations.formats._slices import tensor2slices


class Layer:
    """A layer's values that can only be read by slices of rows, and remembers the longest."""

    def __init__(self, values, ids):
        self._values = values
        self.shape, self.dtype, self.stimulus_ids = values.shape, values.dtype, ids
        self.longest = 0

    def __getitem__(self, index):
        rows = self._values[index]
        self.longest = max(self.longest, len(rows))
        return rows


def make_layer(*shape, dtype="float32", seed=0):
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return Layer(values, [f"stim, {i:02d}" for i in range(shape[0])])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks even for small arrays."""
    from beholder.activations.formats import _array_files, _hdf5, _rows, _slices

    def iter_small(values, max_bytes=0):
        return iter_row_blocks(values, 3 * 4 * max(1, int(np.prod(values.shape[1:]))))

    for module in (_array_files, _exports, _hdf5, _matlab_file, _slices):
        monkeypatch.setattr(module, "iter_row_blocks", iter_small)
    assert _rows.iter_row_blocks is iter_row_blocks


@pytest.mark.parametrize("spelling", ["npy", ".npy", "NPY"])
def test_npy_is_numpys_own_file(tmp_path, spelling):
    layer = make_layer(10, 1, 4, 3, 3)
    export_layer(layer, tmp_path, spelling)
    expected = io.BytesIO()
    np.save(expected, layer[:].reshape(10, 4, 3, 3))
    assert (tmp_path / "activations.npy").read_bytes() == expected.getvalue()


def test_two_axes_as_text_are_savetxts_bytes(tmp_path):
    layer = make_layer(10, 1, 7)
    export_layer(layer, tmp_path, ".txt")
    np.savetxt(tmp_path / "expected.txt", layer[:].reshape(10, 7))
    assert (tmp_path / "activations.txt").read_bytes() == (tmp_path / "expected.txt").read_bytes()


def test_more_axes_as_text_are_slices(tmp_path):
    layer = make_layer(5, 1, 2, 3, 4)
    export_layer(layer, tmp_path, "txt")
    tensor2slices(tmp_path, "expected.txt", layer[:].reshape(5, 2, 3, 4))
    assert (tmp_path / "activations.txt").read_bytes() == (tmp_path / "expected.txt").read_bytes()
    np.testing.assert_allclose(read_export(tmp_path).values, layer[:][:, 0], atol=5.0001e-6, rtol=0)


@pytest.mark.parametrize("shape", [(10, 1, 6), (10, 1, 2, 3, 4), (4, 3, 5), (4, 3, 2, 2)])
@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("file_format", ["npy", "txt", "mat", "pt", "csv", "parquet", "hdf5", ".h5"])
def test_every_format_reads_back(tmp_path, file_format, shape, flatten):
    layer = make_layer(*shape)
    names = [f"a/b {i}.jpg" for i in range(shape[0])]
    written = export_layer(
        layer,
        tmp_path,
        file_format,
        targets=np.arange(shape[0]),
        file_names=names,
        flatten=flatten,
        precision="exact",
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    flat = flatten or file_format in ("csv", "parquet")
    expected = layer[:].reshape(shape[0], *shape[1:2], -1) if flat else layer[:]
    expected = expected.reshape(expected.shape[0], *expected.shape[2:]) if shape[1] == 1 else expected
    export: Any = read_export(tmp_path)
    np.testing.assert_array_equal(export.values, expected)
    assert export.values.shape == expected.shape
    np.testing.assert_array_equal(export.targets, np.arange(shape[0]))
    assert export.targets.dtype == np.int64
    assert export.file_names == tuple(names)


def read_as_r_does(path: Path) -> tuple[list[str], np.ndarray]:
    """``read.csv(path, check.names = FALSE)`` and all columns but the first as a matrix."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = lines[0].split(",")
    assert head == ["stimulus", *map(str, range(len(head) - 1))]
    cell = re.compile(r'"((?:[^"]|"")*)"|([^,]+)')  # quoted, quotes inside doubled; or plain
    rows = [[a.replace('""', '"') or b for a, b in cell.findall(line)] for line in lines[1:]]
    assert {len(row) for row in rows} == {len(head)}
    return [row[0] for row in rows], np.array([[float(cell) for cell in row[1:]] for row in rows], np.float32)


def test_other_programs_read_the_files(tmp_path):
    layer = make_layer(10, 1, 6)
    values = layer[:].reshape(10, 6)
    names = [f"n0/ü{i}.jpg" for i in range(10)]
    for file_format in ("mat", "pt", "csv", "parquet", "h5"):
        export_layer(layer, tmp_path, file_format, targets=np.arange(10) % 3, file_names=names)
    mat = scipy.io.loadmat(tmp_path / "activations.mat")
    assert mat["features"].dtype == np.float32
    np.testing.assert_array_equal(mat["features"], values)
    assert [str(cell[0]) for cell in mat["file_names"][:, 0]] == names
    assert [str(cell[0]) for cell in mat["stimulus"][:, 0]] == layer.stimulus_ids
    np.testing.assert_array_equal(mat["targets"][:, 0], np.arange(10) % 3)
    tensor = torch.load(tmp_path / "activations.pt", weights_only=True)
    assert type(tensor) is torch.Tensor
    np.testing.assert_array_equal(tensor.numpy(), values)
    table = pd.read_csv(tmp_path / "activations.csv", index_col="stimulus")
    assert list(table.index) == layer.stimulus_ids
    np.testing.assert_array_equal(table.to_numpy().astype(np.float32), values)
    np.testing.assert_array_equal(pd.read_parquet(tmp_path / "activations.parquet").to_numpy()[:, 1:], values)
    ids, matrix = read_as_r_does(tmp_path / "activations.csv")
    assert ids == layer.stimulus_ids
    np.testing.assert_array_equal(matrix, values)
    file: Any
    with h5py.File(tmp_path / "activations.h5") as file:
        np.testing.assert_array_equal(file["features"][:], values)
        assert list(file["stimulus"].asstr()[:]) == layer.stimulus_ids


def test_targets_go_with_the_format(tmp_path):
    layer = make_layer(3, 1, 2)
    export_layer(layer, tmp_path / "a", "txt", targets=[4, 5, 6])
    np.savetxt(tmp_path / "expected.txt", np.array([4, 5, 6]))
    assert (tmp_path / "a" / "targets.txt").read_bytes() == (tmp_path / "expected.txt").read_bytes()
    export_layer(layer, tmp_path / "b", "npy", targets=[4, 5, 6], file_names=["x.png", "y.png", "z.png"])
    targets = np.load(tmp_path / "b" / "targets.npy")
    assert targets.dtype == np.int64
    assert targets.tolist() == [4, 5, 6]
    assert (tmp_path / "b" / "file_names.txt").read_text() == "x.png\ny.png\nz.png\n"


@pytest.mark.parametrize("file_format", _exports.FORMATS)
def test_same_content_same_bytes_and_few_rows_at_a_time(tmp_path, file_format):
    layer = make_layer(20, 1, 2, 3)
    first = export_layer(layer, tmp_path / "a", file_format)[0].read_bytes()
    assert export_layer(layer, tmp_path / "b", file_format)[0].read_bytes() == first
    assert layer.longest <= 3


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("file_format", _exports.FORMATS)
def test_other_types(tmp_path, file_format, dtype):
    layer = make_layer(6, 1, 5, dtype=dtype)
    export_layer(layer, tmp_path, file_format)
    expected = layer[:][:, 0].astype(np.float32) if file_format in ("csv", "parquet") else layer[:][:, 0]
    np.testing.assert_array_equal(read_export(tmp_path).values, expected)


def test_splits_instead_of_one_file(tmp_path):
    from beholder.activations.formats._splits import merge_activations

    layer = make_layer(10, 1, 4)
    written = export_layer(layer, tmp_path, "npy", n_splits=3, targets=range(10))
    assert [path.name for path in written] == [
        "activations_01.npy",
        "activations_02.npy",
        "activations_03.npy",
        "targets.npy",
    ]
    np.testing.assert_array_equal(merge_activations(tmp_path), layer[:][:, 0])
    with pytest.raises(InputError, match="npy or txt for splits"):
        export_layer(layer, tmp_path, "csv", n_splits=3)


def test_what_matlab_cannot_hold_names_another_format(tmp_path, monkeypatch):
    monkeypatch.setattr(_matlab_file, "MAX_BYTES", 100)
    with pytest.raises(InputError, match='file_format="h5"'):
        export_layer(make_layer(10, 1, 4), tmp_path, "mat")
    assert list(tmp_path.iterdir()) == []


def test_arguments_are_checked(tmp_path):
    layer = make_layer(4, 1, 2)
    assert resolve_export_format(".HDF5") == "h5"
    with pytest.raises(InputError, match="'npy'"):
        export_layer(layer, tmp_path, "npz")
    with pytest.raises(InputError, match="4 targets"):
        export_layer(layer, tmp_path, "npy", targets=[1])
    with pytest.raises(InputError, match="4 file names"):
        export_layer(layer, tmp_path, "npy", file_names=["a"])
    with pytest.raises(InputError, match="n_replicates"):
        RowView(np.ones(3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="none in"):
        read_export(tmp_path)


def test_nothing_is_unpickled(tmp_path):
    class Bad:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").write_text, ("x",))

    (tmp_path / "activations.pt").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(InputError, match="refused"):
        read_export(tmp_path)
    torch.save({"a": torch.ones(2)}, tmp_path / "activations.pt")
    with pytest.raises(InputError, match="a dict"):
        read_export(tmp_path)
    np.save(tmp_path / "activations.npy", np.array([Bad()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="plain numbers"):
        read_export(tmp_path)
    (tmp_path / "activations.npy").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(InputError, match="plain numbers"):
        read_export(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", ["npy", "txt"])
def test_an_export_takes_the_place_of_an_earlier_one_in_parts(tmp_path, suffix):
    layer = make_layer(6, 1, 4)
    export_layer(layer, tmp_path, suffix, n_splits=3)
    export_layer(layer, tmp_path, suffix)
    assert [path.name for path in tmp_path.iterdir()] == [f"activations.{suffix}"]
    export_layer(layer, tmp_path, suffix, n_splits=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"activations_0{i}.{suffix}" for i in (1, 2)]


@pytest.mark.parametrize("suffix", ["npy", "txt", "mat", "csv", "parquet", "h5"])
def test_a_full_disk_is_one_line(tmp_path, suffix):
    """In a process of its own whose files may not grow: the write fails as on a full disk."""
    code = f"""
import resource, signal
import numpy as np
from beholder._core.errors import OutputError
from beholder.activations import export_layer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
class Layer:
    shape, dtype, stimulus_ids = (40, 1, 5000), np.dtype(np.float32), [str(i) for i in range(40)]
    def __getitem__(self, index):
        return np.random.default_rng(0).random(self.shape, np.float32)[index]
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
try:
    export_layer(Layer(), {str(tmp_path)!r}, {suffix!r})
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "a full disk" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_tensor_on_a_full_disk_is_one_line(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def open_full(path, mode="wb", **options):
        with explain_write_errors(path):
            file = open("/dev/full", mode, **options)  # noqa: SIM115
            try:
                yield file
            finally:
                with contextlib.suppress(OSError):
                    file.close()

    monkeypatch.setattr(_exports, "open_atomic", open_full)
    with pytest.raises(OutputError, match="a full disk"):
        export_layer(make_layer(40, 1, 5000), tmp_path, "pt")
