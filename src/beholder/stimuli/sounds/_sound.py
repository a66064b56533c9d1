"""Reading, resampling and writing sounds."""

from __future__ import annotations

import io
import math
import os
import struct
from pathlib import Path

import numpy as np

from beholder._core.errors import SKIP_HINT, InputError, StimulusError, suggest_keywords
from beholder._core.files import write_bytes

_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # written by programs that stream
_LEAST_RMS = 1e-10  # below it lies nothing but rounding


@suggest_keywords
def load_sound(source: Path | str | bytes, *, name: str | None = None) -> tuple[np.ndarray, int]:
    """Read a WAV or FLAC file as one channel; several are averaged.

    Parameters
    ----------
    source : path or bytes
        A file, or a file's content.
    name : str, optional
        What errors call the sound; by default its path.

    Returns
    -------
    sound : numpy.ndarray
        (n_samples,), float32, full scale is [-1, 1].
    sample_rate : int
        Samples a second.

    Raises
    ------
    StimulusError
        The file is missing, empty, truncated, no sound, or holds numbers that are not finite.
    """
    import soundfile

    if name is None:
        name = "bytes" if isinstance(source, bytes) else str(source)
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)) as file:
            n_expected, sample_rate = file.frames, int(file.samplerate)
            channels = file.read(dtype="float32", always_2d=True)
    except (RuntimeError, TypeError, OSError) as error:
        if not isinstance(source, bytes) and not Path(source).is_file():
            raise StimulusError("a sound file", got=f"no file at {name}") from error
        reason = " ".join(str(error).split())
        raise StimulusError("a sound file (wav, flac)", got=f"{name} ({reason})", hint=SKIP_HINT) from error
    problem = None
    if len(channels) == 0:
        problem = "no samples"
    elif len(channels) < n_expected or _is_cut_short(source):
        problem = "truncated"
    elif not np.isfinite(channels).all():
        problem = "samples that are not finite"
    if problem:
        raise StimulusError("a whole sound file", got=f"{name} ({problem})", hint=SKIP_HINT)
    sound = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(sound), sample_rate


@suggest_keywords
def resample_sound(sound: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Change the sample rate by polyphase filtering.

    Parameters
    ----------
    sound : numpy.ndarray
        (..., n_samples), float.
    from_rate, to_rate : int
        Samples a second, at least 1.

    Returns
    -------
    numpy.ndarray
        (..., ceil(n_samples * to_rate / from_rate)), float32.

    Raises
    ------
    InputError
        A rate is not a positive whole number.
    """
    for rate in (from_rate, to_rate):
        if not (rate >= 1 and float(rate).is_integer()):
            raise InputError("a sample rate that is a positive whole number", got=str(rate))
    sound = np.asarray(sound, dtype=np.float32)
    up, down = int(to_rate), int(from_rate)
    if up == down:
        return sound
    from scipy.signal import resample_poly

    shared = math.gcd(up, down)
    return np.asarray(resample_poly(sound, up // shared, down // shared, axis=-1), dtype=np.float32)


@suggest_keywords
def set_rms(sound: np.ndarray, rms: float = 0.1) -> np.ndarray:
    r"""Take the mean away and scale to a root mean square, :math:`r (x - \bar x) / \sqrt{\overline{(x - \bar x)^2}}`.

    Parameters
    ----------
    sound : numpy.ndarray
        (..., n_samples), float. Silence stays silence. Nothing is clipped, so that single samples may lie beyond
        full scale.
    rms : float
        Above 0; full scale is 1.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32.

    Raises
    ------
    InputError
        An RMS that is not a positive number.

    >>> round(float(np.sqrt(np.mean(set_rms(np.sin(np.arange(8000))) ** 2))), 6)
    0.1
    """
    if not 0 < rms < math.inf:
        raise InputError("an RMS above 0", got=str(rms))
    centered = np.asarray(sound, dtype=np.float64)
    centered = centered - centered.mean(axis=-1, keepdims=True)
    own = np.sqrt(np.mean(centered**2, axis=-1, keepdims=True))
    return (centered * (rms / np.where(own > _LEAST_RMS, own, np.inf))).astype(np.float32)


@suggest_keywords
def save_sound(path: Path | str, sound: np.ndarray, sample_rate: int, *, rms: float | None = None) -> None:
    """Write a sound as a float32 WAV file, by rename; equal sounds give equal bytes.

    Parameters
    ----------
    path : path
        Ending in ``.wav``.
    sound : numpy.ndarray
        (n_samples,), float. Kept as it is, without scaling and clipping, if no ``rms`` is given.
    sample_rate : int
        Samples a second.
    rms : float, optional
        Root mean square that the sound is written at, its mean removed (:func:`set_rms`).

    Raises
    ------
    InputError
        Another extension, more than one axis, an RMS that is not positive, or a folder that cannot be written.
    """
    from scipy.io import wavfile

    sound = np.asarray(sound, dtype=np.float32)
    if Path(path).suffix.lower() != ".wav":
        raise InputError("a file name ending in .wav", got=str(path))
    if sound.ndim != 1:
        raise InputError("a sound of shape (n_samples,)", got=str(sound.shape))
    if rms is not None:
        sound = set_rms(sound, rms)
    buffer = io.BytesIO()
    wavfile.write(buffer, int(sample_rate), sound)
    write_bytes(path, buffer.getvalue())


def _is_cut_short(source: Path | str | bytes) -> bool:
    """Whether a RIFF file is shorter than its header says; the decoder itself reads such files without a word."""
    if isinstance(source, bytes):
        head, length = source[:8], len(source)
    else:
        with open(source, "rb") as file:
            head, length = file.read(8), os.fstat(file.fileno()).st_size
    if head[:4] != b"RIFF":
        return False
    (announced,) = struct.unpack("<I", head[4:8])
    return announced not in _UNKNOWN_LENGTHS and announced + 8 > length + 1  # one pad byte is often left out
