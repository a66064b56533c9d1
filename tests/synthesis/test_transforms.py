"""Transforms: what they do, and that each image has draws of its own."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

import beholder as bh
from beholder import InputError
from beholder.synthesis import Affine, Crop, Draws, Noise, Pad, RandomCrop, Transform
from beholder.synthesis.engine._loop import cut_margin
from beholder.synthesis.images._transforms import resample

IMAGES = torch.rand(3, 3, 20, 24, generator=torch.Generator().manual_seed(0))
SEEDS = np.array([5, 6, 7], dtype=np.uint64)

ALL: list[Transform] = [
    Affine(),
    Affine(crop=3, fill="zero"),
    RandomCrop(),
    Pad(2),
    Crop(3),
    Crop(2, random=False),
    Noise(),
]


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_items_are_independent_and_repeatable(transform: Transform) -> None:
    together = transform.apply(IMAGES, Draws(SEEDS, 4, 1))
    assert together.shape[2] == 20 - 2 * transform.margin
    for i in range(3):
        assert torch.equal(transform.apply(IMAGES[i : i + 1], Draws(SEEDS[i : i + 1], 4, 1))[0], together[i])


@pytest.mark.parametrize("transform", [Affine(), RandomCrop(), Crop(3), Noise()], ids=repr)
def test_draws_differ_by_image_and_step(transform: Transform) -> None:
    same = IMAGES[:1].expand(3, -1, -1, -1)
    first = transform.apply(same, Draws(SEEDS, 0, 0))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, transform.apply(same, Draws(SEEDS, 1, 0)))
    assert not torch.equal(first, transform.apply(same, Draws(SEEDS, 0, 1)))


def test_resampling_against_scipy() -> None:
    angle = 0.3
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 1.2
    shift = np.array([1.5, -2.25])
    got = resample(IMAGES[:1].double(), matrix[None], shift[None], (14, 16), "zero")[0, 0].numpy()
    y, x = np.mgrid[:14, :16].astype(float)
    p = np.stack([x - 7.5, y - 6.5])
    source = np.einsum("ij,jhw->ihw", matrix, p) + shift[:, None, None]
    expected = ndimage.map_coordinates(
        IMAGES[0, 0].double().numpy(), [source[1] + 9.5, source[0] + 11.5], order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_without_change_it_is_the_identity() -> None:
    still = Affine(jitter=0, scale=(1, 1), rotate=0)
    np.testing.assert_allclose(still.apply(IMAGES, Draws(SEEDS, 0, 0)).numpy(), IMAGES.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        RandomCrop(side=1.0, side_sd=0).apply(IMAGES, Draws(SEEDS, 0, 0)).numpy(), IMAGES.numpy(), atol=1e-6
    )


def test_crops_and_padding_are_exact() -> None:
    middle = Crop(2, random=False).apply(IMAGES, Draws(SEEDS, 0, 0))
    assert torch.equal(middle, IMAGES[:, :, 2:-2, 2:-2])
    assert torch.equal(cut_margin(IMAGES, (3, 16, 20)), middle)
    padded = Pad(2, 0.25).apply(IMAGES, Draws(SEEDS, 0, 0))
    assert torch.equal(cut_margin(padded, (3, 20, 24)), IMAGES)
    assert float(padded[0, 0, 0, 0]) == 0.25


def test_noise_has_the_spread_asked_for() -> None:
    noise = Noise(sd=0.1, half_width=0.3).apply(torch.zeros(2, 3, 64, 64), Draws(SEEDS[:2], 0, 0))
    assert float(noise.var()) == pytest.approx(0.01 + 0.09 / 3, rel=0.05)


def test_wrong_settings() -> None:
    with pytest.raises(InputError, match="fill"):
        Affine(fill="black")
    with pytest.raises(InputError, match="scales"):
        Affine(scale=(1.1, 0.9))


def test_plain_functions_stand_for_transforms() -> None:
    net = bh.wrap(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3, bias=False)), input_shape=(3, 8, 8), name="one")

    def make(transforms: Any) -> np.ndarray:
        return bh.visualize(net, "0:1", steps=3, transforms=transforms).images

    plain = make([])
    np.testing.assert_array_equal(make([lambda x: x]), plain)
    assert np.abs(make([torch.fliplr, lambda x: 0.5 * x]) - plain).max() > 1e-3
    np.testing.assert_array_equal(make(torch.fliplr), make([torch.fliplr]))
    with pytest.raises(InputError, match=r"shape \(1, 3, 8, 8\) from the transform <lambda>; got shape \(1, 3, 8, 7\)"):
        make([lambda x: x[..., 1:]])
    with pytest.raises(InputError, match="transforms, or functions of a batch of images; got 'blur'"):
        make(["blur"])


def test_lists_of_functions_prepare_stimuli() -> None:
    steps = [lambda picture: picture.resize((4, 4)), np.asarray, lambda pixels: pixels.transpose(2, 0, 1) / 255]
    halve = [lambda x: x / 2, lambda x: x + 1]
    net = bh.wrap(torch.nn.Flatten(), steps, halve, input_shape=(3, 4, 4))
    np.testing.assert_allclose(net(Image.new("RGB", (9, 9), (255, 0, 51)))[0, ::16], [1.5, 1.0, 1.1], rtol=1e-6)
    with pytest.raises(InputError, match="a list of functions; got 'imagenet'"):
        bh.wrap(torch.nn.Flatten(), cast("Any", ["imagenet"]))
