"""A source and a filter: voiced pulses and noise through formants that move, for syllables made by code.

Source: Klatt (1980), Software for a cascade/parallel formant synthesizer, for the design; Peterson & Barney (1952),
Control methods used in a study of the vowels, for the vowels' formants (men's means).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

RATE = 16_000
N_SAMPLES = 16_000

VOWELS: dict[str, tuple[float, float, float]] = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "u": (300.0, 870.0, 2240.0),
}
"""First three formants in Hz, for a vocal tract of length 1."""


@final
@dataclass(frozen=True)
class Consonant:
    """How a syllable begins.

    Parameters
    ----------
    loci : (float, float, float)
        Hz: where the formants of the vowel come from.
    noise : tuple of (float, float, float)
        Peaks of the noise's spectrum: centre and width in Hz, height.
    is_stop : bool
        A burst of noise after a closure, or else a hiss.
    """

    loci: tuple[float, float, float]
    noise: tuple[tuple[float, float, float], ...]
    is_stop: bool


CONSONANTS: dict[str, Consonant] = {
    "b": Consonant((250.0, 800.0, 2200.0), ((700.0, 600.0, 1.0),), is_stop=True),
    "d": Consonant((250.0, 1800.0, 2700.0), ((3800.0, 900.0, 1.0), (1800.0, 400.0, 0.3)), is_stop=True),
    "s": Consonant((300.0, 1700.0, 2700.0), ((5800.0, 900.0, 1.0), (7200.0, 700.0, 0.7)), is_stop=False),
    "sh": Consonant((300.0, 2000.0, 2600.0), ((2900.0, 500.0, 1.0), (4800.0, 900.0, 0.5)), is_stop=False),
}

_HIGHER_FORMANTS = (3500.0, 4500.0)
_BANDWIDTHS = (70.0, 90.0, 140.0, 220.0, 300.0)
_WINDOW, _HOP, _N_FFT = 320, 80, 1024


def speak(consonant: Consonant, vowel: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """One syllable somewhere within a second, by a speaker drawn at random, in noise: (16000,), float64."""
    tract = rng.uniform(0.88, 1.2)
    sound = np.zeros(N_SAMPLES)
    n_vowel = _to_samples(rng.uniform(0.16, 0.4))
    voice = _make_voiced(n_vowel, consonant, vowel, tract, rng)
    n_hiss = _to_samples(rng.uniform(0.08, 0.18))
    n_murmur = _to_samples(rng.uniform(0.03, 0.09)) if consonant.is_stop and rng.random() < 0.5 else 0
    if consonant.is_stop:
        n_hiss = _to_samples(rng.uniform(0.008, 0.022))
        noise = _make_noise(n_hiss, consonant, tract, rng) * np.exp(-np.linspace(0, 4, n_hiss))
        level, overlap = rng.uniform(0.35, 0.8), -_to_samples(rng.uniform(0.0, 0.012))
    else:
        noise = _make_noise(n_hiss, consonant, tract, rng)
        noise *= _make_ramps(n_hiss, rng.uniform(0.02, 0.06), rng.uniform(0.015, 0.03))
        level, overlap = rng.uniform(0.2, 0.5), _to_samples(rng.uniform(0.005, 0.02))
    lead = n_murmur + n_hiss - overlap
    start = int(rng.integers(320, N_SAMPLES - lead - n_vowel - 320))
    if n_murmur:
        sound[start : start + n_murmur] += rng.uniform(0.05, 0.2) * _make_murmur(n_murmur, rng)
    first = start + n_murmur
    sound[first : first + n_hiss] += level * noise
    sound[start + lead : start + lead + n_vowel] += voice
    return _add_room(sound, rng)


def _to_samples(seconds: float) -> int:
    return round(seconds * RATE)


def _make_ramps(n: int, rise: float, fall: float) -> np.ndarray:
    """A gain that rises from 0 and falls to it, in seconds."""
    t = np.arange(n) / RATE
    return np.minimum(1.0, np.minimum(t / rise, (n / RATE - t) / fall)).clip(0)


def _make_pulses(n: int, rng: np.random.Generator) -> np.ndarray:
    """Glottal pulses of a gliding pitch, with a falling spectrum; RMS 1."""
    from scipy.signal import lfilter

    pitch = np.exp(rng.uniform(np.log(85), np.log(270)))
    glide = np.linspace(1 + rng.uniform(-0.1, 0.2), 1 + rng.uniform(-0.25, 0.1), n)
    wobble = 1 + 0.01 * np.sin(2 * np.pi * (rng.uniform(4, 7) * np.arange(n) / RATE + rng.random()))
    phase = rng.random() + np.cumsum(pitch * glide * wobble) / RATE
    whole = np.floor(phase)
    hits = np.flatnonzero(np.diff(whole) > 0) + 1
    late = (phase[hits] - whole[hits]) / (phase[hits] - phase[hits - 1])
    pulses = np.zeros(n + 1)
    np.add.at(pulses, hits, 1 - late)
    np.add.at(pulses, hits - 1, late)
    pulses = np.asarray(lfilter([1.0], [1.0, -rng.uniform(0.88, 0.97)], pulses[:n] - pulses[:n].mean()))
    return pulses / np.sqrt(np.mean(pulses**2) + 1e-12)


def _make_voiced(
    n: int, consonant: Consonant, vowel: tuple[float, float, float], tract: float, rng: np.random.Generator
) -> np.ndarray:
    """The voiced part: pulses and some breath through formants on their way from the consonant to the vowel; RMS 1."""
    source = _make_pulses(n, rng) + rng.uniform(0.02, 0.12) * rng.standard_normal(n)
    source *= _make_ramps(n, rng.uniform(0.008, 0.03), rng.uniform(0.04, 0.1))
    n_frames = -(-n // _HOP) + _WINDOW // _HOP
    t = np.maximum(np.arange(n_frames) * _HOP / RATE - 0.01, 0)
    targets = np.array([*vowel, *_HIGHER_FORMANTS]) * (1 + rng.normal(0, 0.03, 5))
    loci = np.array([*consonant.loci, *_HIGHER_FORMANTS]) * (1 + rng.normal(0, 0.03, 5))
    way = np.exp(-t / rng.uniform(0.012, 0.03))[:, None]
    formants = tract * (targets + (loci - targets) * way)
    voiced = _filter_frames(source, formants, np.array(_BANDWIDTHS) * rng.uniform(0.8, 1.4))
    return voiced / np.sqrt(np.mean(voiced**2))


def _filter_frames(source: np.ndarray, formants: np.ndarray, bandwidths: np.ndarray) -> np.ndarray:
    """Overlapping frames of (n,) samples through a cascade of resonators, (n_frames, n_formants) in Hz, each."""
    n, n_frames = len(source), len(formants)
    padded = np.pad(source, (_WINDOW - _HOP, n_frames * _HOP + _WINDOW))
    places = np.arange(n_frames)[:, None] * _HOP + np.arange(_WINDOW)
    frames = padded[places] * np.hanning(_WINDOW + 1)[:-1] / 2
    radius = np.exp(-np.pi * bandwidths / RATE)
    turns = 2 * radius * np.cos(2 * np.pi * formants / RATE)
    poles = np.ones((n_frames, 1))
    for turn, square in zip(turns.T[..., None], radius**2, strict=True):
        longer = np.pad(poles, ((0, 0), (0, 2)))
        longer[:, 1:-1] -= turn * poles
        longer[:, 2:] += square * poles
        poles = longer
    gains = np.prod(1 - turns + radius**2, axis=1)[:, None]
    spectrum = np.fft.rfft(frames * gains, n=_N_FFT) / np.fft.rfft(poles, n=_N_FFT)
    pieces = np.fft.irfft(spectrum, n=_N_FFT)
    total = np.zeros(n_frames * _HOP + _N_FFT)
    for i, piece in enumerate(pieces):
        total[i * _HOP : i * _HOP + _N_FFT] += piece
    return total[_WINDOW - _HOP : _WINDOW - _HOP + n]


def _make_noise(n: int, consonant: Consonant, tract: float, rng: np.random.Generator) -> np.ndarray:
    """Noise with the consonant's spectrum, RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n), n=max(n, 512))
    frequencies = np.fft.rfftfreq(max(n, 512), 1 / RATE)
    gains = np.full(len(frequencies), 0.02)
    for center, width, height in consonant.noise:
        place = center * tract**0.5 * (1 + rng.normal(0, 0.05))
        gains += height * np.exp(-0.5 * ((frequencies - place) / (width * rng.uniform(0.8, 1.3))) ** 2)
    noise = np.fft.irfft(spectrum * gains, n=max(n, 512))[:n]
    return noise / np.sqrt(np.mean(noise**2) + 1e-12)


def _make_murmur(n: int, rng: np.random.Generator) -> np.ndarray:
    """Voicing behind closed lips: the lowest harmonics alone."""
    murmur = _filter_frames(_make_pulses(n, rng), np.full((-(-n // _HOP) + 4, 1), 200.0), np.array([100.0]))
    murmur /= np.sqrt(np.mean(murmur**2))
    return murmur * _make_ramps(n, 0.02, 0.005)


def _add_room(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tilted spectrum, as of another microphone, and steady noise between white and pink, 12 to 45 dB below."""
    frequencies = np.maximum(np.fft.rfftfreq(N_SAMPLES, 1 / RATE), 60.0)
    tilt = (frequencies / 1000) ** (rng.uniform(-2.0, 2.0) / 6.02)
    spoken = np.fft.irfft(np.fft.rfft(sound) * tilt)
    colour = frequencies ** -rng.uniform(0.0, 0.5)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(N_SAMPLES)) * colour)
    level = np.sqrt(np.mean(spoken**2) / np.mean(noise**2)) * 10 ** (-rng.uniform(12, 45) / 20)
    return spoken + level * noise
