"""Sounds inside the page: heard, and seen as waveform and cochleagram."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from beholder.report._embed import to_data_uri
from beholder.stimuli import encode_flac, resample_sound

SOUND_PATTERNS = ("*.wav", "*.WAV", "*.flac", "*.ogg", "*.mp3")
_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_LEAST_RATE = 1_000
_SKETCH_RATE = 20_000
SOUND_PICTURE_BYTES = 9_000
"""About what the picture of a sound takes in a page."""


def is_sound(path: Path) -> bool:
    """Whether a stimulus is heard rather than seen."""
    return path.suffix.lower() in _SUFFIXES


def show_sound(samples: np.ndarray, rate: int) -> tuple[str, str]:
    """What a sound looks like and the sound itself, as data URIs."""
    return to_data_uri(draw_sound(samples, rate), "image/svg+xml"), to_data_uri(
        encode_flac(samples, rate), "audio/flac"
    )


def draw_sound(samples: np.ndarray, rate: int) -> bytes:
    """Waveform and cochleagram with axes, SVG."""
    from beholder.figures import render_sound
    from beholder.models import list_sketch_frequencies, sketch_cochleagram

    if rate < _LEAST_RATE:  # below what is heard: its shape is all that there is to see
        return render_sound(samples, rate, np.zeros((2, 2)), (0.0, rate / 2))
    low_rate = min(rate, _SKETCH_RATE)
    fewer = samples if rate == low_rate else resample_sound(samples, rate, low_rate)
    return render_sound(samples, rate, sketch_cochleagram(fewer, low_rate), list_sketch_frequencies(low_rate))
