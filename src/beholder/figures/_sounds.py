"""A sound as a small picture with axes: its waveform above, its cochleagram below, on any ground, light or dark."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_number

SOUND_WIDTH, SOUND_HEIGHT = 160, 112
"""Of the picture, in its own units; it scales."""
SOUND_LEFT, SOUND_RIGHT = 34, 158
"""Between these lies time."""
_WAVE, _LEVELS = (3, 33), (39, 96)
_COLUMNS = 124
_COLORMAP = "magma"
_TICKS = (100, 500, 2000, 8000)
_STYLE = (
    "text{font:9px sans-serif;fill:#666a70}path{stroke:#666a70;fill:none}.w{stroke:#7d8187}"
    "@media(prefers-color-scheme:dark){text{fill:#a9aeb6}path{stroke:#a9aeb6}.w{stroke:#b9bec6}}"
)


@suggest_keywords
def render_sound(samples: Any, rate: float, levels: Any, frequencies: Sequence[float] | np.ndarray) -> bytes:
    """Draw waveform and cochleagram over one time axis, as an SVG of 160 × 112 that scales.

    Words and lines are grey, lighter where the viewer prefers dark pages; the ground is the page's own.

    Parameters
    ----------
    samples : (n_samples,), float
        Drawn to the height of the largest sample, whose size stands beside.
    rate : float
        Samples per second.
    levels : (n_channels, n_frames), float
        Low frequency first, over the same time; the lowest level is drawn dark, the highest light.
    frequencies : (n_channels,), float
        Of the channels in Hz, rising.

    Returns
    -------
    bytes
    """
    samples, levels = np.asarray(samples, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    channels = np.asarray(frequencies, dtype=np.float64)
    if samples.ndim != 1 or not samples.size or levels.ndim != 2 or not levels.size or len(channels) != len(levels):
        got = f"{samples.shape}, {levels.shape} and {channels.shape}"
        raise InputError("samples (n,), levels (n_channels, n_frames), frequencies (n_channels,)", got=got)
    if rate <= 0:
        raise InputError("a rate above 0", got=f"{rate:g}")
    low, high = _LEVELS
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SOUND_WIDTH} {SOUND_HEIGHT}" '
        f'width="{SOUND_WIDTH}" height="{SOUND_HEIGHT}"><style>{_STYLE}</style>',
        _draw_wave(samples),
        f'<image x="{SOUND_LEFT}" y="{low}" width="{SOUND_RIGHT - SOUND_LEFT}" height="{high - low}" '
        f'preserveAspectRatio="none" href="{_embed_levels(levels)}"/>',
        _draw_frequencies(channels),
        _draw_time(len(samples) / rate),
        "</svg>",
    ]
    return "".join(parts).encode()


def _draw_wave(samples: np.ndarray) -> str:
    peak = float(np.abs(samples).max())
    top, bottom = _WAVE
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    edges = np.linspace(0, len(samples), _COLUMNS + 1).astype(int)
    path = []
    for column, (start, stop) in enumerate(itertools.pairwise(edges)):
        part = samples[start : max(stop, start + 1)] / (peak or 1.0)
        high, low = (middle - half * float(edge) for edge in (part.max(), part.min()))
        x = SOUND_LEFT + 0.5 + column
        path.append(f"M{x:g} {high - 0.3:.1f}V{low + 0.3:.1f}")
    words = [_write(SOUND_LEFT - 3, y + 6, f"{format_number(sign * peak, 2)}", "end")
             for y, sign in ((top, 1), (bottom - 4, -1))] if peak else []  # fmt: skip
    return f'<path class="w" d="{"".join(path)}"/>{"".join(words)}'


def _embed_levels(levels: np.ndarray) -> str:
    import matplotlib as mpl

    low, high = float(levels.min()), float(levels.max())
    unit = (levels[::-1] - low) / (high - low) if high > low else np.zeros_like(levels)
    colors = np.rint(255 * mpl.colormaps[_COLORMAP](unit)[..., :3]).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colors).save(buffer, "WEBP", quality=88, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _draw_frequencies(channels: np.ndarray) -> str:
    """Marks at 0.1, 0.5, 2 and 8 kHz, as far as the channels reach."""
    top, bottom = _LEVELS
    parts = []
    ticks = [tick for tick in _TICKS if channels[0] <= tick <= channels[-1]]
    for tick in ticks:
        place = (float(np.interp(tick, channels, np.arange(len(channels)))) + 0.5) / len(channels)
        y = bottom - place * (bottom - top)
        parts.append(f'<path d="M{SOUND_LEFT - 3} {y:.1f}h3"/>')
        parts.append(_write(SOUND_LEFT - 4, y + 3, f"{tick / 1000:g}", "end"))
    if ticks:
        parts.append(_write(SOUND_LEFT - 4, SOUND_HEIGHT - 4, "kHz", "end"))
    return "".join(parts)


def _draw_time(seconds: float) -> str:
    _, bottom = _LEVELS
    unit, shown = ("ms", 1000 * seconds) if seconds < 0.1 else ("s", seconds)
    line = f"M{SOUND_LEFT + 0.5} {bottom + 3}v-2.5H{SOUND_RIGHT - 0.5}v2.5"
    ends = _write(SOUND_LEFT, SOUND_HEIGHT - 4, "0", "start")
    ends += _write(SOUND_RIGHT, SOUND_HEIGHT - 4, f"{format_number(shown)} {unit}", "end")
    return f'<path d="{line}"/>{ends}'


def _write(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'
