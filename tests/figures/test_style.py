import subprocess
import sys

import matplotlib as mpl
import pytest
from matplotlib.colors import to_rgb

from beholder._core.errors import InputError
from beholder.figures import (
    OKABE_ITO,
    ONE_COLUMN_MM,
    TWO_COLUMNS_MM,
    color_networks,
    color_of_layer,
    colors_of_layers,
    colors_of_models,
    make_figure,
    use_style,
)


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def read_settings():
    return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}


def test_figures_have_the_size_asked_for():
    assert make_figure(ONE_COLUMN_MM, 60).get_size_inches() * 25.4 == pytest.approx([85, 60])
    assert make_figure(TWO_COLUMNS_MM).get_size_inches() * 25.4 == pytest.approx([180, 120])
    with pytest.raises(InputError, match="size above 0"):
        make_figure(0)


def test_style_embeds_fonts_of_7_to_9_points_and_ends_with_its_block():
    before = read_settings()
    with use_style():
        assert mpl.rcParams["pdf.fonttype"] == 42
        assert mpl.rcParams["svg.fonttype"] == "none"
        sizes = [mpl.rcParams[name] for name in ("font.size", "axes.labelsize", "xtick.labelsize", "figure.titlesize")]
        assert all(7 <= size <= 9 for size in sizes)
    assert read_settings() == before


def test_networks_get_okabe_ito_colours_by_name_whatever_the_order():
    assert colors_of_models(["b", "a"]) == colors_of_models(["a", "b", "a"])
    six = colors_of_models([f"net{i}" for i in range(6)])
    assert len(set(six.values())) == 6
    assert set(six.values()) <= set(OKABE_ITO.values())
    assert OKABE_ITO["vermillion"] not in six.values(), "red would stand against green"
    with pytest.raises(InputError, match="at most 6"):
        colors_of_models([f"net{i}" for i in range(7)])
    seven = [f"net{i}" for i in range(7)]
    assert color_networks(seven) == dict.fromkeys(seven, "#9a9da1")
    assert color_networks([*seven[:6], "net0"]) == six


def test_layers_go_from_dark_to_light():
    values = [luminance(color_of_layer(i, 12)) for i in range(12)]
    assert values == sorted(values)
    assert values[-1] > 5 * values[0]
    assert list(colors_of_layers(["conv1", "conv2"]).values()) == [color_of_layer(0, 2), color_of_layer(1, 2)]
    assert color_of_layer(0, 1) not in (color_of_layer(0, 2), color_of_layer(1, 2))
    with pytest.raises(InputError, match="from 0 to 2"):
        color_of_layer(3, 3)


def test_importing_loads_no_matplotlib_and_drawing_loads_no_pyplot():
    code = (
        "import sys, beholder.figures as f; assert 'matplotlib' not in sys.modules;"
        "ax = f.plot_rdm([[0, 1], [1, 0]]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
