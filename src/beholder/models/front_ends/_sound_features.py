"""Differentiable log-mel front ends of published sound networks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON_AST = 1.192092955078125e-07
_PREEMPHASIS = 0.97


def standardize(x: Tensor) -> Tensor:
    r"""Zero mean and unit variance of each sound, :math:`(x - \bar x) / \sqrt{\mathrm{var}(x) + 10^{-7}}`.

    Parameters
    ----------
    x : (n_stimuli, n_samples), float

    Source: Baevski et al. (2020), wav2vec 2.0, section 2.
    """
    mean = x.mean(dim=-1, keepdim=True)
    return (x - mean) / (x.var(dim=-1, keepdim=True, correction=0) + 1e-7).sqrt()


def compute_whisper_log_mel(x: Tensor, *, n_mels: int = 80, rate: int = 16_000) -> Tensor:
    """Whisper's log-mel spectrogram: 25 ms Hann windows, every 10 ms, 80 dB range below each sound's loudest.

    Parameters
    ----------
    x : (n_stimuli, n_samples), float in [-1, 1]

    Returns
    -------
    Tensor
        (n_stimuli, n_mels, n_samples / 160).

    Source: Radford et al. (2023), Robust speech recognition via large-scale weak supervision, section 2.2.
    """
    import torch

    window = torch.hann_window(400, device=x.device, dtype=x.dtype)
    spectrum = torch.stft(x, 400, 160, window=window, return_complex=True)[..., :-1]
    power = spectrum.real.square() + spectrum.imag.square()
    filters = torch.as_tensor(make_slaney_filters(n_mels, rate), device=x.device, dtype=x.dtype)
    log_mel = (filters @ power).clamp(min=1e-10).log10()
    floor = log_mel.amax(dim=(1, 2), keepdim=True) - 8.0
    return (torch.maximum(log_mel, floor) + 4.0) / 4.0


def compute_ast_features(
    x: Tensor, *, n_mels: int = 128, n_frames: int = 1024, rate: int = 16_000, mean: float = 0.0, std: float = 1.0
) -> Tensor:
    """The Audio Spectrogram Transformer's Kaldi filter bank, padded to ``n_frames`` with zeros and scaled.

    Exact zeros at a sound's end count as padding: frames beyond its last sample are the zeros that the network was
    trained with, not the logarithm of silence.

    Parameters
    ----------
    x : (n_stimuli, n_samples), float in [-1, 1]

    Returns
    -------
    Tensor
        (n_stimuli, n_frames, n_mels), ``(features - mean) / (2 std)``.

    Source: Gong et al. (2021), AST: Audio Spectrogram Transformer, section 2.1; Kaldi's ``compute-fbank-feats``.
    """
    import torch

    needed = 400 + 160 * (n_frames - 1)
    x = torch.nn.functional.pad(x, (0, max(needed - x.shape[-1], 0)))[..., :needed]
    positions = torch.arange(1, needed + 1, device=x.device)
    lengths = ((x.detach() != 0) * positions).amax(dim=-1)
    frames = x.unfold(-1, 400, 160)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    first = frames[..., :1] * (1 - _PREEMPHASIS)
    frames = torch.cat([first, frames[..., 1:] - _PREEMPHASIS * frames[..., :-1]], dim=-1)
    window = torch.hann_window(400, periodic=False, device=x.device, dtype=x.dtype)
    spectrum = torch.fft.rfft(frames * window, n=512)
    power = spectrum.real.square() + spectrum.imag.square()
    filters = torch.as_tensor(make_kaldi_filters(n_mels, rate), device=x.device, dtype=x.dtype)
    features = (power @ filters.T).clamp(min=_EPSILON_AST).log()
    n_own = torch.div(lengths - 400, 160, rounding_mode="floor") + 1
    is_own = torch.arange(n_frames, device=x.device) < n_own[:, None]
    return (torch.where(is_own[..., None], features, torch.zeros_like(features)) - mean) / (std * 2)


@functools.cache
def make_slaney_filters(n_mels: int, rate: int, n_fft: int = 400, high: float = 8000.0) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale (linear to 1 kHz, logarithmic above): (n_mels, n_fft / 2 + 1)."""
    step = np.log(6.4) / 27.0
    to_mel = 15.0 + np.log(high / 1000.0) / step if high >= 1000 else 3.0 * high / 200.0
    mels = np.linspace(0.0, to_mel, n_mels + 2)
    edges = np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(step * (mels - 15.0)))
    triangles = _make_triangles(np.linspace(0.0, rate / 2, n_fft // 2 + 1), edges)
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


@functools.cache
def make_kaldi_filters(n_mels: int, rate: int, n_fft: int = 512, low: float = 20.0) -> np.ndarray:
    """Triangles on Kaldi's mel scale, linear in mel: (n_mels, n_fft / 2 + 1)."""

    def to_mel(frequency: np.ndarray | float) -> np.ndarray:
        return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)

    edges = np.linspace(to_mel(low), to_mel(rate / 2), n_mels + 2)
    return _make_triangles(to_mel(np.linspace(0.0, rate / 2, n_fft // 2 + 1)), edges)


def _make_triangles(positions: np.ndarray, edges: np.ndarray) -> np.ndarray:
    left, center, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (positions - left) / (center - left), (right - positions) / (right - center)
    return np.maximum(0.0, np.minimum(rising, falling))
