"""Stimuli on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_what_is_drawn_lies_where_other_commands_look(
    beholder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert beholder("stimuli", "draw", "shapes", "--n_per_category", "1") == (0, "16 images in ./images/\n", "")
    code, out, _ = beholder("stimuli", "draw", "syllables", "--n_per_category", "1", "--json")
    assert code == 0
    assert json.loads(out) == {"drawn": [{"folder": "./sounds/", "set": "syllables", "n_stimuli": 16}]}
    assert len(list(Path("images").glob("*/*.png"))) == len(list(Path("sounds").glob("*/*.wav"))) == 16


def test_other_seeds_draw_others_and_own_pictures_are_kept(beholder, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        place = str(tmp_path / seed)
        assert beholder("stimuli", "draw", "shapes", "--n_per_category", "1", "--seed", seed, "-op", place)[0] == 0
    one, other = (next((tmp_path / seed).rglob("star_0000.png")).read_bytes() for seed in ("1", "2"))
    assert one != other
    (tmp_path / "1" / "mine.png").write_bytes(one)
    code, out, err = beholder("stimuli", "draw", "shapes", "-op", str(tmp_path / "1"))
    assert (code, out) == (2, "") and "got mine.png in " in err
