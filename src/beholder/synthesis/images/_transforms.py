"""Augmentations between the image and the network, drawn anew at every step for every image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from beholder._core.errors import InputError
from beholder.synthesis.images._draws import Draws

FILLS = {"reflect": "reflection", "edge": "border", "zero": "zeros"}


class Transform(ABC):
    """A differentiable change of a batch of images, each with draws of its own."""

    @property
    @abstractmethod
    def margin(self) -> int:
        """Pixels that it takes off at each side (negative: adds); the canvas is larger by their sum."""

    @abstractmethod
    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """The transformed images; row i from row i and its own draws alone."""


@final
@dataclass(frozen=True)
class Affine(Transform):
    """Shift, scale and rotate in one bilinear resampling.

    Parameters
    ----------
    jitter : float
        Shift, uniform in ±jitter pixels, on each axis.
    scale : (low, high)
        Magnification, uniform.
    rotate : float
        Degrees, uniform in ±rotate.
    crop : int
        Pixels taken off at each side, so that what moves in is picture and not fill.
    fill : {"reflect", "edge", "zero"}
        What lies beyond the canvas.
    """

    jitter: float = 8.0
    scale: tuple[float, float] = (0.95, 1.05)
    rotate: float = 5.0
    crop: int = 0
    fill: str = "reflect"

    def __post_init__(self) -> None:
        _check_fill(self.fill)
        if not 0 < self.scale[0] <= self.scale[1]:
            raise InputError("scales from low to high, above 0", got=str(self.scale))

    @property
    def margin(self) -> int:
        """``crop``."""
        return self.crop

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Resample."""
        u = draws.uniform(4)
        angle = np.deg2rad(self.rotate) * (2 * u[:, 0] - 1)
        zoom = self.scale[0] + (self.scale[1] - self.scale[0]) * u[:, 1]
        shift = self.jitter * (2 * u[:, 2:] - 1)
        height, width = images.shape[2] - 2 * self.crop, images.shape[3] - 2 * self.crop
        rotation = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
        return resample(images, rotation / zoom[:, None, None], shift, (height, width), self.fill)


@final
@dataclass(frozen=True)
class RandomCrop(Transform):
    """A square piece of each image, anywhere, resampled to the whole image's size (MACO).

    Parameters
    ----------
    side : float
        Mean of its side, as a proportion of the image.
    side_sd : float
        Standard deviation of it; clipped to [0.05, 1].
    center_sd : float
        Standard deviation of the centre about the middle, as a proportion of the image; the piece stays inside.

    Notes
    -----
    Source: Fel et al. (2023), section 3.3; Xplique, ``maco.py``.
    """

    side: float = 0.25
    side_sd: float = 0.05
    center_sd: float = 0.15

    @property
    def margin(self) -> int:
        """0."""
        return 0

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Resample."""
        z = draws.normal(3)
        side = np.clip(self.side + self.side_sd * z[:, 0], 0.05, 1.0)
        room = (1 - side[:, None]) / 2
        size = np.array([images.shape[3], images.shape[2]], dtype=np.float64)
        shift = np.clip(self.center_sd * z[:, 1:], -room, room) * size
        matrix = side[:, None, None] * np.eye(2)
        return resample(images, matrix, shift, (images.shape[2], images.shape[3]), "edge")


@final
@dataclass(frozen=True)
class Pad(Transform):
    """Pixels added at each side.

    Parameters
    ----------
    pixels : int
    value : float
        In the units of ``model.prepare``.
    """

    pixels: int
    value: float = 0.5

    @property
    def margin(self) -> int:
        """Minus the pixels added."""
        return -self.pixels

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Pad."""
        return F.pad(images, (self.pixels,) * 4, value=self.value)


@final
@dataclass(frozen=True)
class Crop(Transform):
    """Pixels taken off: ``2 · pixels`` in all on each axis, where is drawn, or in equal parts.

    Parameters
    ----------
    pixels : int
    random : bool
        Draw how much is taken off on which side, so that the crop is a shift by whole pixels.
    """

    pixels: int
    random: bool = True

    @property
    def margin(self) -> int:
        """The pixels taken off."""
        return self.pixels

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Cut."""
        height, width = images.shape[2] - 2 * self.pixels, images.shape[3] - 2 * self.pixels
        if not self.random:
            return images[:, :, self.pixels : self.pixels + height, self.pixels : self.pixels + width]
        corners = np.floor(draws.uniform(2) * (2 * self.pixels + 1)).astype(int)
        pieces = [
            image[:, top : top + height, left : left + width]
            for image, (top, left) in zip(images, corners, strict=True)
        ]
        return torch.stack(pieces)


@final
@dataclass(frozen=True)
class Noise(Transform):
    """Normal and uniform noise added to every value.

    Parameters
    ----------
    sd : float
        Standard deviation of the normal part.
    half_width : float
        The uniform part lies in ± this.
    """

    sd: float = 0.08
    half_width: float = 0.04

    @property
    def margin(self) -> int:
        """0."""
        return 0

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Add."""
        shape = tuple(images.shape[1:])
        noise = self.sd * draws.field(shape)
        if self.half_width:
            noise += self.half_width * (2 * draws.field(shape, kind="uniform") - 1)
        return images + torch.from_numpy(noise).to(images.device)


@final
@dataclass(frozen=True)
class FunctionTransform(Transform):
    """A plain function of a batch of images.

    Parameters
    ----------
    function : callable
        ``function(images) -> images``, differentiable, of the same shape, row i from row i alone. It is called anew at
        every step; random numbers that it takes from torch or numpy itself are not repeated by the next run.
    """

    function: Callable[[Tensor], Tensor]

    @property
    def margin(self) -> int:
        """0."""
        return 0

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Call it, and hold it to the shape."""
        made: Any = self.function(images)
        if not isinstance(made, Tensor) or made.shape != images.shape:
            got = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise InputError(
                f"a batch of shape {tuple(images.shape)} from the transform {name}", got=got,
                hint="a Transform of your own, whose margin says what it takes off or adds",
            )  # fmt: skip
        return made


def as_transforms(given: Any) -> tuple[Transform, ...]:
    """Transforms of a list in which plain functions of a batch may stand for some; one alone may stand for the list.

    >>> as_transforms([torch.fliplr])[0].apply(torch.zeros(1, 3, 4, 4), None).shape
    torch.Size([1, 3, 4, 4])
    """
    items: list[Any] = [given] if isinstance(given, Transform) or callable(given) else list(given)
    wrong = next((each for each in items if not isinstance(each, Transform) and not callable(each)), None)
    if wrong is not None:
        raise InputError("transforms, or functions of a batch of images", got=repr(wrong))
    return tuple(each if isinstance(each, Transform) else FunctionTransform(each) for each in items)


def resample(images: Tensor, matrix: np.ndarray, shift: np.ndarray, size: tuple[int, int], fill: str) -> Tensor:
    """Read each image at ``matrix · p + shift``, p the output pixel's place from the middle, bilinearly.

    Parameters
    ----------
    images : Tensor, (n, channels, height, width)
    matrix : (n, 2, 2), on (x, y) in pixels
    shift : (n, 2), pixels
    size : (height, width) of the output
    fill : {"reflect", "edge", "zero"}
    """
    height, width = size
    in_height, in_width = images.shape[2:]
    to_unit = np.array([2.0 / in_width, 2.0 / in_height])
    coefficients = torch.from_numpy(np.concatenate([matrix, shift[:, :, None]], 2) * to_unit[None, :, None])
    coefficients = coefficients.to(images.device, images.dtype)[:, :, :, None, None]
    x = torch.arange(width, device=images.device, dtype=images.dtype) - (width - 1) / 2
    y = (torch.arange(height, device=images.device, dtype=images.dtype) - (height - 1) / 2)[:, None]
    grid = images.new_empty(len(images), height, width, 2)
    for axis in (0, 1):
        row = coefficients[:, axis, 0] * x + coefficients[:, axis, 2]
        torch.add(row, coefficients[:, axis, 1] * y, out=grid[..., axis])
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=FILLS[fill], align_corners=False)


def _check_fill(fill: str) -> None:
    if fill not in FILLS:
        raise InputError(f"a fill: {', '.join(FILLS)}", got=repr(fill))
