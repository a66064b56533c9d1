"""A cochleagram written out from its definition in plain numpy, channel by channel and frame by frame, in float64."""

from __future__ import annotations

import math

import numpy as np


def erb_number(hertz: float) -> float:
    return 9.265 * math.log(1 + hertz / (24.7 * 9.265))


def erb_inverse(number: float) -> float:
    return 24.7 * 9.265 * (math.exp(number / 9.265) - 1)


def make_gains(n_samples: int, rate: int, n: int, low: float, high: float, s: int) -> tuple[np.ndarray, list[float]]:
    """Rows of gains at the bins of a real FFT, and centre frequencies."""
    n_band = s * (n + 1) - 1
    step = (erb_number(high) - erb_number(low)) / (n_band + 1)
    centers = [erb_number(low) + (i + 1) * step for i in range(n_band)]
    bins = np.array([erb_number(k * rate / n_samples) for k in range(n_samples // 2 + 1)])
    rows = np.zeros((n_band + 2 * s, len(bins)))
    for i, center in enumerate(centers):
        inside = (center - s * step < bins) & (bins < center + s * step)
        rows[s + i, inside] = np.cos(np.pi * (bins[inside] - center) / (2 * s * step))
    for i in range(s):
        last = n_band - s + i
        below, above = bins < centers[i], bins > centers[last]
        rows[i, below] = np.sqrt(1 - rows[s + i, below] ** 2)
        rows[s + n_band + i, above] = np.sqrt(1 - rows[s + last, above] ** 2)
    names = [c - s * step for c in centers[:s]] + centers + [c + s * step for c in centers[-s:]]
    return rows / math.sqrt(s), [erb_inverse(name) for name in names]


def make_taps(factor: int, n_taps: int, shift: float = 0.5) -> np.ndarray:
    """A sinc under a Kaiser window, ``shift`` samples off the centre."""
    taps = np.empty(n_taps)
    middle = (n_taps - 1) / 2
    for j in range(n_taps):
        t = (j - middle - shift) / factor
        sinc = 1.0 if t == 0 else math.sin(math.pi * t) / (math.pi * t)
        window = np.i0(5 * math.sqrt(1 - ((j - middle) / middle) ** 2)) / np.i0(5.0)
        taps[j] = sinc / factor * window
    return taps


def make_cochleagram(
    sound: np.ndarray,
    rate: int,
    *,
    n: int = 50,
    low: float = 50.0,
    high: float = 10_000.0,
    s: int = 4,
    factor: int = 100,
    n_taps: int = 1001,
    shift: float = 0.5,
    envelope: str = "hilbert",
) -> np.ndarray:
    """One sound's (n_channels, n_frames)."""
    n_samples = len(sound)
    gains, _ = make_gains(n_samples, rate, n, low, high, s)
    taps = make_taps(factor, n_taps, shift)
    spectrum = np.fft.fft(sound)[: n_samples // 2 + 1]
    n_frames = (n_samples - n_taps) // factor + 1
    result = np.zeros((len(gains), n_frames))
    for i, row in enumerate(gains):
        whole = np.zeros(n_samples, dtype=complex)
        whole[: len(row)] = row * spectrum
        if envelope == "hilbert":
            subband = np.fft.ifft(whole)
            level = np.sqrt(np.maximum(subband.real**2 + subband.imag**2, 1e-16))
        else:
            for k in range(1, (n_samples + 1) // 2):
                whole[n_samples - k] = np.conj(whole[k])
            subband = np.fft.ifft(whole).real
            level = np.maximum(subband, 0) if envelope == "rectified" else np.abs(subband)
        for m in range(n_frames):
            total = float((level[m * factor : m * factor + n_taps] * taps).sum())
            result[i, m] = (max(total, 0.0) + 1e-8) ** 0.3
    return result
