"""A sound as a small picture: its waveform above, its cochleagram (or spectrogram) below."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from PIL import Image

from beholder._core.errors import InputError, suggest_keywords

_WAVE_SHARE = 3
_WAVE_INK = (70, 74, 80)
_COLORMAP = "magma"


@suggest_keywords
def draw_sound(samples: Any, levels: Any, width: int, height: int) -> Image.Image:
    """Draw waveform and cochleagram over the same time axis.

    Parameters
    ----------
    samples : (n_samples,), float
        Drawn to the height of its largest sample.
    levels : (n_channels, n_frames), float
        Low frequency first; the lowest level is drawn dark, the highest light.
    width, height : int
        Of the picture in pixels; the waveform takes the upper third.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    import matplotlib as mpl

    samples, levels = np.asarray(samples, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    if samples.ndim != 1 or not samples.size or levels.ndim != 2 or not levels.size:
        raise InputError("samples (n,) and levels (n_channels, n_frames)", got=f"{samples.shape} and {levels.shape}")
    n_wave = height // _WAVE_SHARE
    low, high = float(levels.min()), float(levels.max())
    unit = (levels[::-1] - low) / (high - low) if high > low else np.zeros_like(levels)
    colors = np.rint(255 * mpl.colormaps[_COLORMAP](unit)[..., :3]).astype(np.uint8)
    below = Image.fromarray(colors).resize((width, height - n_wave), Image.Resampling.BILINEAR)
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[n_wave:] = np.asarray(below)
    peak = float(np.abs(samples).max()) or 1.0
    middle = (n_wave - 1) / 2
    edges = np.linspace(0, len(samples), width + 1).astype(int)
    for column, (start, stop) in enumerate(itertools.pairwise(edges)):
        part = samples[start : max(stop, start + 1)]
        top, bottom = (round(middle * (1 - edge / peak)) for edge in (part.max(), part.min()))
        picture[top : bottom + 1, column] = _WAVE_INK
    return Image.fromarray(picture)
