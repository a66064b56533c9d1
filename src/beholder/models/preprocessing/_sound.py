"""Sounds: decode, resample, cut, set the level; then the features that the network wants, inside the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, StimulusError, suggest_keywords
from beholder._core.progress import tell_once
from beholder._core.tensors import is_tensor
from beholder.models.preprocessing._base import PREPROCESSINGS, Preprocessing, check_fields

if TYPE_CHECKING:
    from torch import Tensor

FRONT_ENDS = ("waveform", "standardized", "whisper", "ast", "cochleagram", "log_mel")


@PREPROCESSINGS.register("sound")
@final
@dataclass(frozen=True)
class SoundPreprocessing(Preprocessing):
    """Mono samples at ``rate``, ``duration`` seconds long: cut, or padded with silence.

    What is done to a file's sounds is said once a process: another rate, a part cut off, silence added.

    Parameters
    ----------
    rate : int
        Samples per second.
    duration : float or None
        Seconds; None keeps each sound's own length.
    cut : {"start", "center"}
        Which part of a longer sound is kept.
    front_end : {"waveform", "standardized", "whisper", "ast", "cochleagram", "log_mel"}
        What ``normalize`` does, differentiably: nothing; zero mean and unit variance per sound (wav2vec2, HuBERT);
        Whisper's log-mel spectrogram; the Audio Spectrogram Transformer's filter bank;
        :func:`~beholder.models.compute_cochleagram`; :func:`~beholder.models.compute_log_mel`.
    n_mels : int
        Mel channels of ``"whisper"`` and ``"ast"``.
    n_frames : int
        Frames of ``"ast"``: cut or padded to.
    mean, std : float
        Of ``"ast"`` features, over the training set.
    pad : {"end", "center"}
        Where a shorter sound is padded: after it, or on both sides.
    rms : float or None
        Root mean square of the prepared sound, whose mean is removed; None keeps both. Silence stays silence.
    """

    rate: int = 16_000
    duration: float | None = None
    cut: str = "start"
    front_end: str = "waveform"
    n_mels: int = 80
    n_frames: int = 1024
    mean: float = 0.0
    std: float = 1.0
    pad: str = "end"
    rms: float | None = None

    def __post_init__(self) -> None:
        if self.front_end not in FRONT_ENDS:
            raise InputError(f"a front end: {', '.join(FRONT_ENDS)}", got=repr(self.front_end))
        if self.cut not in ("start", "center"):
            raise InputError("a cut: start or center", got=repr(self.cut))
        if self.pad not in ("end", "center"):
            raise InputError("a pad: end or center", got=repr(self.pad))
        if self.rms is not None and not self.rms > 0:
            raise InputError("an RMS above 0", got=str(self.rms))

    @property
    def modality(self) -> str:
        """``"sound"``."""
        return "sound"

    @property
    def n_samples(self) -> int | None:
        """Samples of a prepared sound."""
        return None if self.duration is None else round(self.duration * self.rate)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """``(n_samples,)``."""
        return None if self.n_samples is None else (self.n_samples,)

    @property
    def input_range(self) -> tuple[float, float] | None:
        """``(-1, 1)``."""
        return (-1.0, 1.0)

    @property
    def sample_rate(self) -> int | None:
        """``rate``."""
        return self.rate

    def prepare(self, source: Any) -> np.ndarray:
        """Decode, resample, cut, set the level, pad.

        Parameters
        ----------
        source : path, bytes, (samples, sample_rate), or float array (n_samples,) at ``rate``

        Returns
        -------
        ndarray
            (n_samples,), float32; full scale is [-1, 1]. With an ``rms``, single samples of a sound with very high
            peaks may lie beyond.
        """
        samples = np.asarray(read_samples(source, self.rate), dtype=np.float32)
        if samples.ndim != 1 or len(samples) == 0:
            raise StimulusError("one channel of samples (n_samples,)", got=f"an array of shape {samples.shape}")
        missing = 0 if self.n_samples is None else self.n_samples - len(samples)
        if missing < 0:
            self._tell("cut to their %s", "middle" if self.cut == "center" else "beginning", len(samples))
            start = -missing // 2 if self.cut == "center" else 0
            samples = samples[start : start + len(samples) + missing]
        if self.rms is not None:
            from beholder.stimuli import set_rms

            proportion = len(samples) / (len(samples) + max(missing, 0))
            samples = set_rms(samples, self.rms / proportion**0.5)
        if missing > 0:
            place = "on both sides" if self.pad == "center" else "at the end"
            self._tell("padded with silence %s", place, len(samples))
            before = missing // 2 if self.pad == "center" else 0
            samples = np.pad(samples, (before, missing - before))
        return np.ascontiguousarray(samples)

    def _tell(self, what: str, detail: str, n_samples: int) -> None:
        """Say once what happens to sounds of another length than ``duration``."""
        length = f"{'longer' if 'cut' in what else 'shorter'} than {self.duration:g} s"
        tell_once(f"sounds {length} are {what % detail} (the first has {n_samples / self.rate:.2f} s)", key=length)

    def normalize(self, x: Tensor) -> Tensor:
        """Samples to what the network takes, differentiably.

        Parameters
        ----------
        x : (n_stimuli, n_samples), float in [-1, 1]
        """
        from beholder.models.front_ends import _sound_features

        if self.front_end == "standardized":
            return _sound_features.standardize(x)
        if self.front_end == "whisper":
            return _sound_features.compute_whisper_log_mel(x, n_mels=self.n_mels, rate=self.rate)
        if self.front_end == "ast":
            return _sound_features.compute_ast_features(
                x, n_mels=self.n_mels, n_frames=self.n_frames, rate=self.rate, mean=self.mean, std=self.std
            )
        if self.front_end == "cochleagram":
            from beholder.models.front_ends._cochleagram import compute_cochleagram

            return compute_cochleagram(x, self.rate)
        if self.front_end == "log_mel":
            from beholder.models.front_ends._log_mel import compute_log_mel

            return compute_log_mel(x, self.rate)
        return x

    def list_normalizing(self) -> list[Any]:
        """The front end, and what it depends on."""
        own = {"whisper": (self.n_mels,), "ast": (self.n_mels, self.n_frames, self.mean, self.std)}
        return [] if self.front_end == "waveform" else [self.front_end, self.rate, *own.get(self.front_end, ())]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description."""
        return {"kind": "sound", **asdict(self)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> SoundPreprocessing:
        """From a table with any of the fields."""
        check_fields(cls, table)
        return cls(**table)

    def describe(self) -> str:
        """``"2 s at 16000 Hz"``."""
        level = "" if self.rms is None else f", RMS {self.rms:g}"
        return f"{'any length' if self.duration is None else f'{self.duration:g} s'} at {self.rate} Hz{level}"


@suggest_keywords
def read_samples(source: Any, rate: int) -> Any:
    """The samples of a file, its bytes, ``(samples, sample_rate)`` or an array at ``rate``; full scale is [-1, 1].

    Whole numbers of 16 or 32 bits, as sound files hold them, are scaled to full scale.
    """
    if isinstance(source, (str, Path, bytes)):
        from beholder.stimuli import load_sound

        source = load_sound(Path(source) if isinstance(source, str) else source)
    own_rate = rate
    if isinstance(source, tuple):
        source, own_rate = source
    samples = np.asarray(source.detach().cpu().numpy() if is_tensor(source) else source)
    if samples.dtype in (np.int16, np.int32):
        samples = samples.astype(np.float32) / np.float32(-float(np.iinfo(samples.dtype).min))
    elif samples.dtype.kind not in "f":
        raise StimulusError("samples as floats in [-1, 1], or of 16 or 32 bits", got=str(samples.dtype))
    if own_rate == rate:
        return samples
    from beholder.stimuli import resample_sound

    tell_once(f"sounds at {own_rate} Hz are resampled to {rate} Hz")
    return resample_sound(samples, own_rate, rate)
