"""Augmentations by name: torchvision's parts, and the two that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2  # pyright: ignore[reportMissingTypeStubs]

from beholder._core.errors import InputError, UnknownNameError

Stage = Literal["geometry", "picture", "values", "batch", "sound"]


@final
@dataclass(frozen=True)
class Augmentation:
    """One augmentation.

    Parameters
    ----------
    stage : {"geometry", "picture", "values", "batch", "sound"}
        When it acts: on the whole picture; on 8-bit pixels at the network's size; on values in [0, 1]; on a batch and
        its labels; on a sound.
    default : float
        Its number where none is given.
    low, high : float
        Range of the number.
    make : callable, optional
        ``make(number, size, interpolation)`` gives the transform; of batches the size is the number of classes.
    text : str
        What it does.
    """

    stage: Stage
    default: float
    low: float
    high: float
    text: str
    make: Callable[[float, Any, str], Callable[..., Any]] | None = None


def _crop(number: float, size: tuple[int, int], interpolation: str) -> Callable[..., Any]:
    return v2.RandomResizedCrop(list(size), scale=(number, 1.0), interpolation=InterpolationMode(interpolation))


def _add_lighting(number: float, size: Any, interpolation: str) -> Callable[[Tensor], Tensor]:
    """Noise along the principal components of ImageNet's colours (Krizhevsky et al. 2012, section 4.1)."""
    values = torch.tensor([0.2175, 0.0188, 0.0045])
    vectors = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])

    def add(x: Tensor) -> Tensor:
        if x.shape[0] != 3:
            return x
        return x + (vectors @ (values * torch.randn(3) * number))[:, None, None]

    return add


def _vary(number: float, size: Any, interpolation: str) -> Callable[[Tensor], Tensor]:
    """Contrast, a cast of colour, and grain."""

    def vary(x: Tensor) -> Tensor:
        contrast = 1 + number * (torch.rand(1) * 0.7 - 0.4)
        cast = number * (torch.rand(x.shape[0], 1, 1) * 0.3 - 0.15)
        grain = number * 0.08 * torch.rand(1)
        return (x - 0.5) * contrast + 0.5 + cast + grain * torch.randn(x.shape)

    return vary


AUGMENTATIONS: dict[str, Augmentation] = {
    "crop": Augmentation(
        "geometry", 0.08, 0.001, 1.0,
        "a random part of at least this area, at an aspect ratio between 3/4 and 4/3, resized; of a sound a random "
        "window, or a random place in silence", _crop,
    ),
    "flip": Augmentation("picture", 0.5, 0, 1, "left and right exchanged, with this probability",
                         lambda p, _, __: v2.RandomHorizontalFlip(p)),
    "randaugment": Augmentation("picture", 9, 0, 30, "RandAugment, two operations of this magnitude",
                                lambda m, _, __: v2.RandAugment(2, int(m))),
    "trivialaugment": Augmentation("picture", 31, 2, 1000, "TrivialAugmentWide, of this many magnitudes",
                                   lambda n, _, __: v2.TrivialAugmentWide(int(n))),
    "autoaugment": Augmentation("picture", 1, 1, 1, "AutoAugment's policy for ImageNet",
                                lambda _, __, ___: v2.AutoAugment()),
    "augmix": Augmentation("picture", 3, 1, 10, "AugMix of this severity", lambda s, _, __: v2.AugMix(severity=int(s))),
    "grey": Augmentation("picture", 0.2, 0, 1, "grey, with this probability", lambda p, _, __: v2.RandomGrayscale(p)),
    "jitter": Augmentation("values", 0.1, 0, 1, "brightness, contrast and saturation by up to this proportion",
                           lambda s, _, __: v2.ColorJitter(s, s, s)),
    "lighting": Augmentation("values", 0.05, 0, 1, "noise along the principal components of ImageNet's colours",
                             _add_lighting),
    "vary": Augmentation("values", 1.0, 0, 1, "contrast (0.6 to 1.3), a cast of colour (to 0.15), grain (to 0.08), "
                         "times this", _vary),
    "erase": Augmentation("values", 0.25, 0, 1, "a random rectangle erased, with this probability",
                          lambda p, _, __: v2.RandomErasing(p)),
    "mixup": Augmentation("batch", 0.2, 0.01, 10, "MixUp with this alpha",
                          lambda alpha, n, _: v2.MixUp(alpha=alpha, num_classes=n)),
    "cutmix": Augmentation("batch", 1.0, 0.01, 10, "CutMix with this alpha",
                           lambda alpha, n, _: v2.CutMix(alpha=alpha, num_classes=n)),
    "gain": Augmentation("sound", 6.0, 0, 60, "louder or softer by up to this many dB, after the level is set"),
    "hiss": Augmentation("sound", 20.0, -40, 100, "white noise at this ratio of sound to noise in dB, or above it by "
                         "up to 30"),
}  # fmt: skip
"""Every augmentation that ``augment`` takes, by name."""


def read_augmentations(names: Sequence[str]) -> dict[str, float]:
    """Numbers by name, in the order given: ``("crop", "jitter=0.1")`` as ``{"crop": 0.08, "jitter": 0.1}``.

    Raises
    ------
    UnknownNameError
        There is no such augmentation.
    InputError
        A number that is none or out of range, or a name twice.
    """
    found: dict[str, float] = {}
    for each in names:
        name, _, text = each.partition("=")
        name = name.strip()
        if name not in AUGMENTATIONS:
            raise UnknownNameError("augmentation", name, AUGMENTATIONS)
        known = AUGMENTATIONS[name]
        try:
            number = float(text) if text else known.default
        except ValueError as error:
            raise InputError(f"a number after {name}=", got=text) from error
        if not known.low <= number <= known.high:
            raise InputError(f"{name} from {known.low:g} to {known.high:g}", got=f"{number:g}")
        if name in found:
            raise InputError("each augmentation once", got=f"{name} twice")
        found[name] = number
    return found
