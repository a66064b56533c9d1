"""A table is read alike in every process: the module csv has one limit a process, which scipy.io lifts as it loads."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from beholder._core.errors import InputError
from beholder._core.tables import LONGEST_CELL, format_records, read_records, read_rows


@pytest.fixture(params=[131_072, 2**31 - 1], ids=["fresh", "lifted"])
def _process(request: pytest.FixtureRequest) -> Iterator[None]:
    before = csv.field_size_limit(request.param)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("_process")
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'a,b\n1,"2\n3,4\n', "end of data"),
        (b'"' + b"x" * 200_000, "a cell of more|end of data|field larger"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "a cell of more|field larger"),
        (b"a,b\n\xff\xfe,1\n", "utf-8"),
        (b"a,b\n1,2\n3\n", "row 3 has 1 cells and its header 2"),
        (b"a,b\n1,2,3\n", "row 2 has 3 cells"),
    ],
)
def test_a_damaged_table_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        read_records(path)
    assert str(path) in str(caught.value)


@pytest.mark.usefixtures("_process")
def test_the_longest_cell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a\n" + "x" * LONGEST_CELL + "\n")
    assert [len(row[0]) for row in read_rows(path)] == [1, LONGEST_CELL]


def test_what_pandas_reads_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    frame = pd.DataFrame({"Datei": ['a "b".png', "c,d.png", "e\nf.png"], "Größe": ["1", "", "3"]})
    frame.to_csv(path, index=False, encoding="utf-8-sig")
    assert read_records(path) == frame.to_dict("records")
    path.write_text("a\tb\r\n\r\n1\t2\r\n")
    assert read_records(path, "\t") == [{"a": "1", "b": "2"}]


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv"):
        list(read_rows(tmp_path / "no.csv"))
    with pytest.raises(InputError, match="comma-separated"):
        list(read_rows(tmp_path))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [{"a": 'one, "two"\nthree', "b": "é"}, {"a": None}]
    (tmp_path / "table.csv").write_bytes(format_records(rows, ["b", "a"], "–"))
    assert read_records(tmp_path / "table.csv") == [{"b": "é", "a": 'one, "two"\nthree'}, {"b": "–", "a": ""}]
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        format_records(rows, ["a"])


@pytest.mark.parametrize(
    ("text", "hint"), [("a;b\n1,5;2\n", "saved with commas, and points"), ("a\tb\n1\t2\n", "ending .tsv")]
)
def test_other_separators_are_named(tmp_path: Path, text: str, hint: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=hint):
        read_records(path)
