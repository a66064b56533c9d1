import hashlib

import numpy as np
import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.stimuli import SHAPE_CATEGORIES, draw_shapes_set, make_shape_picture, open_image
from beholder.stimuli.drawn._shape_masks import SHAPES, TEXTURES


def test_there_are_sixteen_categories_in_alphabetical_order():
    assert len(SHAPE_CATEGORIES) == 16
    assert list(SHAPE_CATEGORIES) == sorted(set(SHAPE_CATEGORIES))


@pytest.mark.parametrize("category", SHAPE_CATEGORIES)
def test_a_picture_is_drawn_the_same_twice_and_differs_by_seed(category):
    first, again, other = (make_shape_picture(category, seed) for seed in (3, 3, 4))
    assert first.shape == (224, 224, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


@pytest.mark.parametrize("category", SHAPE_CATEGORIES)
def test_figure_and_ground_both_take_a_fair_share(category):
    draw = {**SHAPES, **TEXTURES}[category]
    for seed in range(8):
        mask = draw(np.random.default_rng(seed))
        assert mask.dtype == np.float32
        assert mask.min() >= 0
        assert mask.max() <= 1
        assert 0.03 < mask.mean() < 0.95


@pytest.mark.parametrize("category", sorted(SHAPES))
def test_shapes_stay_inside_the_picture(category):
    for seed in range(20):
        mask = SHAPES[category](np.random.default_rng(seed))
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0


def test_circle_covers_the_area_of_an_ellipse_and_ring_has_a_hole():
    for seed in range(5):
        circle = SHAPES["circle"](np.random.default_rng(seed))
        rows, columns = np.nonzero(circle > 0.5)
        moments = np.cov(np.stack([rows, columns]))
        # an ellipse with semi-axes a, b has second moments a²/4, b²/4 and area π a b
        assert circle.sum() == pytest.approx(4 * np.pi * np.sqrt(np.linalg.det(moments)), rel=0.01)
        ring = SHAPES["ring"](np.random.default_rng(seed))
        rows, columns = np.nonzero(ring > 0.5)
        assert ring[round(rows.mean()), round(columns.mean())] == 0


def test_stripes_have_one_spatial_frequency():
    for seed in range(5):
        mask = TEXTURES["stripes"](np.random.default_rng(seed))
        spectrum = np.abs(np.fft.fft2((mask - mask.mean()) * np.outer(np.hanning(224), np.hanning(224)))) ** 2
        peak = np.unravel_index(spectrum.argmax(), spectrum.shape)
        period = 224 / np.hypot(*[min(p, 224 - p) for p in peak])  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert 20 < period < 50


def test_an_unknown_category_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="'star'"):
        make_shape_picture("stars", 0)


def test_a_set_is_the_same_bytes_again_and_grows_without_changing(tmp_path):
    small = draw_shapes_set(tmp_path / "a", 1, seed=5)
    large = draw_shapes_set(tmp_path / "b", 2, seed=5)
    assert len(small) == 16
    assert len(large) == 32
    assert small.labels == SHAPE_CATEGORIES
    assert small.targets.tolist() == list(range(16))
    for stimulus_id in small:
        a, b = small.index_of(stimulus_id), large.index_of(stimulus_id)
        assert small.read_bytes(a) == large.read_bytes(b)
    hashes = {hashlib.sha256(large.read_bytes(i)).hexdigest() for i in range(32)}
    assert len(hashes) == 32
    assert open_image(large.path(0)).size == (224, 224)


def test_a_set_needs_a_picture_a_category(tmp_path):
    with pytest.raises(InputError, match="at least 1 picture"):
        draw_shapes_set(tmp_path, 0)
