"""Sounds, varied: a random window, background at a random level, the level set, gain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator
from beholder.models import ExtendedPreprocessing, Preprocessing, SoundPreprocessing, name_bad_stimulus, read_samples
from beholder.stimuli import StimulusSet, set_rms
from beholder.training.data._readers import StimulusReader

RMS = 0.1
_TRIES = 20


def mix_at_snr(sound: np.ndarray, noise: np.ndarray, snr: float, span: slice = slice(None)) -> np.ndarray:
    r"""Sound and noise at a ratio of their powers in dB: :math:`s + n \sqrt{P_s / (P_n 10^{snr / 10})}`.

    Parameters
    ----------
    sound, noise : (n_samples,), float
        A silent sound stays alone; noise must not be silent.
    snr : float
        dB.
    span : slice
        Where the sound lies, the rest being silence: its power is measured there.

    Returns
    -------
    numpy.ndarray
        (n_samples,), float32.
    """
    power = float(np.mean(np.square(sound[span], dtype=np.float64)))
    own = float(np.mean(np.square(noise, dtype=np.float64)))
    return (sound + noise * np.sqrt(power / (own * 10 ** (snr / 10)))).astype(np.float32)


@final
class Background:
    """Sounds that are mixed into others.

    Parameters
    ----------
    stimuli : StimulusSet
        Sounds.
    rate : int
        Samples per second.
    snr : (float, float)
        dB, lowest and highest.
    """

    def __init__(self, stimuli: StimulusSet, rate: int, snr: tuple[float, float]) -> None:
        if stimuli.kind != "sound":
            raise InputError("a background of sounds", got=f"{len(stimuli)} {stimuli.kind}s")
        self._stimuli, self._rate, self._snr = stimuli, rate, snr
        self._samples: dict[int, np.ndarray] = {}

    def draw(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """A part of one of the sounds, repeated where it is shorter, and the SNR that it is mixed at."""
        snr = float(rng.uniform(*self._snr))
        for _ in range(_TRIES):
            samples = self._load(int(rng.integers(len(self._stimuli))))
            start = int(rng.integers(max(len(samples) - n_samples + 1, 1)))
            if len(samples) < n_samples:
                start = int(rng.integers(len(samples)))
            part = samples[(start + np.arange(n_samples)) % len(samples)]
            part = part - part.mean()
            if float(np.abs(part).max(initial=0.0)) > 1e-6:
                return part, snr
        raise InputError("a background that is heard", got=f"silence in {_TRIES} parts of {self._stimuli.root}")

    def _load(self, i: int) -> np.ndarray:
        if i not in self._samples:
            with name_bad_stimulus(self._stimuli, i):
                samples = np.asarray(read_samples(self._stimuli.read(i)[0], self._rate), dtype=np.float32)
            if not len(samples):
                raise InputError("sounds with samples", got=f"none in {self._stimuli.files[i]}")
            self._samples[i] = samples
        return self._samples[i]


@final
class SoundReader(StimulusReader):
    """Sounds in a random window, with background.

    Parameters
    ----------
    preprocessing : Preprocessing
        The model's, with a ``sample_rate``.
    numbers : mapping of str to float
        Augmentations in their order: ``crop``, ``hiss``, ``gain``.
    background : Background, optional
    """

    def __init__(
        self, preprocessing: Preprocessing, numbers: Mapping[str, float], background: Background | None = None
    ) -> None:
        rate = preprocessing.sample_rate
        shape = preprocessing.input_shape
        if rate is None or shape is None:
            raise InputError("a model of sounds of one length", got=preprocessing.describe(),
                             hint="SoundPreprocessing(rate=..., duration=...)")  # fmt: skip
        self._preprocessing, self._rate, self._n_samples = preprocessing, rate, shape[-1]
        self._numbers, self._background = dict(numbers), background
        self._base = preprocessing.base if isinstance(preprocessing, ExtendedPreprocessing) else preprocessing

    def load(self, stimuli: StimulusSet, i: int) -> np.ndarray:
        """The whole sound at the model's rate."""
        return self.open(stimuli.read(i)[0])

    def open(self, source: Any) -> np.ndarray:
        """The samples of a file's content, or of samples and their rate."""
        samples = np.asarray(read_samples(source, self._rate), dtype=np.float32)
        if samples.ndim != 1 or len(samples) == 0:
            raise InputError("one channel of samples (n_samples,)", got=f"shape {samples.shape}")
        return samples

    def show(self, loaded: np.ndarray, seed: int, *path: str | int) -> np.ndarray:
        """The varied sound."""
        rng = make_generator(seed, *path)
        sound, span = self._place(loaded, rng)
        mixed = sound
        if "hiss" in self._numbers:
            snr = self._numbers["hiss"] + rng.uniform(0, 30)
            mixed = mix_at_snr(mixed, rng.standard_normal(len(sound)), snr, span)
        if self._background is not None:
            noise, snr = self._background.draw(len(sound), rng)
            mixed = set_rms(mix_at_snr(mixed, noise, snr, span), self._get_rms())
        elif mixed is sound and isinstance(self._base, SoundPreprocessing):
            whole = self._preprocessing.prepare(sound[span])  # its level, without the silence around it
            before = (len(sound) - (span.stop - span.start)) // 2 if self._base.pad == "center" else 0
            return self._amplify(np.roll(whole, span.start - before), rng)
        return self._amplify(self._preprocessing.prepare(mixed), rng)

    def count_bytes(self, loaded: np.ndarray) -> int:
        """Bytes of the samples."""
        return loaded.nbytes

    def _get_rms(self) -> float:
        return (self._base.rms if isinstance(self._base, SoundPreprocessing) else None) or RMS

    def _place(self, samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, slice]:
        """A window of the sound, or the sound somewhere in silence; and where it lies."""
        missing = self._n_samples - len(samples)
        if missing <= 0:
            start = int(rng.integers(-missing + 1)) if "crop" in self._numbers else self._find_cut(-missing)
            return samples[start : start + self._n_samples], slice(0, self._n_samples)
        start = int(rng.integers(missing + 1)) if "crop" in self._numbers else self._find_pad(missing)
        sound = np.zeros(self._n_samples, np.float32)
        sound[start : start + len(samples)] = samples
        return sound, slice(start, start + len(samples))

    def _find_cut(self, surplus: int) -> int:
        return 0 if isinstance(self._base, SoundPreprocessing) and self._base.cut == "start" else surplus // 2

    def _find_pad(self, missing: int) -> int:
        return 0 if isinstance(self._base, SoundPreprocessing) and self._base.pad == "end" else missing // 2

    def _amplify(self, sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        gain = self._numbers.get("gain")
        return sound if gain is None else sound * np.float32(10 ** (rng.uniform(-gain, gain) / 20))
