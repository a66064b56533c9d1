"""Sounds: decode, resample and cut to length; then the features that the network wants, inside the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, StimulusError
from beholder.models._preprocessing_base import Preprocessing, check_fields, refuse_uint8

if TYPE_CHECKING:
    from torch import Tensor

FRONT_ENDS = ("waveform", "standardized", "whisper", "ast")


@final
@dataclass(frozen=True)
class SoundPreprocessing(Preprocessing):
    """Mono samples at ``rate``, ``duration`` seconds long: cut, or padded with silence at the end.

    Parameters
    ----------
    rate : int
        Samples per second.
    duration : float or None
        Seconds; None keeps each sound's own length.
    cut : {"start", "center"}
        Which part of a longer sound is kept.
    front_end : {"waveform", "standardized", "whisper", "ast"}
        What ``normalize`` does, differentiably: nothing; zero mean and unit variance per sound (wav2vec2, HuBERT);
        Whisper's log-mel spectrogram; the Audio Spectrogram Transformer's filter bank.
    n_mels : int
        Mel channels of the last two.
    n_frames : int
        Frames of ``"ast"``: cut or padded to.
    mean, std : float
        Of ``"ast"`` features, over the training set.
    """

    rate: int = 16_000
    duration: float | None = None
    cut: str = "start"
    front_end: str = "waveform"
    n_mels: int = 80
    n_frames: int = 1024
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if self.front_end not in FRONT_ENDS:
            raise InputError(f"a front end: {', '.join(FRONT_ENDS)}", got=repr(self.front_end))
        if self.cut not in ("start", "center"):
            raise InputError("a cut: start or center", got=repr(self.cut))

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

    @property
    def supports_uint8(self) -> bool:
        """False."""
        return False

    def prepare(self, source: Any) -> np.ndarray:
        """Decode, resample, cut or pad.

        Parameters
        ----------
        source : path, bytes, (samples, sample_rate), or float array (n_samples,) at ``rate``

        Returns
        -------
        ndarray
            (n_samples,), float32 in [-1, 1].
        """
        samples = np.asarray(self._read(source), dtype=np.float32)
        if samples.ndim != 1:
            raise StimulusError("one channel of samples (n_samples,)", got=f"an array of shape {samples.shape}")
        if self.n_samples is not None:
            surplus = samples.shape[0] - self.n_samples
            if surplus > 0:
                start = surplus // 2 if self.cut == "center" else 0
                samples = samples[start : start + self.n_samples]
            elif surplus < 0:
                samples = np.pad(samples, (0, -surplus))
        return np.ascontiguousarray(samples)

    def normalize(self, x: Tensor) -> Tensor:
        """Samples to what the network takes, differentiably.

        Parameters
        ----------
        x : (n_stimuli, n_samples), float in [-1, 1]
        """
        from beholder.models import _sound_features

        if self.front_end == "standardized":
            return _sound_features.standardize(x)
        if self.front_end == "whisper":
            return _sound_features.compute_whisper_log_mel(x, n_mels=self.n_mels, rate=self.rate)
        if self.front_end == "ast":
            return _sound_features.compute_ast_features(
                x, n_mels=self.n_mels, n_frames=self.n_frames, rate=self.rate, mean=self.mean, std=self.std
            )
        return x

    def prepare_uint8(self, source: Any) -> np.ndarray:
        """Not offered."""
        raise refuse_uint8(self)

    def normalize_uint8(self, batch: np.ndarray) -> Tensor:
        """Not offered."""
        raise refuse_uint8(self)

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
        return f"{'any length' if self.duration is None else f'{self.duration:g} s'} at {self.rate} Hz"

    def _read(self, source: Any) -> Any:
        if isinstance(source, (str, Path, bytes)):
            from beholder.stimuli import load_sound

            source = load_sound(Path(source) if isinstance(source, str) else source)
        if isinstance(source, tuple):
            from beholder.stimuli import resample_sound

            samples, rate = source
            return samples if rate == self.rate else resample_sound(samples, rate, self.rate)
        return source.detach().cpu().numpy() if is_tensor(source) else source


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is a torch tensor, without importing torch."""
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)
