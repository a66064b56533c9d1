"""Pictures of people and networks: what is drawn where, no words that overlap, nothing drawn of nothing."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.figures import (
    OKABE_ITO,
    PEOPLE_COLOR,
    find_overlaps,
    plot_confusions,
    plot_matched_scatter,
    plot_observer_proportions,
    plot_recognition_curves,
)

LAYERS = ["natural_image", "conv1_relu1_fake_relu", "layer2_fake_relu", "final"]
LINES = {
    "people": {layer: (0.9 - 0.2 * k, 0.8 - 0.2 * k, 1 - 0.2 * k) for k, layer in enumerate(LAYERS)},
    "net": dict.fromkeys(LAYERS, (0.95, 0.9, 0.99)),
}


def test_curves_with_people_black_in_front() -> None:
    single = {"Made for net": {LAYERS[0]: [0.5, 0.7]}}
    panels = {"Made for net": LINES, "Made for another": {"people": {"original": (0.5, 0.4, 0.6)}}}
    fig = plot_recognition_curves(panels, single=single, chance=1 / 16, place_name="Layer", interval="line: n = 3")
    assert find_overlaps(fig) == []
    first = fig.axes[0]
    dots: list[Any] = [line for line in first.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in dots[-2:]] == [OKABE_ITO["orange"], PEOPLE_COLOR]
    assert dots[-1].get_ydata().tolist() == pytest.approx([90, 70, 50, 30])
    assert sorted(dots[0].get_ydata()) == [50, 70]  # single people
    assert "chance\n6.25 %" in [text.get_text() for text in first.texts]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["people", "net"]
    apart = plot_recognition_curves({"": LINES}, is_ordered=False)
    assert len(apart.axes[0].lines) == len(LINES)  # dots, and no line that joins them
    with pytest.raises(InputError):
        plot_recognition_curves({"": {"people": {}}})


def test_many_networks_are_grey_and_counted() -> None:
    lines = {"people": LINES["people"], **{f"net{k}": LINES["net"] for k in range(7)}}
    fig = plot_recognition_curves({"": lines})
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["people", "7 networks"]


def test_proportions_row_by_row() -> None:
    proportions = {"people": {"all": (0.96, 0.94, 0.97), "cat": (0.9, 0.8, 1.0)}, "net": {"all": (0.18, 0.15, 0.21)}}
    ax = plot_observer_proportions(
        proportions, value_name="proportion of shape (%)", interval="line: n = 10", reference=0.5, reference_name="",
        ends=("texture", "shape"), single={"all": [0.9, 0.99]},
    )  # fmt: skip
    fig = ax.get_figure(root=True)
    assert fig is not None and find_overlaps(fig) == []
    assert [text.get_text() for text in ax.get_yticklabels()] == ["all", "cat"]
    assert ax.get_xlabel().startswith("texture ← proportion of shape (%) → shape")
    with pytest.raises(InputError):
        plot_observer_proportions({}, value_name="", interval="")


def test_matched_proportions_and_confusions() -> None:
    values = np.random.default_rng(0).uniform(0, 1, (6, 4, 2))
    values[2, 1] = np.nan
    ax = plot_matched_scatter(values, LAYERS, network="a_network_with_a_rather_long_name", chance=0.0625)
    fig = ax.get_figure(root=True)
    assert fig is not None and find_overlaps(fig) == []
    dots: list[Any] = [line for line in ax.lines if line.get_marker() == "o"]
    assert np.asarray(dots[0].get_ydata()) == pytest.approx(100 * values[:, 0, 0])  # people upwards
    with pytest.raises(InputError):
        plot_matched_scatter(values * np.nan, LAYERS, network="")
    names = [f"category{k}" for k in range(16)]
    counts = np.random.default_rng(1).integers(0, 9, (16, 17))
    counts[3] = 0
    fig = plot_confusions({"people": counts, "net": counts, "wide": counts}, names, [*names, "none"])
    assert find_overlaps(fig) == []
    shown = np.asarray(fig.axes[0].images[0].get_array(), dtype=float)
    assert shown[0] == pytest.approx(100 * counts[0] / counts[0].sum()) and np.isnan(shown[3]).all()
    with pytest.raises(InputError):
        plot_confusions({"people": counts * 0}, names, [*names, "none"])


def test_long_names_of_stages_fit_into_the_legend() -> None:
    values = np.random.default_rng(0).uniform(0, 1, (6, 5, 2))
    ax = plot_matched_scatter(values, [f"a_rather_long_condition_{k}" for k in range(5)], network="net")
    fig = cast(Any, ax.get_figure(root=True))
    fig.canvas.draw()
    legend = fig.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= fig.bbox.width
