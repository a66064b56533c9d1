"""A differentiable log-mel spectrogram: the alternative to the cochleagram that was offered beside it.

Source: the parameters are those of the code published with Feather, Leclerc, Mądry & McDermott (2023), Model metamers
reveal divergent invariances between biological and artificial neural networks (``log_mel_spec_0``).
"""

from __future__ import annotations

import functools
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords


@functools.lru_cache(maxsize=8)
def make_mel_filters(n_mels: int, n_fft: int, rate: int, low: float, high: float) -> np.ndarray:
    r"""Triangles of height 1 whose corners are equally spaced on the mel scale, :math:`2595 \log_{10}(1 + f/700)`.

    Parameters
    ----------
    n_mels, n_fft, rate : int
    low, high : float
        Hz: the first and the last corner.

    Returns
    -------
    numpy.ndarray
        (n_mels, n_fft // 2 + 1), float64. A triangle that falls between two frequencies of the FFT is all zeros.

    Source: O'Shaughnessy (1987), Speech communication: human and machine, for the scale.
    """
    if not (0 <= low < high <= rate / 2):
        raise InputError(f"limits with 0 <= low < high <= {rate / 2:g} Hz", got=f"{low:g} and {high:g} Hz")
    mels = np.linspace(2595 * np.log10(1 + low / 700), 2595 * np.log10(1 + high / 700), n_mels + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    frequencies = np.arange(n_fft // 2 + 1) * (rate / n_fft)
    rising = (frequencies - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - frequencies) / np.diff(corners)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters.flags.writeable = False
    return filters


@final
class LogMel(nn.Module):
    r"""Sounds to log-mel spectrograms, differentiably: :math:`\log_2 \max(\epsilon, M\,|\mathrm{STFT}(x)|^2)`.

    Hann windows centred on every ``hop``-th sample, the sound mirrored at its ends.

    Parameters
    ----------
    rate : int
        Samples per second.
    n_mels, n_window, hop : int
        Mel channels; samples of a window, which is also the length of the FFT; samples from one window to the next.
    low, high : float
        Hz.
    offset : float
        What a smaller power counts as.
    dtype : torch.dtype
        Of the constants, and so of the sounds.

    Examples
    --------
    >>> LogMel()(torch.zeros(1, 40_000)).shape
    torch.Size([1, 256, 401])
    """

    def __init__(
        self,
        rate: int = 20_000,
        *,
        n_mels: int = 256,
        n_window: int = 1200,
        hop: int = 100,
        low: float = 50.0,
        high: float = 10_000.0,
        offset: float = 1e-6,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.rate, self.n_window, self.hop, self.offset = rate, n_window, hop, offset
        self.filters: Tensor
        self.window: Tensor
        filters = make_mel_filters(n_mels, n_window, rate, low, high)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_window) / n_window)
        self.register_buffer("filters", torch.tensor(filters, dtype=dtype), persistent=False)
        self.register_buffer("window", torch.tensor(hann, dtype=dtype), persistent=False)

    def extra_repr(self) -> str:
        """The main parameters."""
        return f"{len(self.filters)} mels, window {self.n_window}, hop {self.hop} at {self.rate} Hz"

    def forward(self, x: Tensor) -> Tensor:
        """Log-mel spectrograms of sounds.

        Parameters
        ----------
        x : (..., n_samples), float

        Returns
        -------
        Tensor
            (..., n_mels, n_samples // hop + 1), low frequency first.
        """
        if x.shape[-1] <= self.n_window // 2:
            raise InputError(f"sounds of more than {self.n_window // 2} samples", got=f"shape {tuple(x.shape)}")
        flat = x.reshape(-1, 1, x.shape[-1])
        reach = self.n_window // 2
        padded = torch.nn.functional.pad(flat, (reach, reach), mode="reflect")[:, 0]
        spectrum = torch.fft.rfft(padded.unfold(-1, self.n_window, self.hop) * self.window)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = (power @ self.filters.T).clamp(min=self.offset).log2().mT
        return mel.reshape(*x.shape[:-1], *mel.shape[1:])


@suggest_keywords
def compute_log_mel(
    x: Tensor,
    rate: int = 20_000,
    *,
    n_mels: int = 256,
    n_window: int = 1200,
    hop: int = 100,
    low: float = 50.0,
    high: float = 10_000.0,
    offset: float = 1e-6,
) -> Tensor:
    """Log-mel spectrograms of sounds, differentiably.

    Parameters
    ----------
    x : (..., n_samples), float32 or float64, full scale is [-1, 1]
    rate : int
        Samples per second.
    n_mels, n_window, hop, low, high, offset
        As for :class:`LogMel`.

    Returns
    -------
    Tensor
        (..., n_mels, n_frames), low frequency first; (256, 401) for 2 s at 20 kHz.

    >>> compute_log_mel(torch.zeros(20_000)).shape
    torch.Size([256, 201])
    """
    if not isinstance(x, Tensor) or x.ndim == 0:
        raise InputError("a tensor of sounds (..., n_samples)", got=repr(type(x).__name__))
    front_end = LogMel(
        rate, n_mels=n_mels, n_window=n_window, hop=hop, low=low, high=high, offset=offset, dtype=x.dtype
    )
    return front_end.to(x.device)(x)
