import base64
import io
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder.figures import (
    SOUND_LEFT,
    SOUND_RIGHT,
    find_overlaps,
    plot_network_scatter,
    plot_proportion_matrix,
    plot_proportions_by_layer,
    render_sound,
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


def test_few_dots_lie_in_a_range_that_means_something_and_names_keep_apart():
    ax: Any = plot_network_scatter([50.0], [30.0], ["alexnet"], x_name="Recognised (%)", y_name="d'")
    assert ax.get_xlim() == (-2, 102)
    assert ax.get_ylim() == (15, 45)
    close: Any = plot_network_scatter(
        [50.0, 50.5, 58], [1.2, 1.21, 2.9], ["one_long_name", "another_name", "third"], x_name="x (%)", y_name="y"
    )
    assert find_overlaps(close.figure) == []
    assert sum(text.get_text() in ("one_long_name", "another_name", "third") for text in close.texts) == 3
    many = np.zeros(12) + 50
    crowd: Any = plot_network_scatter(many, many, [f"network {i}" for i in range(12)], x_name="x (%)", y_name="y (%)")
    told = [text.get_text() for text in crowd.texts if text.get_text().endswith("names have room")]
    assert told == [f"{sum(text.get_text().startswith('network') for text in crowd.texts)} of 12 names have room"]
    few: Any = plot_proportions_by_layer({"alexnet": {"judge": {"fc": (0.5, 0.2, 0.8)}}})
    assert few.get_size_inches()[1] * 25.4 > 45


def test_sound_has_axes_its_wave_above_and_low_frequencies_at_the_bottom():
    levels = np.zeros((20, 30))
    levels[0] = 1
    samples = np.zeros(3000)
    samples[1500:] = 0.25 * np.sin(np.arange(1500))
    svg = render_sound(samples, 2000, levels, np.linspace(50, 1000, 20)).decode()
    root = ElementTree.fromstring(svg)
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words == ["0.25", "−0.25", "0.1", "0.5", "kHz", "0", "1.5 s"]
    wave = next(path for path in root.iter("{http://www.w3.org/2000/svg}path") if path.get("class") == "w").get("d")
    assert wave is not None
    columns = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", wave)
    heights = [float(bottom) - float(top) for _, top, bottom in columns]
    assert float(columns[0][0]) >= SOUND_LEFT and float(columns[-1][0]) <= SOUND_RIGHT
    assert max(heights[:60]) < 1 < 20 < min(heights[66:])
    (image,) = root.iter("{http://www.w3.org/2000/svg}image")
    data = base64.b64decode(str(image.get("href")).partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(int)
    assert pixels[-1].mean() > 5 * pixels[5].mean(), "low frequencies at the bottom"
    assert "prefers-color-scheme:dark" in svg and "<rect" not in svg, "the page's own ground"
    with pytest.raises(InputError, match="frequencies"):
        render_sound(samples, 2000, levels, [1.0])
