"""A small cochleagram of any sound, for looking at."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords

_N_FILTERS, _LOW, _HIGH, _FRAMES = 30, 50.0, 10_000.0, 100
_LEAST_SECONDS = 0.2


@suggest_keywords
def sketch_cochleagram(samples: Any, rate: int) -> np.ndarray:
    """A cochleagram of about 65 channels and 100 frames a second, for pictures; shorter sounds are padded to 0.2 s.

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
    (65, 94)
    """
    import torch

    from beholder.models.front_ends._cochleagram import compute_cochleagram

    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or rate < 1000:
        raise InputError("samples (n_samples,) at 1,000 Hz or more", got=f"shape {samples.shape} at {rate} Hz")
    padded = np.pad(samples, (0, max(0, int(_LEAST_SECONDS * rate) - len(samples))))
    frames = next(n for n in range(_FRAMES, 0, -1) if rate % n == 0)
    settings: dict[str, Any] = {
        "n_filters": _N_FILTERS, "sample_factor": 2, "low": _LOW, "high": min(_HIGH, 0.475 * rate),
        "envelope_rate": frames, "n_taps": min(6 * (rate // _FRAMES) + 1, len(padded)),
    }  # fmt: skip
    with torch.inference_mode():
        return compute_cochleagram(torch.from_numpy(padded), rate, **settings).numpy()
