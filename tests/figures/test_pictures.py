"""Rows of pictures and sounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from beholder import InputError
from beholder.figures import make_figure, plot_stimulus_rows

GENERATOR = np.random.default_rng(0)


def test_pictures_are_drawn_as_they_are() -> None:
    rows = {"min": [GENERATOR.random((3, 6, 5)) for _ in range(2)], "max": [GENERATOR.random((1, 4, 4))]}
    ax = plot_stimulus_rows(rows, captions={"min": ["-1", "0"], "max": ["2"]})
    drawn = [np.asarray(image.get_array()) for image in ax.images]
    assert [image.shape for image in drawn] == [(6, 5, 3), (6, 5, 3), (4, 4, 3)]
    np.testing.assert_allclose(drawn[1], rows["min"][1].transpose(1, 2, 0))
    assert [text.get_text() for text in ax.texts] == ["-1", "0", "min", "2", "max"]
    assert not ax.axison


def test_values_are_scaled_to_the_range() -> None:
    picture = np.stack([np.full((2, 2), value) for value in (-1.0, 0.0, 3.0)])
    ax = plot_stimulus_rows({"x": [picture]}, value_range=(-1.0, 1.0))
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array())[0, 0], [0, 0.5, 1])
    ax = plot_stimulus_rows({"x": [picture]}, value_range=None)
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array())[0, 0], [0, 0.25, 1])


def test_sounds_are_lines_on_given_axes() -> None:
    given = make_figure().subplots()
    ax: Any = plot_stimulus_rows({"max": [np.sin(np.arange(100) / 3), np.zeros(50)]}, given)
    assert ax is given
    assert [len(line.get_xdata()) for line in ax.lines] == [100, 50]
    y = np.asarray(ax.lines[0].get_ydata())
    assert 0 < y.min() < 0.1
    assert 0.9 < y.max() < 1


@pytest.mark.parametrize(
    ("rows", "captions", "message"),
    [
        ({}, None, "at least one"),
        ({"x": []}, None, "at least one"),
        ({"x": [np.zeros((3, 4, 4))]}, {"x": ["a", "b"]}, "1 caption for x; got 2"),
        ({"x": [np.zeros((2, 4, 4))]}, None, r"got shape \(2, 4, 4\)"),
    ],
)
def test_wrong_input(rows: dict[str, list[np.ndarray]], captions: dict[str, list[str]] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_stimulus_rows(rows, captions=captions)
