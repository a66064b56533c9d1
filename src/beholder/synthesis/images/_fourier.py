"""Pictures by their spatial frequencies: free (Fourier) or with a fixed magnitude spectrum (phase only)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.models import Model, prepare_stimulus
from beholder.stimuli import StimulusSet
from beholder.synthesis.images._draws import draw_normal_field
from beholder.synthesis.images._parameterization import (
    Canvas,
    Parameterization,
    check_plane,
    correlate_colors,
    decorrelate_colors,
    has_colors,
    squash,
    unsquash,
)

_LESS_SATURATED = 4.0


@functools.lru_cache(maxsize=32)
def make_frequency_scale(height: int, width: int, decay: float, device: torch.device) -> Tensor:
    """``1 / max(f, 1 / max(height, width)) ** decay``, f in cycles a pixel; (height, width // 2 + 1)."""
    with torch.inference_mode(False):
        fy = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
        fx = torch.fft.rfftfreq(width, dtype=torch.float64)
        frequency = torch.sqrt(fx * fx + fy * fy).clamp_min(1.0 / max(height, width))
        return (1.0 / frequency**decay).to(device, torch.float32)


@final
@dataclass(frozen=True)
class Fourier(Parameterization):
    """``sigmoid(M · irfft2(scale · z) / 4)``: every frequency learns at the rate at which natural pictures vary.

    Parameters
    ----------
    sd : float
        Of the real and imaginary parts z at the start.
    decay : float
        Exponent of the scale, :func:`make_frequency_scale`.
    decorrelate : bool
        Apply the colour matrix M, for pictures with three channels.

    Notes
    -----
    Source: lucid, ``optvis/param/spatial.py``; Olah, Mordvintsev and Schubert (2017).
    """

    sd: float = 0.01
    decay: float = 1.0
    decorrelate: bool = True

    is_direct: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 0.05

    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """Noise, (channels, height, width // 2 + 1, 2)."""
        height, width = check_plane(canvas, "Fourier")
        shape = (canvas.shape[0], height, width // 2 + 1, 2)
        return torch.from_numpy(draw_normal_field(seed, shape, "start")) * self.sd

    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """Inverse of sigmoid, colour and transform."""
        height, width = check_plane(canvas, "Fourier")
        values = unsquash(images, canvas.value_range)
        if self.decorrelate and has_colors(canvas.shape):
            values = decorrelate_colors(values)
        spectrum = torch.fft.rfft2(values * _LESS_SATURATED, norm="ortho")
        return torch.view_as_real(
            spectrum / make_frequency_scale(height, width, self.decay, images.device)
        ).contiguous()

    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """Inverse transform, colour, sigmoid."""
        height, width = check_plane(canvas, "Fourier")
        scale = make_frequency_scale(height, width, self.decay, params.device) / _LESS_SATURATED
        values = torch.fft.irfft2(torch.view_as_complex(params) * scale, s=(height, width), norm="ortho")
        if self.decorrelate and has_colors(canvas.shape):
            values = correlate_colors(values)
        return squash(values, canvas.value_range)


@final
@dataclass(frozen=True, eq=False)
class PhaseOnly(Parameterization):
    """Phases are learned, the magnitude spectrum is that of natural pictures (MACO).

    φ is standardised over the whole tensor, ``irfft2(A · exp(iφ))`` over the whole image, then come colour and
    sigmoid.

    Parameters
    ----------
    spectrum : array, (height, width // 2 + 1) or (channels, height, width // 2 + 1), optional
        A, as :func:`compute_spectrum` gives it, resized bilinearly to the canvas. None: 1 / f.
    decorrelate : bool
        Apply the colour matrix, for pictures with three channels.

    Notes
    -----
    Source: Fel et al. (2023), "Unlocking feature visualization for deeper networks with magnitude constrained
    optimization", section 3; the implementations in Xplique and Horama.
    """

    spectrum: Any = None
    decorrelate: bool = True

    is_direct: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 1.0

    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """Standard normal phases, (channels, height, width // 2 + 1)."""
        height, width = check_plane(canvas, "PhaseOnly")
        return torch.from_numpy(draw_normal_field(seed, (canvas.shape[0], height, width // 2 + 1), "start"))

    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """Phases of the pictures; their magnitudes are lost."""
        values = unsquash(images, canvas.value_range)
        if self.decorrelate and has_colors(canvas.shape):
            values = decorrelate_colors(values)
        return torch.fft.rfft2(values).angle()

    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """Standardised phases to standardised pictures, colour, sigmoid."""
        height, width = check_plane(canvas, "PhaseOnly")
        magnitude = self._make_magnitude(canvas, params.device)
        phase = _standardize(params)
        values = torch.fft.irfft2(torch.polar(magnitude.expand(phase.shape), phase), s=(height, width), norm="ortho")
        values = _standardize(values)
        if self.decorrelate and has_colors(canvas.shape):
            values = correlate_colors(values)
        return squash(values, canvas.value_range)

    def _make_magnitude(self, canvas: Canvas, device: torch.device) -> Tensor:
        _, height, width = canvas.shape
        if self.spectrum is None:
            return make_frequency_scale(height, width, 1.0, device)
        return _resize_spectrum(self, canvas, device)


@functools.lru_cache(maxsize=8)
def _resize_spectrum(maker: PhaseOnly, canvas: Canvas, device: torch.device) -> Tensor:
    channels, height, width = canvas.shape
    with torch.inference_mode(False):
        spectrum = torch.tensor(np.asarray(maker.spectrum), dtype=torch.float32, device=device)
        if spectrum.ndim not in (2, 3) or (spectrum.ndim == 3 and spectrum.shape[0] not in (1, channels)):
            raise InputError(
                f"a spectrum (height, width // 2 + 1) or ({channels}, height, width // 2 + 1)",
                got=f"shape {tuple(spectrum.shape)}", hint="compute_spectrum(pictures)",
            )  # fmt: skip
        spectrum = spectrum.reshape(1, -1, *spectrum.shape[-2:])
        size = (height, width // 2 + 1)
        if tuple(spectrum.shape[-2:]) != size:
            spectrum = torch.nn.functional.interpolate(spectrum, size=size, mode="bilinear", align_corners=False)
        return spectrum[0]


def _standardize(values: Tensor) -> Tensor:
    axes = tuple(range(1, values.ndim))
    mean = values.mean(axes, keepdim=True)
    centred = values - mean
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-8)


@suggest_keywords
def compute_spectrum(images: Iterable[np.ndarray], *, decorrelate: bool = True) -> np.ndarray:
    """Mean magnitude spectrum of pictures, for :class:`PhaseOnly`.

    Parameters
    ----------
    images : iterable of arrays, (channels, height, width), one size
        As ``model.prepare`` gives them. Read one at a time.
    decorrelate : bool
        In decorrelated colours, for three channels; as ``PhaseOnly(decorrelate=True)`` uses it.

    Returns
    -------
    ndarray, (channels, height, width // 2 + 1), float32

    Raises
    ------
    InputError
        No pictures, or pictures of several sizes.
    """
    total, n_images = None, 0
    for image in images:
        values = torch.tensor(np.asarray(image), dtype=torch.float32)[None]
        if decorrelate and has_colors(tuple(values.shape[1:])):
            values = decorrelate_colors(values)
        magnitude = torch.fft.rfft2(values).abs()[0].double()
        if total is not None and total.shape != magnitude.shape:
            raise InputError("pictures of one size", got=f"shapes {tuple(total.shape)} and {tuple(magnitude.shape)}")
        total = magnitude if total is None else total + magnitude
        n_images += 1
    if total is None:
        raise InputError("at least one picture", got="none")
    return (total / n_images).float().numpy()


@suggest_keywords
def measure_spectrum(model: Model, stimuli: StimulusSet, n_most: int = 500) -> np.ndarray:
    """Mean magnitude spectrum of a set's pictures as a network takes them, for :class:`PhaseOnly`.

    Parameters
    ----------
    model : Model
        Prepares the pictures.
    stimuli : StimulusSet
    n_most : int
        Pictures that are read, evenly spaced in the set, where it has more.

    Returns
    -------
    ndarray, (channels, height, width // 2 + 1), float32
    """
    step = max(1, -(-len(stimuli) // n_most))
    return compute_spectrum(prepare_stimulus(model.preprocessing, stimuli, i) for i in range(0, len(stimuli), step))
