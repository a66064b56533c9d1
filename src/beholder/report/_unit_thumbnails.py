"""Small pictures of a unit's stimuli, as many and as large as the page has room for."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from beholder._core.errors import StimulusError
from beholder.report._embed import Budget, check_pixels, to_data_uri
from beholder.report._unit_overlay import Overlay, Scale, make_overlay
from beholder.stimuli import UnitStimulus, load_sound, open_image, resample_sound

_QUALITY = 80
_BYTES_PER_PIXEL = 0.55
_BYTES_OF_WORDS = 900
_BYTES_OF_CARD = 9_000
_SOUND_BYTES = 32_000
_SOUND_RATE = 16_000
_PAPER = 236
_SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@final
@dataclass(frozen=True)
class ThumbnailPlan:
    """How much of each unit is shown: pixels of a side, stimuli of each row, and the histogram."""

    side: int
    n_references: int
    n_queries: int
    n_optimized: int
    has_histogram: bool = True

    def count_references(self, *, has_optimized: bool) -> int:
        """References of a sign: a third more where there are no visualisations beside them."""
        return self.n_references if has_optimized else self.n_references * 4 // 3

    def count_shown(self, *, has_optimized: bool) -> int:
        """Stimuli on one card, both signs."""
        n_references = self.count_references(has_optimized=has_optimized)
        return 2 * (n_references + self.n_queries + (self.n_optimized if has_optimized else 0))


PLANS = (
    ThumbnailPlan(144, 9, 6, 9),
    ThumbnailPlan(128, 9, 6, 9),
    ThumbnailPlan(112, 9, 6, 9),
    ThumbnailPlan(96, 9, 6, 9),
    ThumbnailPlan(80, 9, 6, 9),
    ThumbnailPlan(80, 6, 3, 6),
    ThumbnailPlan(72, 3, 3, 3),
    ThumbnailPlan(64, 3, 0, 3),
    ThumbnailPlan(64, 2, 0, 2),
    ThumbnailPlan(56, 1, 0, 1),
    ThumbnailPlan(56, 1, 0, 1, has_histogram=False),
)
"""From generous to sparse."""


def plan_thumbnails(n_units: int, n_bytes: int, *, has_sounds: bool, has_optimized: bool) -> ThumbnailPlan:
    """The most generous plan whose expected size fits.

    Parameters
    ----------
    n_units : int
    n_bytes : int
        That the page has left.
    has_sounds : bool
        Each stimulus is heard, too.
    has_optimized : bool
        There are visualisations; without any, more references are shown.
    """
    for plan in PLANS:
        each = _BYTES_PER_PIXEL * plan.side**2 + _BYTES_OF_WORDS + (_SOUND_BYTES if has_sounds else 0)
        card = _BYTES_OF_CARD if plan.has_histogram else 0
        if n_units * (plan.count_shown(has_optimized=has_optimized) * each + card) <= n_bytes:
            return plan
    return PLANS[-1]


@final
@dataclass(frozen=True)
class ThumbnailResult:
    """What a stimulus became: data URIs, and whether the picture is partly transparent."""

    source: str
    sound: str
    has_alpha: bool
    overlay: Overlay | None


@final
class Thumbnailer:
    """Makes thumbnails as long as the page has room.

    Parameters
    ----------
    budget : Budget
        Of the page.

    Attributes
    ----------
    broken : list of str
        Files that could not be read.
    is_full : bool
        The page has no more room.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.broken: list[str] = []
        self.is_full = False

    def make(self, one: UnitStimulus, side: int, scale: Scale | None) -> ThumbnailResult | None:
        """One thumbnail; None when the page is full, or for a file that is neither picture nor sound."""
        sound = ""
        try:
            if is_sound(one.path):
                samples, rate = load_sound(one.path)
                picture, sound = draw_sound(samples, rate, 2 * side, side), encode_sound(samples, rate)
            else:
                check_pixels(one.path)
                picture = open_image(one.path, keep_alpha=True)
                if one.opacity is not None:
                    picture.putalpha(open_image(one.opacity).convert("L"))
                picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        except StimulusError:
            self.broken.append("/".join(one.path.parts[-5:]))
            return None
        has_alpha = picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)
        buffer = io.BytesIO()
        (picture if has_alpha else picture.convert("RGB")).save(buffer, "WEBP", quality=_QUALITY, method=2)
        source = to_data_uri(buffer.getvalue(), "image/webp")
        overlay = make_overlay(one, scale) if scale is not None else None
        words = " " * _BYTES_OF_WORDS
        if not self._budget.spend("".join((source, sound, overlay.source if overlay else "", words))):
            self.is_full = True
            return None
        return ThumbnailResult(source, sound, has_alpha, overlay)


def encode_sound(samples: np.ndarray, rate: int) -> str:
    """A sound as a data URI of FLAC, 16 bits, at most 16 kHz; louder than full scale is brought down to it."""
    import soundfile

    if rate > _SOUND_RATE:
        samples, rate = resample_sound(samples, rate, _SOUND_RATE), _SOUND_RATE
    peak = float(np.abs(samples).max(initial=0.0))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples / max(1.0, peak), rate, format="FLAC", subtype="PCM_16")
    return f"data:audio/flac;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def draw_sound(samples: np.ndarray, rate: int, width: int, height: int) -> Image.Image:
    """Waveform above, spectrogram below, time along x, as RGB of ``width`` × ``height``.

    The spectrogram is in decibels over 60 dB, on a logarithmic axis from 50 Hz to half the rate.
    """
    import matplotlib as mpl

    n_wave = height // 3
    levels = _compute_spectrogram(samples, rate, width, height - n_wave)
    colors = mpl.colormaps["magma"](levels)[..., :3]
    picture = np.full((height, width, 3), _PAPER, np.uint8)
    picture[n_wave:] = np.rint(colors * 255)
    peak = float(np.abs(samples).max(initial=0.0)) or 1.0
    middle = (n_wave - 1) / 2
    for column, part in enumerate(_cut_columns(samples, width)):
        top, bottom = (round(middle * (1 - edge / peak)) for edge in (part.max(), part.min()))
        picture[top : bottom + 1, column] = (70, 74, 80)
    return Image.fromarray(picture)


def _compute_spectrogram(samples: np.ndarray, rate: int, width: int, height: int) -> np.ndarray:
    """Levels in [0, 1], (height, width), high frequencies on top."""
    n_window = min(len(samples), max(64, int(0.025 * rate)))
    window = np.hanning(n_window)
    starts = np.linspace(0, len(samples) - n_window, width).astype(int)
    frames = np.stack([samples[start : start + n_window] for start in starts]) * window
    n_fft = max(1024, n_window)
    power = np.abs(np.fft.rfft(frames, n_fft, axis=1)) ** 2
    frequencies = np.geomspace(50.0, rate / 2, height)[::-1]
    bins = np.clip(np.rint(frequencies * n_fft / rate).astype(int), 1, power.shape[1] - 1)
    level = 10 * np.log10(power[:, bins].T + 1e-12)
    return np.clip((level - level.max() + 60) / 60, 0, 1)


def _cut_columns(samples: np.ndarray, n: int) -> Iterator[np.ndarray]:
    edges = np.linspace(0, len(samples), n + 1).astype(int)
    for start, stop in itertools.pairwise(edges):
        yield samples[start : max(stop, start + 1)]


def is_sound(path: Path) -> bool:
    """Whether a stimulus is heard rather than seen."""
    return path.suffix in _SOUND_SUFFIXES
