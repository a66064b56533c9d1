"""Tables of very many stimuli: written in parts and without copies, to the bytes and tables of few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from beholder.activations.store import _arrays, _manifest
from beholder.activations.store._arrays import write_column
from beholder.activations.store._manifest import read_manifest, write_manifest
from beholder.stimuli import StimulusSet

COLUMNS = {"plain": ["a", "bc", "d" * 40], "other": ["", "é", "鳥"], "none": ["", "", ""], "missing": [None, "x", 3]}


def test_a_long_column_has_the_bytes_that_zarr_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("few", 10), ("many", 2)):
        monkeypatch.setattr(_arrays, "MANY", most)
        group = zarr.open_group(tmp_path / name, mode="w")
        for column, values in COLUMNS.items():
            write_column(group, column, values)
            write_column(group, column, values)
            assert group[column][:].tolist() == ["" if each is None else str(each) for each in values]  # type: ignore[index]
    files = [sorted(path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*/*"))
             for name in ("few", "many")]  # fmt: skip
    assert files[0] == files[1] and "none/c/0" not in files[0]
    for file in files[0]:
        if (tmp_path / "few" / file).is_file():
            assert (tmp_path / "few" / file).read_bytes() == (tmp_path / "many" / file).read_bytes(), file


def test_a_long_manifest_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1", "2", "3", "4", "5"):
        path = tmp_path / "pictures" / f"class{int(name) % 2}" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listed = StimulusSet.from_folder(tmp_path / "pictures")
    arrays = StimulusSet.from_arrays(np.zeros((5, 4, 4, 3), np.uint8), conditions={"level": [1, "a", None, 2.5, [3]]})
    for place, stimuli in enumerate((listed, arrays)):
        write_manifest(tmp_path / f"{place}-whole", stimuli)
        monkeypatch.setattr(_manifest, "_ROWS_AT_ONCE", 2)
        write_manifest(tmp_path / f"{place}-parts", stimuli)
        monkeypatch.undo()
        whole, parts = (read_manifest(tmp_path / f"{place}-{name}") for name in ("whole", "parts"))
        assert whole is not None and parts is not None and len(whole) == 5
        pd.testing.assert_frame_equal(whole, parts)
        if stimuli is arrays:
            assert whole["condition:level"].tolist() == ["1", '"a"', "null", "2.5", "[3]"]
