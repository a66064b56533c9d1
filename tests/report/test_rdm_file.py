import pickle
from typing import Any

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.report import read_rdms, write_rdms

NAMES: Any = {
    "layers": ["conv1", "fc"], "measures": ["cosine"], "stimulus_ids": ["a", "ü", "c"], "categories": list("xxy"),
}  # fmt: skip


def test_rdms_come_back(tmp_path):
    values = np.random.default_rng(0).random((2, 1, 3, 3), dtype=np.float32)
    path = write_rdms(tmp_path / "net.rdms.npz", values, model="file:net", **NAMES)
    stored = read_rdms(path)
    assert np.array_equal(stored.rdms, values)
    assert stored.model == "file:net"
    assert {name: list(getattr(stored, name)) for name in NAMES} == NAMES
    assert np.array_equal(stored.get("fc", "cosine"), values[1, 0])
    first = path.read_bytes()
    assert write_rdms(path, values, model="file:net", **NAMES).read_bytes() == first


def test_wrong_shapes_and_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="ending in"):
        write_rdms(tmp_path / "net.npz", np.zeros((2, 1, 3, 3)), **NAMES)
    with pytest.raises(InputError, match="of shape"):
        write_rdms(tmp_path / "net.rdms.npz", np.zeros((1, 2, 3, 3)), **NAMES)


def test_what_holds_no_rdms_is_refused(tmp_path):
    path = tmp_path / "a.rdms.npz"
    for content in (b"", b"text", pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(InputError, match="file of RDMs"):
            read_rdms(path)
    np.savez(path, rdms=np.zeros(3))
    with pytest.raises(InputError, match="file of RDMs"):
        read_rdms(path)
    with pytest.raises(InputError, match="no file"):
        read_rdms(tmp_path / "none.rdms.npz")


def test_a_pickle_inside_is_never_opened(tmp_path):
    path = tmp_path / "a.rdms.npz"
    names: Any = {name: np.array(words, dtype=object) for name, words in NAMES.items()}
    np.savez(path, rdms=np.zeros((2, 1, 3, 3)), model=np.array("m"), **names)
    with pytest.raises(InputError, match="allow_pickle"):
        read_rdms(path)
