"""Against the pickle module itself, which runs what a file names; this reader must not."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from typing import Any

import cloudpickle
import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder._core.plain_pickle import Foreign, read_plain_pickle

RECORDS = np.array([(1, b"lh", 2.5), (2, b"rh", -1.0)], dtype=[("id", "<i8"), ("hemi", "S2"), ("x", "<f8")])
PLAIN = {
    "texts": ["a", "ü", b"bytes", b""],
    "numbers": (1, 2.5, True, None, 10**30),
    "matrix": np.arange(6.0).reshape(2, 3),
    "by column": np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
    "flags": np.array([True, False]),
    "words": np.array(["x", "yy"]),
    "bytes": np.array([b"q", b"rr"]),
    "big end": np.arange(3, dtype=">i4"),
    "half": np.arange(3, dtype=np.float16),
    "records": RECORDS,
    "objects": np.array(["a", {"k": np.float32(2)}, None], dtype=object),
    "scalar": np.float64(3.5),
    "whole": np.int64(7),
    "text": np.str_("t"),
    "nothing": np.zeros((0, 3)),
    "zero d": np.array(5),
    "ordered": OrderedDict(a=1),
    np.int64(3): "by number",
}


def check_equal(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            check_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            check_equal(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=") and a.shape == b.shape
        check_equal(a.tolist(), b.tolist())
    else:
        assert a == b


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_come_out_as_they_went_in(tmp_path, protocol):
    data = pickle.dumps(PLAIN, protocol)
    (tmp_path / "x").write_bytes(data)
    check_equal(read_plain_pickle(tmp_path / "x"), pickle.loads(data))


def test_shared_and_circular_containers(tmp_path):
    inner = [np.arange(3)]
    outer: Any = {"a": inner, "b": inner}
    outer["self"] = outer
    (tmp_path / "x").write_bytes(pickle.dumps(outer))
    read = read_plain_pickle(tmp_path / "x")
    assert read["a"] is read["b"] and read["self"] is read
    assert read["a"][0].tolist() == [0, 1, 2]


class Evil:
    def __init__(self, *command):
        self.command = command

    def __reduce__(self):
        return self.command


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_nothing_in_a_file_is_run(tmp_path, protocol):
    flag = tmp_path / "flag"
    commands = [
        Evil(os.system, (f"touch {flag}",)),
        Evil(eval, (f"open({str(flag)!r}, 'w')",)),
        Evil(os.mkdir, (str(flag),)),
        Evil(exec, (f"import os; os.mkdir({str(flag)!r})",)),
    ]
    (tmp_path / "x").write_bytes(pickle.dumps({"good": np.arange(2), "bad": commands}, protocol))
    read = read_plain_pickle(tmp_path / "x")
    assert not flag.exists()
    assert read["good"].tolist() == [0, 1]
    assert all(isinstance(each, Foreign) for each in read["bad"])
    assert read["bad"][0].arguments == (f"touch {flag}",)
    assert "system" in repr(read["bad"][0])


def test_objects_hold_what_the_file_says_of_them(tmp_path):
    pandas = pytest.importorskip("pandas")
    row = pandas.Series([3, "b"], index=pandas.Index(["n", "word"], dtype=object), dtype=object)
    (tmp_path / "x").write_bytes(pickle.dumps(row))
    read = read_plain_pickle(tmp_path / "x")
    assert isinstance(read, Foreign) and read.name.endswith("Series")
    assert isinstance(read.state, dict)


def test_objects_of_a_class_that_the_file_makes(tmp_path):
    def make_class():
        class Own:
            pass

        return Own

    own: Any = make_class()()
    own.values = np.arange(3)
    (tmp_path / "x").write_bytes(cloudpickle.dumps({"own": own, "one": 1}))
    read = read_plain_pickle(tmp_path / "x")
    assert isinstance(read["own"], Foreign) and read["one"] == 1
    assert read["own"].state["values"].tolist() == [0, 1, 2]


def write_array(dtype, shape, raw, dtype_state=None):
    """A pickle of an array by hand, as numpy writes it."""

    class Kind:
        def __reduce__(self):
            return np.dtype, (dtype, False, True), dtype_state or (3, "<", None, None, None, -1, -1, 0)

    class Array:
        def __reduce__(self):
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, shape, Kind(), False, raw)  # pyright: ignore[reportAttributeAccessIssue]

    return pickle.dumps(Array(), 2)


@pytest.mark.parametrize(
    "content",
    [
        write_array("f8", (3,), b"\0" * 16),
        write_array("f8", (-3,), b""),
        write_array("O", (2,), ["a"]),
        write_array("V8", (1,), b"\0" * 8),
        write_array("V8", (1,), b"\0" * 8, (3, "|", None, ("a",), {"a": (np.dtype("f8"), 4)}, 8, 1, 16)),
        write_array("M8", (1,), b"\0" * 8),
        pickle.dumps(PLAIN)[:200],
        b"",
        b"no pickle",
        b"cos\nsystem\n",
        b"\x80\x02Pid\n.",
    ],
)
def test_what_does_not_add_up_is_told_in_a_line(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=r"a pickle of plain data; got .*x") as caught:
        read_plain_pickle(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="nothing at"):
        read_plain_pickle(tmp_path / "x")


def test_deep_nesting_is_refused(tmp_path):
    nested: list = []
    for _ in range(5_000):
        nested = [nested]
    (tmp_path / "x").write_bytes(b"\x80\x02" + b"]" + b"]" * 4_999 + b"a" * 4_999 + b".")
    with pytest.raises(InputError, match="nested too deep"):
        read_plain_pickle(tmp_path / "x")


def test_python_2_texts_are_latin_1(tmp_path):
    (tmp_path / "x").write_bytes(b"\x80\x02U\x03a\xe9b.")
    assert read_plain_pickle(tmp_path / "x") == "aéb"
