"""A map of stimuli from their dissimilarities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import beholder as bh
from beholder.stimuli import StimulusSet

PLACES = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
RDM = np.sqrt(((PLACES[:, None] - PLACES[None]) ** 2).sum(-1))


def measure_drawn(ax: Any) -> np.ndarray:
    """Distances between the pictures, or the dots, as drawn."""
    boxes = [each.xy for each in ax.artists if hasattr(each, "xy")]
    drawn = np.array(boxes) if boxes else np.column_stack(ax.lines[0].get_data())
    return np.sqrt(((drawn[:, None] - drawn[None]) ** 2).sum(-1))


def test_distances_on_the_map_are_the_dissimilarities() -> None:
    np.testing.assert_allclose(measure_drawn(bh.plot_similarity_map(RDM)), RDM, atol=1e-6)


def test_pictures_of_any_size_lie_at_their_places(tmp_path: Path) -> None:
    for number, size in enumerate([(20, 10), (9, 30), (16, 16), (7, 7)]):
        Image.new("RGB", size, (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    ax: Any = bh.plot_similarity_map(RDM, tmp_path, title="Four")
    np.testing.assert_allclose(measure_drawn(ax), RDM, atol=1e-6)
    shown = [np.asarray(each.offsetbox.get_data()) for each in ax.artists if hasattr(each, "xy")]
    assert [picture[40, 40].tolist() for picture in shown] == [[60 * number, 0, 0] for number in range(4)]
    assert ax.get_title(loc="left") == "Four"


def test_others_are_named() -> None:
    sounds = StimulusSet.from_arrays([np.zeros(9, np.float32)] * 4, ids=["ba", "di", "su", "she"], kind="array")
    ax = bh.plot_similarity_map(RDM, sounds)
    assert {text.get_text() for text in ax.texts} == {"ba", "di", "su", "she"}


def test_another_number_of_stimuli_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    with pytest.raises(bh.InputError, match="expected 4 stimuli, as the RDM has; got 3"):
        bh.plot_similarity_map(RDM, tmp_path)
