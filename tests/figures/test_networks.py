from typing import Any

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.figures import (
    draw_sound,
    find_overlaps,
    plot_network_scatter,
    plot_proportion_matrix,
    plot_proportions_by_layer,
)

NAMES = ["resnet50", "vision_transformer_vit_large_patch16_224", "alexnet"]
LAYERS = ["original", "conv1_relu1", "layer1", "layer2", "layer3", "layer4", "avgpool", "final"]


def _line(proportion):
    return dict.fromkeys(LAYERS, (proportion, proportion - 0.1, proportion + 0.1))


def test_matrix_writes_every_value_and_nothing_overlaps():
    proportions = np.array([[1, 0.5, np.nan], [0.25, 0.125, 0]])
    ax: Any = plot_proportion_matrix(
        proportions, NAMES[:2], NAMES, row_name="made", column_name="judge", value_name="%"
    )
    assert [text.get_text() for text in ax.texts] == ["100", "50", "–", "25", "12", "0"]
    assert find_overlaps(ax.figure) == []
    with pytest.raises(InputError):
        plot_proportion_matrix(proportions, NAMES, NAMES, row_name="", column_name="", value_name="")


@pytest.mark.parametrize("n_models", [1, 3])
def test_lines_by_layer(n_models):
    panels = {name: {judge: _line(0.3 + 0.1 * i) for i, judge in enumerate(NAMES)} for name in NAMES[:n_models]}
    fig = plot_proportions_by_layer(panels, chance=1 / 16)
    shown: Any = [ax for ax in fig.axes if ax.get_visible()]
    assert len(shown) == n_models
    assert [label.get_text() for label in shown[0].get_yticklabels()] == LAYERS
    assert find_overlaps(fig) == []
    # The natural stimulus is no layer: lines begin behind it.
    lines = [line for line in shown[0].lines if len(line.get_xdata()) == len(LAYERS) - 1]
    assert len(lines) == len(NAMES)


def test_scatter():
    ax = plot_network_scatter([1, 2, 3], [3, 2, 1], NAMES, x_name="x", y_name="y", words="r = −1")
    assert [text.get_text() for text in ax.texts] == NAMES
    assert ax.get_title(loc="left") == "r = −1"
    with pytest.raises(InputError):
        plot_network_scatter([1], [1, 2], NAMES, x_name="x", y_name="y")


def test_sound_has_its_wave_above_and_low_frequencies_at_the_bottom():
    levels = np.zeros((20, 30))
    levels[0] = 1
    samples = np.zeros(3000)
    samples[1500:] = np.sin(np.arange(1500))
    picture = np.asarray(draw_sound(samples, levels, 60, 90)).astype(int)
    assert picture.shape == (90, 60, 3)
    assert picture[-1].sum() > 5 * picture[35].sum()
    inked = (picture[:30] < 128).all(axis=2).sum(axis=0)
    assert inked[:29].max() == 1
    assert inked[31:].min() > 10
