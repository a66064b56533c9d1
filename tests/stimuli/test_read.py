"""One reader of stimuli for whatever a user names."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.stimuli import StimulusSet, read_stimuli, read_targets


def test_what_lies_at_a_path_decides(tmp_path: Path, fill) -> None:
    folder = fill(tmp_path / "images", "a/1.png", "b/2.png", "b/3.png")
    (tmp_path / "table.csv").write_text("file\nimages/b/3.png\nimages/a/1.png\n")
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["deep/pictures"] = np.zeros((4, 8, 8, 3), np.uint8)
    assert read_stimuli(folder).ids == StimulusSet.from_folder(folder).ids
    assert read_stimuli(str(folder)).targets.tolist() == [0, 1, 1]
    assert read_stimuli(tmp_path / "table.csv").ids == ("3", "1")
    assert len(read_stimuli(tmp_path / "set.h5" / "deep" / "pictures")) == 4
    (folder / "b" / "broken.png").write_bytes(b"no picture")
    assert len(read_stimuli(folder, skip_bad=True)) == 3


def test_a_path_with_nothing_and_no_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder of stimuli"):
        read_stimuli(tmp_path / "nothing")
    with pytest.raises(InputError, match="got neither"):
        read_stimuli()
    with pytest.raises(InputError, match="named stimulus set"):
        read_stimuli(image_set="no-such-set")


def test_what_has_no_part_in_what_is_read_is_refused(tmp_path: Path, fill) -> None:
    """Nothing that was asked for is left out without a word."""
    folder = fill(tmp_path / "images", "a/1.png", "b/2.png")
    (tmp_path / "table.csv").write_text("file\nimages/b/2.png\n")
    with pytest.raises(InputError, match="in the layout 'classes' with things; got kind='sound' and layout='flat'"):
        StimulusSet.from_folder(folder, things=True, kind="sound", layout="flat")
    with pytest.raises(InputError, match="in the layout 'flat' with things_behavior; got layout='classes'"):
        read_stimuli(folder, things_behavior=True, layout="classes")
    with pytest.raises(InputError, match="a folder, to take it in a layout"):
        read_stimuli(tmp_path / "table.csv", layout="flat")
    with pytest.raises(InputError, match="imagenet-val without layout, things"):
        read_stimuli(folder, image_set="imagenet-val", layout="flat", things=True)
    with pytest.raises(InputError, match="ground_truth with a named set"):
        read_stimuli(folder, ground_truth=tmp_path / "truth.txt")


def test_targets_are_one_a_stimulus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("3\n0\n")
    np.save(tmp_path / "a.npy", np.array([3, 0]))
    assert read_targets(tmp_path / "a.txt", 2) == read_targets(str(tmp_path / "a.npy"), 2) == [3, 0]
    np.save(tmp_path / "b.npy", np.array([3.0, 0.0]))
    for name, n in (("a.txt", 3), ("a.npy", 1), ("b.npy", 2), ("none.txt", 2)):
        with pytest.raises(InputError, match=f"{n} class indices, one a stimulus"):
            read_targets(tmp_path / name, n)
