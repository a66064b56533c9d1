"""Graded sets as the levels of staircases: from the hardest to the easiest, whatever the numbers do."""

import numpy as np
import pytest

from beholder.experiments import Adaptive, pick_level
from beholder.experiments.design._stimulus_table import read_labelled
from beholder.stimuli import StimulusSet, grade_stimuli, save_picture


@pytest.mark.parametrize(
    ("grade", "levels", "ordered"),
    [("contrast", [1, 0.1, 0.3], [0.1, 0.3, 1]), ("uniform_noise", [0.1, 0.9, 0.3], [0.9, 0.3, 0.1])],
)
def test_levels_run_from_the_hardest_to_the_easiest(tmp_path, grade, levels, ordered):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        save_picture(tmp_path / "in" / name / f"{name}_1.png", rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    grade_stimuli(StimulusSet.from_folder(tmp_path / "in"), grade, levels, tmp_path / "graded")
    table = read_labelled(tmp_path / "graded", adaptive=True)
    versions = list(table.versions.values())
    assert [[level for level, _ in version.levels] for version in versions] == [ordered] * 2
    assert all(path.parent.name.endswith(f"_{level:g}") for version in versions for level, path in version.levels)
    stairs = Adaptive(method="up_down", up=1, down=1, start=1.0)
    assert ordered[pick_level(stairs, ordered, [])] == ordered[-1]
    assert ordered[pick_level(stairs, ordered, [(ordered[-1], True)])] == ordered[1]
