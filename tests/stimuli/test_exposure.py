import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator
from beholder.stimuli import Exposure, apply_alpha_mask, expose_image, pad_border, shift_hue


@pytest.fixture
def masked(picture):
    rgb = np.asarray(picture(1, (40, 25)))
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    alpha[:5] = 0
    alpha[5:8] = 1
    alpha[8:12] = 128
    return Image.fromarray(np.dstack([rgb, alpha]))


def test_only_fully_transparent_pixels_become_black(masked):
    rgba, out = np.asarray(masked), np.asarray(apply_alpha_mask(masked))
    expected = rgba[..., :3].copy()
    expected[rgba[..., 3] == 0] = 0
    assert np.array_equal(out, expected)
    assert rgba[:5, :, :3].max() > 0
    plain = masked.convert("RGB")
    assert apply_alpha_mask(plain) is plain


@pytest.mark.parametrize(("size", "border"), [((40, 25), 0.1), ((224, 100), 0.1), ((33, 47), 0.1), ((9, 9), 0.3)])
def test_border_is_black_and_a_share_of_each_side(picture, size, border):
    image = picture(2, size)
    out = np.asarray(pad_border(image, border))
    left, above = round(border * size[0]), round(border * size[1])
    expected = np.pad(np.asarray(image), ((above, above), (left, left), (0, 0)))
    assert np.array_equal(out, expected)


def test_replicate_0_is_clean_and_the_others_differ(masked):
    clean = np.asarray(expose_image(masked, 0, seed=1, stimulus_id="a"))
    assert np.array_equal(clean, np.asarray(pad_border(apply_alpha_mask(masked), 0.1)))
    shown = [np.asarray(expose_image(masked, r, seed=1, stimulus_id="a")) for r in range(1, 4)]
    assert all(not np.array_equal(clean, each) for each in shown)
    assert not np.array_equal(shown[0], shown[1])
    assert shown[0].shape == clean.shape == (25 + 4, 40 + 8, 3)
    assert (shown[0][0] == 0).all()


def test_changes_depend_on_seed_stimulus_and_replicate_alone(masked):
    def show(seed, stimulus_id, replicate):
        return expose_image(masked, replicate, seed=seed, stimulus_id=stimulus_id).tobytes()

    first = show(1, "a", 1)
    assert show(1, "a", 1) == first
    assert len({first, show(2, "a", 1), show(1, "b", 1), show(1, "a", 2)}) == 4


def test_jitter_is_torchvisions_with_the_numbers_drawn(masked):
    functional = pytest.importorskip("torchvision.transforms.functional")
    base = pad_border(apply_alpha_mask(masked), 0.1)
    orders = set()
    for replicate in range(1, 25):
        rng = make_generator(9, "exposure", "dog", replicate)
        factor, turn, saturation_first = rng.uniform(0.95, 1.05), rng.uniform(-0.05, 0.05), rng.random() < 0.5
        expected = base
        for step in ("saturation", "hue") if saturation_first else ("hue", "saturation"):
            if step == "saturation":
                expected = functional.adjust_saturation(expected, factor)
            else:
                expected = functional.adjust_hue(expected, turn)
        shown = expose_image(masked, replicate, seed=9, stimulus_id="dog")
        assert np.array_equal(np.asarray(shown), np.asarray(expected))
        orders.add(saturation_first)
    assert orders == {True, False}


@pytest.mark.parametrize("turn", [-0.5, -0.3, -0.004, -0.003, 0, 0.003, 0.004, 0.21, 0.5])
def test_hue_is_turned_as_torchvision_does(picture, turn):
    functional = pytest.importorskip("torchvision.transforms.functional")
    image = picture(3, (50, 50))
    assert np.array_equal(np.asarray(shift_hue(image, turn)), np.asarray(functional.adjust_hue(image, turn)))


def test_without_the_mask_transparency_lies_over_the_mean_colour(masked):
    out = expose_image(masked, 0, exposure=Exposure(alpha_mask=False, border=0), stimulus_id="a")
    assert np.asarray(out)[0, 0].tolist() == [124, 116, 104]
    assert out.size == masked.size


def test_settings_survive_json_and_are_checked():
    exposure = Exposure(border=0.2, hue=0.1)
    assert Exposure.from_dict(json.loads(json.dumps(exposure.to_dict()))) == exposure
    assert Exposure() == Exposure(True, 0.1, 0.05, 0.05)
    wrong: Any
    for wrong in ({"hue": 0.6}, {"saturation": 1.1}, {"border": -0.1}, {"hue": float("nan")}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Exposure(**wrong)
    with pytest.raises(InputError, match="contrast"):
        Exposure.from_dict({"contrast": 1})
    with pytest.raises(InputError, match="from 0 up"):
        expose_image(Image.new("RGB", (4, 4)), -1, stimulus_id="a")
