from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from scipy.stats import binomtest, rankdata

from beholder._core.errors import InputError
from beholder.figures import (
    CurvePanel,
    LayerCurve,
    ModelScore,
    colors_of_layers,
    draw_chance,
    draw_noise_ceiling,
    find_overlaps,
    fit_labels,
    make_figure,
    plot_accuracy,
    plot_feature_maps,
    plot_layer_activations,
    plot_layer_curves,
    plot_layer_lines,
    plot_model_scores,
    plot_rdm,
    plot_rdms,
    plot_stimulus_map,
    plot_tuning_curves,
    plot_unit_histograms,
    plot_value_matrix,
    rank_rdm,
)
from beholder.statistics import wilson_interval

CATEGORIES = ["checkerboard", "honeycomb", "crescent", "triangle"]


def make_rdm(n=12, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 5))
    return np.linalg.norm(x[:, None] - x[None], axis=2)


def test_rank_is_the_share_of_pairs_as_alike_or_more_alike():
    rdm = make_rdm()
    upper = np.triu_indices(12, 1)
    ranked = rank_rdm(rdm)
    assert np.allclose(ranked[upper], rankdata(rdm[upper]) / 66)
    assert np.array_equal(ranked, ranked.T)
    assert not ranked.diagonal().any()
    assert rank_rdm([[0, 2, 2], [2, 0, 2], [2, 2, 0]])[0, 1] == pytest.approx(2 / 3), "ties share their mean rank"


@pytest.mark.parametrize(
    ("rdm", "message"),
    [
        (np.zeros((2, 3)), "n_stimuli, n_stimuli"),
        (np.array([[0, 1], [2, 0]]), "not symmetric"),
        (np.array([[0, np.nan], [np.nan, 0]]), "finite"),
        (np.zeros((0, 0)), "n_stimuli, n_stimuli"),
    ],
)
def test_what_is_no_rdm_is_refused(rdm, message):
    with pytest.raises(InputError, match=message):
        plot_rdm(rdm)


def test_rdm_brings_categories_together_and_marks_blocks_on_both_axes():
    rdm = make_rdm()
    categories = [CATEGORIES[i % 4] for i in range(12)]
    ax = plot_rdm(rdm, categories=categories, rank=False)
    order = [i for category in CATEGORIES for i in range(12) if categories[i] == category]
    assert np.array_equal(np.asarray(ax.images[0].get_array()), rdm[np.ix_(order, order)])
    for axis in (ax.xaxis, ax.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == CATEGORIES
        assert list(axis.get_ticklocs()) == [1, 4, 7, 10]
    assert ax.images[0].get_cmap().name == "cividis"
    bar = next(other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylabel() == "Dissimilarity"
    with pytest.raises(InputError, match="12 categories"):
        plot_rdm(rdm, categories=["a"])


@pytest.mark.parametrize(("n", "own"), [(6, True), (60, True), (240, True), (30, False)])
def test_labels_of_stimuli_are_the_same_on_both_axes_and_none_goes_in_silence(n, own):
    names = [f"stimulus_{i}" for i in range(n)]
    given = None if own else make_figure(85, 72).subplots()
    ax: Any = plot_rdm(make_rdm(n), given, labels=names)
    fig = ax.get_figure()
    shown = [
        [label.get_text() for label in axis.get_ticklabels() if label.get_visible()] for axis in (ax.xaxis, ax.yaxis)
    ]
    assert shown[0] == shown[1]
    step = names.index(shown[0][1])
    assert shown[0] == names[::step]
    assert list(ax.get_xticks()) == list(ax.get_yticks())
    assert (f"of {n} names" in ax.get_xlabel()) == (step > 1)
    assert find_overlaps(fig) == []
    assert (step == 1) == (n in (6, 60))
    assert max(fig.get_size_inches()) * 25.4 < 200


def test_labels_follow_their_stimuli_into_the_categories():
    ax = plot_rdm(make_rdm(4), categories=["b", "a", "b", "a"], labels=["w", "x", "y", "z"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["w", "y", "x", "z"]
    with pytest.raises(InputError, match="12 labels"):
        plot_rdm(make_rdm(), labels=["a"])


def test_names_that_are_left_out_are_told_and_alike_on_both_axes():
    names = [f"category {i:02d}" for i in range(90)]
    ax: Any = plot_rdm(make_rdm(180), categories=[name for name in names for _ in range(2)])
    visible = [[label.get_visible() for label in axis.get_ticklabels()] for axis in (ax.xaxis, ax.yaxis)]
    assert visible[0] == visible[1]
    assert 3 < sum(visible[0]) < 90
    assert "of 90 names" in ax.get_xlabel()


@pytest.mark.parametrize("n", [40, 64, 100])
def test_an_rdm_of_its_own_fits_into_its_figure(n):
    figure: Any = plot_rdm(make_rdm(n)).figure
    assert not find_overlaps(figure)


def test_categories_of_one_stimulus_each_are_its_labels():
    names = [f"star_{i:02d}" for i in range(20)]
    ax: Any = plot_rdm(make_rdm(20), categories=names)
    assert [label.get_text() for label in ax.get_yticklabels()] == names and not ax.collections
    assert ax.get_window_extent().width > plot_rdm(make_rdm(20)).get_window_extent().width * 0.99
    fig = plot_rdms({"a": make_rdm(20), "b": make_rdm(20, 1)}, categories=names)
    assert not find_overlaps(fig) and not any(ax.collections for ax in fig.axes[:2])


def test_rdms_share_one_scale_and_no_words_overlap():
    names = [f"a rather long category {i}" for i in range(16)]
    categories = [name for name in names for _ in range(3)]
    fig = plot_rdms({f"layer{i}": make_rdm(48, i) * (i + 1) for i in range(5)}, categories=categories, rank=False)
    images = [ax.images[0] for ax in fig.axes if ax.images]
    assert len(images) == 5
    assert len({image.get_clim() for image in images}) == 1
    assert images[0].get_clim()[1] == pytest.approx(max(make_rdm(48, i).max() * (i + 1) for i in range(5)))
    assert find_overlaps(fig) == []


def test_plots_draw_into_the_given_axes():
    fig = make_figure(180, 60)
    axes = fig.subplots(1, 4)
    assert plot_rdm(make_rdm(), axes[0], colorbar=False) is axes[0]
    assert plot_layer_activations({"conv1": [1.0, 2.0]}, axes[1], name="x") is axes[1]
    assert plot_accuracy([1], [2], ["dog"], axes[2]) is axes[2]
    assert plot_feature_maps({"conv1": np.zeros((1, 2, 2))}, axes[3]) is axes[3]
    assert len(fig.axes) == 4


def test_overlapping_words_are_found_and_crowded_ticks_are_turned():
    fig = make_figure(60, 70)
    ax = fig.subplots()
    ax.set_xticks(range(8), [f"features.{i}.expand3x3" for i in range(8)])
    assert find_overlaps(fig), "side by side they do not fit"
    fit_labels(fig)
    assert find_overlaps(fig) == []
    labels = ax.get_xticklabels()
    assert {label.get_rotation() for label in labels} == {90.0}
    assert all(label.get_visible() for label in labels), "turned labels fit, none is left out"


def test_ticks_that_fit_are_left_alone_and_hopeless_ones_are_thinned():
    fig = make_figure(60, 40)
    ax = fig.subplots()
    ax.set_xticks([0, 1], ["a", "b"])
    ax.set_yticks(range(40), [f"row {i}" for i in range(40)])
    fit_labels(fig)
    assert [label.get_rotation() for label in ax.get_xticklabels()] == [0, 0]
    visible = [label.get_visible() for label in ax.get_yticklabels()]
    assert visible[0]
    assert 3 < sum(visible) < 40
    assert ax.get_ylabel().endswith("of 40 names)"), "what is left out is told"
    assert find_overlaps(fig) == []


def test_a_word_beyond_the_edge_is_found():
    fig = make_figure(60, 40)
    fig.subplots()
    fig.text(0.95, 0.5, "a long remark at the edge")
    assert ("a long remark at the edge", "edge of the figure") in find_overlaps(fig)


def test_layer_activations_show_mean_middle_and_every_stimulus():
    rng = np.random.default_rng(0)
    layers = [f"features.{i}.expand3x3_activation" for i in range(9)]
    values = {layer: rng.uniform(20, 80, 50) for layer in layers[3:]}
    ax: Any = plot_layer_activations(values, name="Active units (%)", all_layers=layers, chance=50, limits=(0, 100))
    mean: Any
    interval: Any
    dots, interval, mean = ax.lines[:3]
    first = values[layers[3]]
    assert np.array_equal(dots.get_xdata(), first)
    assert mpl.colors.to_hex(dots.get_color()) == colors_of_layers(layers)[layers[3]]  # pyright: ignore[reportAttributeAccessIssue]
    assert list(interval.get_xdata()) == pytest.approx(list(np.percentile(first, [2.5, 97.5])))
    assert list(mean.get_xdata()) == pytest.approx([first.mean()])
    assert [label.get_text() for label in ax.get_yticklabels()] == layers[3:]
    assert {label.get_rotation() for label in ax.get_yticklabels()} == {0.0}
    assert "n = 50" in ax.get_xlabel()
    assert "95 %" in ax.get_xlabel()
    assert find_overlaps(ax.figure) == []
    with pytest.raises(InputError, match="finite"):
        plot_layer_activations({"conv1": [np.nan]}, name="x")


def test_accuracy_shows_share_interval_chance_and_n():
    ax: Any = plot_accuracy([3, 5, 0, 5], [5, 5, 5, 5], CATEGORIES, chance=0.25)
    assert list(ax.lines[0].get_xdata()) == [60, 100, 0, 100]
    assert [label.get_text() for label in ax.get_yticklabels()] == CATEGORIES
    assert "chance 25 %" in [text.get_text() for text in ax.texts]
    assert "n = 5" in ax.get_xlabel()
    assert find_overlaps(ax.figure) == []
    with pytest.raises(InputError, match="0 <= right <= shown"):
        plot_accuracy([6], [5], ["dog"])


@pytest.mark.parametrize(("right", "shown"), [(0, 6), (3, 10), (96, 96), (1, 1)])
def test_interval_is_wilsons(right, shown):
    low, high = wilson_interval([right], [shown])
    expected = binomtest(right, shown).proportion_ci(0.95, method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_chance_is_dashed_with_its_value_and_the_ceiling_named():
    ax = make_figure().subplots()
    draw_chance(ax, 0.0625)
    draw_noise_ceiling(ax, 0.6, 0.8)
    assert ax.lines[0].get_linestyle() == "--"
    assert [text.get_text() for text in ax.texts] == ["chance 0.0625", "noise ceiling"]


def test_feature_maps_keep_pixels_and_name_layers_and_channels():
    maps = {"block1": np.random.default_rng(0).normal(size=(3, 4, 4)), "block2": np.zeros((2, 2, 2))}
    picture = np.full((6, 6, 3), 200, np.uint8)
    ax: Any = plot_feature_maps(maps, picture=picture, channels={"block1": [5, 7, 9], "block2": [0, 1]})
    shown = [np.asarray(image.get_array()) for image in ax.images]
    assert np.array_equal(shown[0], picture)
    assert np.array_equal(shown[2], maps["block1"][1])
    assert ax.images[1].get_clim() == (maps["block1"][0].min(), maps["block1"][0].max())
    assert ax.images[4].get_clim()[0] == 0, "an empty map is black"
    words = [text.get_text() for text in ax.texts]
    assert sorted(words) == sorted(["5", "7", "9", "0", "1", "block1", "block2"])
    assert find_overlaps(ax.figure) == []
    with pytest.raises(InputError, match="3 channels"):
        plot_feature_maps(maps, channels={"block1": [1]})


LONG = [f"stage{i // 15 + 1}.block{i % 15}.bottleneck.residual_branch.conv3x3_batchnorm_relu" for i in range(60)]


def test_sixty_layers_with_long_names_leave_room_for_what_is_drawn():
    curve = LayerCurve(LONG, *np.linspace([0, -0.1, 0.1], [0.5, 0.4, 0.6], 60).T)
    panels = {name: CurvePanel({"net": curve}) for name in ("V1", "lateral occipital complex (left hemisphere)")}
    lines = {"IT": dict.fromkeys(LONG, (0.1, 0.0, 0.2))}
    drawn: list[Any] = [
        plot_layer_curves(panels, name="Comparison of RDMs (r)"),
        plot_layer_lines(lines, value_name="Mean r of predicted and measured responses", interval="95 %").figure,
        plot_value_matrix(np.eye(60), LONG, LONG, value_name="CKA").figure,
        plot_rdms({name: make_rdm() for name in LONG[:8]}, n_columns=4),
        plot_tuning_curves({name: np.eye(3) for name in LONG[:12]}, [0.0, 60.0, 120.0], value_name="orientation"),
    ]
    scores = {name: ModelScore(0.1, 0.0, 0.2) for name in LONG[:3]}
    drawn.append(plot_model_scores(scores, name="r", title="lateral occipital complex (left hemisphere)").figure)
    for figure in drawn:
        assert find_overlaps(figure) == []
        box = figure.axes[0].get_position()
        assert box.width > 0.15 and box.height > 0.1
    words = [label.get_text() for label in drawn[2].axes[0].get_yticklabels()]
    assert len(set(words)) == 60 and max(map(len, words)) == 32


def test_histograms_of_sixty_layers_fit_a_page():
    values = {f"layer{k}": np.linspace(-0.1, 0.5, 20) + k / 100 for k in range(60)}
    ax: Any = plot_unit_histograms(values, value_name="r")
    names = [each.get_text() for each in ax.get_yticklabels()]
    assert len(names) == 16 and (names[0], names[-1]) == ("layer0", "layer59") and len(set(names)) == 16
    assert "16 of 60 layers" in ax.get_xlabel() and ax.get_figure().get_size_inches()[1] * 2.54 < 25
    corrected = {f"layer{k}": np.linspace(0, 3, 40) for k in range(3)}
    ax = plot_unit_histograms(corrected, value_name="Corrected variance explained", limit=1.0)
    assert "what lies beyond" in ax.get_xlabel() and find_overlaps(ax.get_figure()) == []
    few = plot_unit_histograms(dict(list(values.items())[:16]), value_name="r")
    assert len(few.get_yticks()) == 16 and "layers" not in few.get_xlabel()


def test_names_on_a_map_of_stimuli_do_not_touch():
    places = np.repeat(np.random.default_rng(0).normal(size=(12, 2)), 2, axis=0) + [[0, 0], [0.01, 0.01]] * 12
    ax: Any = plot_stimulus_map(places, names=[f"n01440764_photograph_of_a_tench_number_{i:02d}" for i in range(24)])
    assert find_overlaps(ax.figure) == []
    shown = [text for text in ax.texts if text.get_visible()]
    assert 18 <= len(shown) <= 24
    assert shown[-1].get_text() == f"{len(shown) - 1} of 24 names have room", "what is left out is told"
