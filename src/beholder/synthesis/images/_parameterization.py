"""What is optimised: numbers, and how pictures or sounds come out of them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.synthesis.images._draws import draw_normal_field

_EDGE = 1e-3
_SQRT_COVARIANCE = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


@final
@dataclass(frozen=True)
class Canvas:
    """What a parameterisation draws on.

    Attributes
    ----------
    shape : tuple of int
        Of one image, the margin that the transforms cut off included.
    value_range : (low, high) or None
        Of its values; None is unbounded.
    """

    shape: tuple[int, ...]
    value_range: tuple[float, float] | None


class Parameterization(ABC):
    """Numbers from which images come, image by image, differentiably. Subclass it to bring your own."""

    is_direct: ClassVar[bool]
    """Whether the numbers are the images themselves, so that constraints can be applied to them."""

    learning_rate: ClassVar[float]
    """A learning rate for Adam that suits these numbers."""

    @abstractmethod
    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """The numbers of one image to start from, (*shape of numbers), float32, a function of the seed alone."""

    @abstractmethod
    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """Numbers that give these images, (n, *shape of numbers), as nearly as there are any."""

    @abstractmethod
    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """Images of a batch of numbers, (n, *canvas.shape); row i must depend on row i alone."""


@final
@dataclass(frozen=True)
class Raw(Parameterization):
    """The image itself: ``mean + sd · noise``, kept in range by clamping.

    Parameters
    ----------
    mean, sd : float
        Of the first image, in the units of ``model.prepare``.
    """

    mean: float = 0.5
    sd: float = 0.05

    is_direct: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 0.01

    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """Noise, clamped into range."""
        image = torch.from_numpy(draw_normal_field(seed, canvas.shape, "start")) * self.sd + self.mean
        return image if canvas.value_range is None else image.clamp(*canvas.value_range)

    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """The images."""
        return images.clone()

    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """The numbers."""
        return params


@final
@dataclass(frozen=True)
class Waveform(Parameterization):
    """The samples of a sound, from near silence.

    Parameters
    ----------
    sd : float
        Of the first samples.
    """

    sd: float = 1e-7

    is_direct: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 0.001

    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """Faint noise."""
        return torch.from_numpy(draw_normal_field(seed, canvas.shape, "start")) * self.sd

    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """The samples."""
        return images.clone()

    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """The numbers."""
        return params


@final
@dataclass(frozen=True)
class Pixels(Parameterization):
    """A number for each pixel and colour, squashed into range by a sigmoid.

    Parameters
    ----------
    sd : float
        Of the first numbers, before colour and sigmoid.
    decorrelate : bool
        Let the three numbers of a pixel be colours as uncorrelated as in natural pictures.
    """

    sd: float = 0.01
    decorrelate: bool = True

    is_direct: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 0.05

    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """Noise."""
        return torch.from_numpy(draw_normal_field(seed, canvas.shape, "start")) * self.sd

    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """Inverse of sigmoid and colour."""
        values = unsquash(images, canvas.value_range)
        return decorrelate_colors(values) if self._has_colors(canvas) else values

    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """Colour, then sigmoid."""
        values = correlate_colors(params) if self._has_colors(canvas) else params
        return squash(values, canvas.value_range)

    def _has_colors(self, canvas: Canvas) -> bool:
        return self.decorrelate and has_colors(canvas.shape)


def has_colors(shape: tuple[int, ...]) -> bool:
    """Whether an image has three channels of a plane."""
    return len(shape) == 3 and shape[0] == 3


def squash(values: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    """Sigmoid onto a range; values as they are where there is none."""
    if value_range is None:
        return values
    low, high = value_range
    values = torch.sigmoid(values)
    return values if (low, high) == (0.0, 1.0) else low + (high - low) * values


def unsquash(images: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    """Inverse of :func:`squash`; a thousandth of the range at either end cannot be told apart."""
    if value_range is None:
        return images.clone()
    low, high = value_range
    return torch.logit(((images - low) / (high - low)).clamp(_EDGE, 1 - _EDGE))


def check_plane(canvas: Canvas, what: str) -> tuple[int, int]:
    """Height and width of pictures; anything else is refused."""
    if len(canvas.shape) != 3:
        raise InputError(
            f"pictures (channels, height, width) for {what}", got=f"stimuli of shape {canvas.shape}",
            hint="Raw() or Waveform()",
        )  # fmt: skip
    return canvas.shape[1], canvas.shape[2]


@functools.lru_cache(maxsize=16)
@suggest_keywords
def make_color_matrix(device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """The 3 × 3 matrix M of ``rgb = M · c``.

    A square root of the covariance of the colours of natural pictures, divided by its largest column norm.

    Source: lucid, ``optvis/param/color.py``; Olah, Mordvintsev and Schubert (2017), "Preconditioning and
    parameterization".
    """
    with torch.inference_mode(False):
        matrix = torch.tensor(_SQRT_COVARIANCE, dtype=torch.float64)
        return (matrix / matrix.norm(dim=0).max()).to(device, dtype)


@functools.lru_cache(maxsize=16)
def _make_inverse(device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.linalg.inv(make_color_matrix("cpu", torch.float64)).to(device, dtype)


def correlate_colors(values: Tensor) -> Tensor:
    """``M · c`` at every pixel, (n, 3, height, width)."""
    return torch.matmul(make_color_matrix(values.device, values.dtype), values.flatten(2)).view(values.shape)


def decorrelate_colors(images: Tensor) -> Tensor:
    """The inverse of :func:`correlate_colors`."""
    return torch.matmul(_make_inverse(images.device, images.dtype), images.flatten(2)).view(images.shape)
