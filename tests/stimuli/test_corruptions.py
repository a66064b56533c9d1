"""The common corruptions: all fifteen, drawn by the seed alone, at their severities."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError, UnknownNameError
from beholder.cli.stimuli import Grade
from beholder.stimuli import COMMON_CORRUPTIONS, GRADES, corrupt_picture, grade_stimuli

library = pytest.importorskip("imagecorruptions", exc_type=ImportError)
PICTURE = np.random.default_rng(0).random((40, 36, 3))


@pytest.mark.parametrize("name", COMMON_CORRUPTIONS)
def test_each_is_decided_by_the_seed_and_leaves_numpys_own_draws_alone(name: str) -> None:
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    made = corrupt_picture(PICTURE, name, 3, seed=5)
    assert np.random.random() == expected
    assert made.shape == PICTURE.shape and made.dtype == np.float32 and 0 <= made.min() <= made.max() <= 1
    assert np.array_equal(made, corrupt_picture(PICTURE, name, 3, seed=5))
    assert not np.array_equal(made, np.float32(np.round(PICTURE * 255) / 255))
    if name in ("gaussian_noise", "impulse_noise", "glass_blur", "snow", "elastic_transform"):
        assert not np.array_equal(made, corrupt_picture(PICTURE, name, 3, seed=6))


def test_names_and_strengths_are_the_librarys() -> None:
    assert list(COMMON_CORRUPTIONS) == library.get_corruption_names("common")
    pixels = np.round(PICTURE * 255).astype(np.uint8)
    for severity in (1, 5):
        expected = library.corrupt(pixels, severity=severity, corruption_name="contrast")
        assert np.array_equal(np.round(corrupt_picture(PICTURE, "contrast", severity) * 255), expected)


def test_what_cannot_be_corrupted_is_refused() -> None:
    with pytest.raises(InputError, match=r"a severity of 1, 2, 3, 4 or 5; got 2\.5"):
        corrupt_picture(PICTURE, "fog", 2.5)
    with pytest.raises(UnknownNameError, match="'fogg'; try 'fog'"):
        corrupt_picture(PICTURE, "fogg", 1)
    with pytest.raises(InputError, match="32 pixels or more"):
        corrupt_picture(PICTURE[:20], "fog", 1)


def test_they_are_grades_of_stimuli(tmp_path: Path) -> None:
    assert set(get_args(Grade)) == set(GRADES)
    (tmp_path / "shown" / "cat").mkdir(parents=True)
    for i in range(2):
        Image.fromarray(np.round(PICTURE * (100 + 50 * i)).astype(np.uint8)).save(tmp_path / f"shown/cat/{i}.png")
    made = grade_stimuli(tmp_path / "shown", "common_impulse_noise", [1, 5], tmp_path / "graded")
    assert made.conditions["grade"] == ["common_impulse_noise"] * 4 and made.conditions["level"] == [1, 1, 5, 5]
    content = {path.name: path.read_bytes() for path in tmp_path.glob("graded/*/*.png")}
    again = grade_stimuli(tmp_path / "shown", "common_impulse_noise", [1, 5], tmp_path / "again")
    assert [again.hash_stimulus(i) for i in range(4)] == [made.hash_stimulus(i) for i in range(4)] and content
    with pytest.raises(InputError, match="severity"):
        grade_stimuli(tmp_path / "shown", "common_fog", [6], tmp_path / "more")
