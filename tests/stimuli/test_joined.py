"""Several sets as one: files, columns, classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder.stimuli import StimulusSet, join_sets


def fill(folder: Path, names: list[str], table: str | None = None) -> StimulusSet:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)
    if table is None:
        return StimulusSet.from_folder(folder)
    (folder / "stimuli.csv").write_text(table, encoding="utf-8")
    return StimulusSet.from_table(folder / "stimuli.csv")


def test_files_columns_and_classes_of_two_tables(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", ["a.png", "b.png"], "file,label,level\na.png,dog,1\nb.png,cat,2\n")
    two = fill(tmp_path / "two", ["c.png"], "file,label,site\nc.png,ant,x\n")
    both = join_sets([one, two])
    assert both.ids == ("a", "b", "c") and both.labels == ("dog", "cat", "ant") and both.targets.tolist() == [2, 1, 0]
    assert dict(both.conditions) == {"level": [1, 2, None], "site": [None, None, "x"]}
    assert [both.path(i).is_file() for i in range(3)] == [True] * 3
    assert both.hash_stimulus(2) == two.hash_stimulus(0)
    assert join_sets([one]) is one


def test_arrays_and_pinned_stimuli_are_joined_by_a_plus(tmp_path: Path) -> None:
    values = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    one, two = StimulusSet.from_arrays(values[:1], ["x"]), StimulusSet.from_arrays(values[1:], ["y"])
    both = one + two
    assert both.ids == ("x", "y") and np.array_equal(both.source(1), values[1])
    with pytest.raises(InputError, match=r"uint8 \(4, 4, 3\) and uint8 \(4, 5, 3\)"):
        _ = one + StimulusSet.from_arrays(np.zeros((1, 4, 5, 3), np.uint8), ["z"])
    files = fill(tmp_path / "one", ["a.png"]), fill(tmp_path / "two", ["b.png"])
    pinned = files[0].pin() + files[1]
    assert pinned.hashes == (files[0].hash_stimulus(0), "")
    with pytest.raises(TypeError):
        _ = one + 1  # type: ignore[operator]


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", ["a.png"]), fill(tmp_path / "two", ["a.png"])
    with pytest.raises(InputError, match="'a' in two of them"):
        join_sets([one, two])
    with pytest.raises(InputError, match="got files and uint8"):
        join_sets([one, StimulusSet.from_arrays(np.zeros((1, 4, 4, 3), np.uint8))])
    with pytest.raises(InputError, match="at least one"):
        join_sets([])
