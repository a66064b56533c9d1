"""Stimuli of Parquet tables that hold files."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from beholder._core.errors import InputError, StimulusError
from beholder.stimuli import StimulusSet, as_stimulus_set, read_stimuli


def encode(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 9, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_table(path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None, rows: int = 2) -> Path:
    table = pa.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(exist_ok=True, parents=True)
    parquet.write_table(table, path, row_group_size=rows)
    return path


def make_entries(numbers: range) -> list[dict[str, Any]]:
    return [{"bytes": encode(i), "path": f"{'ab'[i % 2]}/{i:02d}.png"} for i in numbers]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    features = {"image": {"_type": "Image"}, "kind": {"_type": "ClassLabel", "names": ["owl", "cat"]}}
    for part, numbers in enumerate((range(5), range(5, 8))):
        columns = {
            "image": make_entries(numbers),
            "kind": [i % 2 for i in numbers],
            "take": list(numbers),
            "other": [b"x"] * len(numbers),
        }
        write_table(tmp_path / "tables" / f"train-{part}.parquet", columns, features)
    return tmp_path / "tables"


def test_rows_are_stimuli_in_their_order(tables: Path) -> None:
    for path in (tables, tables / "train-{0..1}.parquet", tables / "train-*.parquet"):
        found = read_stimuli(path)
        assert found.ids == tuple(f"{i:02d}" for i in range(8)) and found.kind == "image"
        assert found.files[:2] == ("a/00.png", "b/01.png")
        assert found.labels == ("owl", "cat") * 4 and found.targets.tolist() == [0, 1] * 4
        assert found.conditions == {"take": list(range(8))}
        assert [found.source(i) for i in range(8)] == [encode(i) for i in range(8)]
    taken = pickle.loads(pickle.dumps(found[[6, 0, 3]]))
    assert [taken.read(i)[0] for i in range(3)] == [encode(6), encode(0), encode(3)]
    assert len(as_stimulus_set(tables / "train-1.parquet")) == 3


def test_hashes_are_those_of_the_files(tables: Path, tmp_path: Path) -> None:
    found = StimulusSet.from_parquet(tables)
    for i in range(8):
        (tmp_path / "files" / "ab"[i % 2]).mkdir(exist_ok=True, parents=True)
        (tmp_path / "files" / found.files[i]).write_bytes(encode(i))
    plain = StimulusSet.from_folder(tmp_path / "files")
    assert {i: found.hash_stimulus(k) for k, i in enumerate(found.ids)} == {
        i: plain.hash_stimulus(k) for k, i in enumerate(plain.ids)
    }


def test_a_column_of_plain_bytes_will_do(tmp_path: Path) -> None:
    columns = {"picture": [encode(i) for i in range(3)], "stimulus_id": ["x", "y", "z"], "label": ["b", "a", "b"]}
    found = read_stimuli(write_table(tmp_path / "x.parquet", columns))
    assert (found.ids, found.labels, found.kind) == (("x", "y", "z"), ("b", "a", "b"), "image")
    bare = read_stimuli(write_table(tmp_path / "y.parquet", {"picture": [encode(0)], "more": [1.5]}))
    assert bare.ids == ("000000",) and bare.files == ("y.parquet/000000",) and bare.conditions == {"more": [1.5]}


def test_which_column_is_asked_where_there_are_several(tmp_path: Path) -> None:
    path = write_table(tmp_path / "x.parquet", {"left": [encode(0)], "right": [encode(1)]})
    with pytest.raises(InputError, match=r"one column of files, or which; got 2 .*left, right.*try .*x\.parquet/left"):
        read_stimuli(path)
    assert read_stimuli(path / "right").source(0) == encode(1)
    assert StimulusSet.from_parquet(path, "left").source(0) == encode(0)
    with pytest.raises(InputError, match=r"'rigth'.*'right'"):
        read_stimuli(path / "rigth")


def test_what_cannot_be_stimuli_is_refused(tables: Path, tmp_path: Path) -> None:
    without = [{"bytes": None, "path": "a.png"}, {"bytes": encode(0), "path": "b.png"}]
    with pytest.raises(StimulusError, match=r"1 row .* with none"):
        read_stimuli(write_table(tmp_path / "paths.parquet", {"image": without}))
    with pytest.raises(InputError, match="label for each"):
        read_stimuli(write_table(tmp_path / "some.parquet", {"image": make_entries(range(2)), "label": ["a", None]}))
    write_table(tables / "train-2.parquet", {"image": make_entries(range(8, 9))})
    with pytest.raises(InputError, match="tables with the same column"):
        read_stimuli(tables)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((tables / "train-0.parquet").read_bytes()[:-40])
    with pytest.raises(InputError, match=r"whole Parquet table.*cut\.parquet"):
        read_stimuli(cut)


def test_a_table_that_changed_since_is_named(tables: Path) -> None:
    found = StimulusSet.from_parquet(tables)
    write_table(tables / "train-1.parquet", {"image": make_entries(range(1))})
    with pytest.raises(StimulusError, match=r"train-1\.parquet, which has changed"):
        found.read(7)


def test_tables_of_paths_are_still_tables_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(3))
    found = read_stimuli(write_table(tmp_path / "x.parquet", {"file": ["a.png"], "label": ["owl"]}))
    assert found.packed is None and found.path(0) == tmp_path / "a.png"


def test_sounds_are_known_by_how_they_begin(tmp_path: Path) -> None:
    from beholder.stimuli import save_sound

    save_sound(tmp_path / "a.wav", np.sin(np.arange(800, dtype=np.float32)), 8000)
    found = read_stimuli(write_table(tmp_path / "x.parquet", {"audio": [(tmp_path / "a.wav").read_bytes()]}))
    assert found.kind == "sound" and found.find_bad_files() == []
