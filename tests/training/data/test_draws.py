"""Random numbers of torchvision's transforms from a generator of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from beholder._core.seeds import derive_seed
from beholder.training.data._augmentations import AUGMENTATIONS, read_augmentations
from beholder.training.data._draws import DrawFrom

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8))
NAMES = [name for name, known in AUGMENTATIONS.items() if known.stage in ("geometry", "picture", "values")]


@pytest.mark.parametrize("name", NAMES)
def test_transforms_draw_what_the_common_generator_would_give_them(name: str) -> None:
    known = AUGMENTATIONS[name]
    assert known.make is not None
    transform = known.make(known.default, (16, 16), "bilinear")
    shown = torch.rand(3, 16, 16) if known.stage == "values" else PICTURE
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(3, name))
        expected = np.asarray(transform(shown))
    before = torch.get_rng_state()
    with DrawFrom(3, name):
        found = np.asarray(transform(shown))
    assert np.array_equal(found, expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_functions_like_a_tensor_draw_too() -> None:
    before = torch.get_rng_state()
    with DrawFrom(1):
        found = (torch.rand_like(torch.zeros(3)), torch.randn_like(torch.zeros(3, dtype=torch.float64)))
    generator = torch.Generator().manual_seed(derive_seed(1))
    assert torch.equal(found[0], torch.rand(3, generator=generator))
    assert torch.equal(found[1], torch.randn(3, generator=generator, dtype=torch.float64))
    assert torch.equal(torch.get_rng_state(), before)


def test_lighting_follows_the_principal_components_of_colour() -> None:
    make = AUGMENTATIONS["lighting"].make
    assert make is not None
    with DrawFrom(0):
        shifts = np.stack([make(0.1, None, "")(torch.zeros(3, 1, 1)).numpy().ravel() for _ in range(4000)])
    values = np.sort(np.linalg.eigvalsh(np.cov(shifts.T)))
    assert np.allclose(np.sqrt(values) / 0.1, [0.0045, 0.0188, 0.2175], rtol=0.06)


def test_mixed_batches_have_mixed_labels() -> None:
    make = AUGMENTATIONS["mixup"].make
    assert make is not None
    x, labels = torch.rand(6, 3, 4, 4), torch.arange(6)
    with DrawFrom(5):
        mixed, soft = make(0.5, 6, "")(x, labels)
    weight = soft.max(1).values[:, None, None, None]
    others = (soft - torch.nn.functional.one_hot(labels, 6) * torch.diagonal(soft)[:, None]).argmax(1)
    own = torch.diagonal(soft)[:, None, None, None]
    assert torch.allclose(mixed, own * x + (1 - own) * x[others], atol=1e-6) and bool((weight >= 0.5).all())


def test_numbers_follow_names() -> None:
    assert read_augmentations(("crop=0.5", "flip")) == {"crop": 0.5, "flip": 0.5}
    for wrong in (("crop=2",), ("crop=x",), ("flip", "flip=0.2"), ("flap",)):
        with pytest.raises(ValueError, match="expected"):
            read_augmentations(wrong)


def test_torchvision_parts_are_as_published() -> None:
    made = [AUGMENTATIONS[name].make(AUGMENTATIONS[name].default, (224, 224), "bilinear")  # pyright: ignore
            for name in ("crop", "flip", "jitter")]  # fmt: skip
    crop, flip, jitter = made
    assert isinstance(crop, v2.RandomResizedCrop) and tuple(crop.scale) == (0.08, 1.0)
    assert isinstance(flip, v2.RandomHorizontalFlip) and flip.p == 0.5
    assert isinstance(jitter, v2.ColorJitter) and tuple(jitter.brightness or ()) == (0.9, 1.1) and jitter.hue is None
