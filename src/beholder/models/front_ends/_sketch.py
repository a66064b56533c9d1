"""A small cochleagram of any sound, for looking at."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.front_ends._cochlear_filters import to_erb, to_frequency

_N_FILTERS, _LOW, _HIGH, _FRAMES = 30, 50.0, 10_000.0, 100
_LEAST_SECONDS = 0.2
_FACTOR = 2


@suggest_keywords
def sketch_cochleagram(samples: Any, rate: int) -> np.ndarray:
    """A cochleagram of about 65 channels and 100 frames a second, for pictures.

    Frames divide the sound's whole length, each in the middle of its part, with silence before and after.
    :func:`list_sketch_frequencies` tells the channels' frequencies.

    Parameters
    ----------
    samples : (n_samples,), float
    rate : int
        Samples per second, at least 1,000.

    Returns
    -------
    (n_channels, n_frames), float32
        Low frequency first.

    Source: as for :func:`compute_cochleagram`.

    >>> sketch_cochleagram(np.sin(np.arange(16_000)), 16_000).shape
    (65, 100)
    """
    import torch

    from beholder.models.front_ends._cochleagram import compute_cochleagram

    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or rate < 1000:
        raise InputError("samples (n_samples,) at 1,000 Hz or more", got=f"shape {samples.shape} at {rate} Hz")
    frames = next(n for n in range(_FRAMES, 0, -1) if rate % n == 0)
    factor = rate // frames
    n_frames, n_taps = -(-len(samples) // factor), 6 * factor + 1
    before = 3 * factor - factor // 2  # so that the first window has the first frame in its middle
    n = max((n_frames - 1) * factor + n_taps, before + len(samples), int(_LEAST_SECONDS * rate))
    padded = np.pad(samples, (before, n - before - len(samples)))
    settings: dict[str, Any] = {
        "n_filters": _N_FILTERS, "sample_factor": _FACTOR, "low": _LOW, "high": _find_top(rate),
        "envelope_rate": frames, "n_taps": n_taps,
    }  # fmt: skip
    with torch.inference_mode():
        return compute_cochleagram(torch.from_numpy(padded), rate, **settings).numpy()[:, :n_frames]


@suggest_keywords
def list_sketch_frequencies(rate: int) -> np.ndarray:
    """Frequencies of the channels of :func:`sketch_cochleagram` in Hz, (n_channels,), rising.

    >>> frequencies = list_sketch_frequencies(16_000)
    >>> len(frequencies), round(float(frequencies[1]))
    (65, 50)
    """
    steps = _FACTOR * (_N_FILTERS + 1)
    low, high = to_erb(_LOW), to_erb(_find_top(rate))
    channels = np.arange(1 - _FACTOR, steps + _FACTOR)
    return to_frequency(low + channels * (high - low) / steps)


def _find_top(rate: int) -> float:
    return min(_HIGH, 0.475 * rate)
