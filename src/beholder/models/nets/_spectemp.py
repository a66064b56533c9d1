"""SpecTemp: the power of a cochleagram's ripples, by rate and scale, as a model of primary auditory cortex.

Source: Chi, Ru & Shamma (2005), Multiresolution spectrotemporal analysis of complex sounds; in the form of Feather,
Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between biological and artificial neural
networks, Methods, Spectrotemporal filter model. The readout is named as in the published checkpoint.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from beholder.models.front_ends._cochleagram import Cochleagram

RATES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SCALES = (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)
SAMPLES_PER_ERB = 6
LEAST_POWER = 1e-8


@final
@dataclass(frozen=True, eq=False)
class RippleFilters:
    """The factors that every spectrotemporal filter is a product of.

    Parameters
    ----------
    temporal : numpy.ndarray
        (n_rates, n_times // 2 + 1), complex: transfer functions over time, positive frequencies.
    spectral : numpy.ndarray
        (n_scales, n_bands), float: transfer functions over frequency, in the order of an FFT.
    """

    temporal: np.ndarray
    spectral: np.ndarray


@functools.lru_cache(maxsize=2)
def make_ripple_filters(n_channels: int, n_frames: int, frame_rate: int) -> RippleFilters:
    r"""Transfer functions over time and over frequency, on a grid padded to 2 × channels and 3 × frames.

    Over time, the transform of :math:`u^2 e^{-3.5 u} \sin 2 \pi u` with u = rate · time, its mean over the sound
    removed, its largest gain 1; the highest rate keeps the gain 1 above its peak. Over frequency
    :math:`R e^{-R}` with R = (f / scale)², its largest gain 1; the highest scale keeps the gain 1 above its peak.
    Rate 0 and scale 0 keep nothing but the mean.

    Parameters
    ----------
    n_channels, n_frames : int
        Of the cochleagram.
    frame_rate : int
        Frames per second. Channels are taken to lie six to an ERB.

    Source: as for this module.
    """
    n_times, n_bands = 3 * n_frames, 2 * n_channels
    temporal = np.zeros((len(RATES), n_times // 2 + 1), dtype=np.complex128)
    for i, rate in enumerate(RATES):
        if rate == 0:
            temporal[i, 0] = 1
            continue
        u = np.arange(n_frames) / frame_rate * rate
        response = np.sin(2 * np.pi * u) * u**2 * np.exp(-3.5 * u)
        transfer = np.fft.rfft(response - response.mean(), n=n_times)
        gain = np.abs(transfer) / np.abs(transfer).max()
        if rate == max(RATES):
            gain[gain.argmax() :] = 1
        temporal[i] = gain * np.exp(1j * np.angle(transfer))
    spectral = np.zeros((len(SCALES), n_bands))
    frequencies = SAMPLES_PER_ERB * np.abs(np.fft.fftfreq(n_bands))
    for i, scale in enumerate(SCALES):
        if scale == 0:
            spectral[i, 0] = 1
            continue
        ratio = (frequencies / scale) ** 2
        gain = ratio * np.exp(-ratio)
        gain /= gain.max()
        if scale == max(SCALES):
            gain[frequencies >= frequencies[gain.argmax()]] = 1
        spectral[i] = gain
    return RippleFilters(temporal, spectral)


@final
class RippleFilterbank(nn.Module):
    """Cochleagrams through 111 filters, one for each rate, scale and direction of a ripple.

    A filter is a product of one over time and one over frequency, with the quadrants of the other direction taken
    out; where rate or scale is 0 there is only one direction. So the transform over frequency is done once for each
    scale and direction, and only that over time for each filter.

    Parameters
    ----------
    n_channels, n_frames, frame_rate : int
        Of the cochleagram.

    Attributes
    ----------
    ripples : tuple of (float, float)
        (n_filters,): rate in Hz, negative for one of the directions, and scale in cycles per ERB.
    """

    def __init__(self, n_channels: int, n_frames: int, frame_rate: int) -> None:
        super().__init__()
        self.n_channels, self.n_frames = n_channels, n_frames
        filters = make_ripple_filters(n_channels, n_frames, frame_rate)
        directions = [(-1, i) for i in range(len(SCALES))] + [(1, i) for i in range(len(SCALES)) if SCALES[i]]
        self.ripples = tuple((sign * rate, SCALES[i]) for sign, i in directions for rate in RATES if sign < 0 or rate)
        self.spectral: Tensor
        self.temporal: Tensor
        gains = np.stack([_mask_direction(filters.spectral[i], sign) for sign, i in directions])
        self.register_buffer("spectral", torch.tensor(gains, dtype=torch.float32), persistent=False)
        self.register_buffer("temporal", torch.tensor(filters.temporal, dtype=torch.complex64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Filtered cochleagrams, (n_stimuli, 111, n_channels, n_frames), of (n_stimuli, n_channels, n_frames)."""
        n_times, n_bands = 3 * self.n_frames, 2 * self.n_channels
        spectrum = torch.fft.fft(torch.fft.rfft(x, n=n_times), n=n_bands, dim=-2)
        inside = torch.zeros(n_times // 2 + 1, dtype=torch.bool, device=x.device)
        inside[1 : (n_times + 1) // 2] = True
        filtered = []
        for i, (one_way, both_ways) in enumerate(self.spectral):
            gains = torch.where(inside, one_way[:, None], both_ways[:, None])
            bands = torch.fft.ifft(spectrum * gains, dim=-2)[:, None, : self.n_channels]
            temporal = self.temporal if i < len(SCALES) else self.temporal[1:]
            filtered.append(torch.fft.irfft(bands * temporal[:, None], n=n_times)[..., : self.n_frames])
        return torch.cat(filtered, dim=1)


def _mask_direction(gains: np.ndarray, sign: int) -> np.ndarray:
    """Gains for times' positive frequencies, and for their ends (no and the highest frequency), where both ways pass.

    Gains at frequency 0, and at the highest one of an even number, belong to both directions.
    """
    signs = np.sign(np.fft.fftfreq(len(gains)))
    signs[len(gains) // 2 if len(gains) % 2 == 0 else 0] = 0
    return np.stack([np.where(signs * sign >= 0, gains, 0.0), gains])


@final
class RipplePower(nn.Module):
    """Squares, at least 1e-8."""

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        return x.square().clamp(min=LEAST_POWER)


@final
class RippleLayers(nn.Module):
    """The filters, and their power."""

    def __init__(self, n_channels: int, n_frames: int, frame_rate: int) -> None:
        super().__init__()
        self.apply_filt = RippleFilterbank(n_channels, n_frames, frame_rate)
        self.square_real = RipplePower()

    def forward(self, x: Tensor) -> Tensor:
        """Power, (n_stimuli, 111, n_channels, n_frames), of cochleagrams, (n_stimuli, n_channels, n_frames)."""
        return self.square_real(self.apply_filt(x))


@final
class SpecTemp(nn.Module):
    """A cochleagram times 100, the power of 111 ripples in it, its mean over time, a linear readout of words.

    ``cochleagram`` 211×390, ``spectempfilterbank`` 111×211×390, ``avgpool`` 111×211×1, ``classification`` n_classes.

    Parameters
    ----------
    n_classes : int
    """

    def __init__(self, n_classes: int = 794) -> None:
        super().__init__()
        self.cochleagram = Cochleagram()
        n_channels, n_frames = self.cochleagram.output_shape
        self.spectempfilterbank = RippleLayers(n_channels, n_frames, self.cochleagram.envelope_rate)
        self.avgpool = nn.AdaptiveAvgPool2d((None, 1))
        self.flatten = nn.Flatten()
        self.classification = nn.Linear(len(self.spectempfilterbank.apply_filt.ripples) * n_channels, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n_stimuli, n_classes), of sounds, (n_stimuli, 40000)."""
        x = self.spectempfilterbank(100 * self.cochleagram(x))
        return self.classification(self.flatten(self.avgpool(x)))
