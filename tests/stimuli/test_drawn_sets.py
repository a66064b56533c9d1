"""The drawn sets by name, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.stimuli import SHAPE_CATEGORIES, SYLLABLE_CATEGORIES, draw_set, draw_shapes_set, draw_syllables_set


@pytest.mark.parametrize(
    ("name", "draw", "categories"),
    [("shapes", draw_shapes_set, SHAPE_CATEGORIES), ("syllables", draw_syllables_set, SYLLABLE_CATEGORIES)],
)
def test_a_set_has_the_files_of_its_function(tmp_path: Path, name: str, draw, categories) -> None:
    made, other = draw_set(name, tmp_path / "a", 1, seed=3), draw(tmp_path / "b", 1, seed=3)
    assert made.ids == other.ids and sorted(set(made.labels)) == list(categories)
    assert [made.read_bytes(i) for i in (0, 15)] == [other.read_bytes(i) for i in (0, 15)]


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "images" / "star").mkdir(parents=True)
    (tmp_path / "images" / "star" / "mine.png").write_bytes(b"a picture")
    with pytest.raises(InputError, match=r"an empty folder.*; got star/mine.png in .*images; try another folder"):
        draw_set("shapes", tmp_path / "images", 1)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["mine.png"]


def test_more_of_a_set_may_be_drawn_fewer_would_leave_others_there(tmp_path: Path) -> None:
    assert len(draw_set("shapes", tmp_path, 1)) == 16
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert len(draw_set("shapes", tmp_path, 2)) == 32
    with pytest.raises(InputError, match=r"got .*_0001\.png"):
        draw_set("shapes", tmp_path, 1)


def test_there_are_two_sets(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="try 'shapes'"):
        draw_set("shape", tmp_path)
