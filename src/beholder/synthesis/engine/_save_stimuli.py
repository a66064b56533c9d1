"""Stimuli that were made, as files that other programs show and play."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import write_bytes
from beholder._core.progress import tell
from beholder.stimuli import save_picture, save_sound

_PICTURES, _SOUNDS = (".png", ".jpg", ".jpeg", ".webp"), (".wav", ".flac")


def save_stimuli(path: Path, stimuli: np.ndarray, rate: int | None) -> list[Path]:
    """Write pictures or sounds by the ending of a path; several are numbered from 0.

    Parameters
    ----------
    path : Path
    stimuli : ndarray, (n_stimuli, 3 or 1, height, width) or (n_stimuli, n_samples)
    rate : int or None
        Samples per second of sounds; None for pictures.

    Returns
    -------
    list of Path
        The files, in the order of the stimuli.

    Raises
    ------
    InputError
        Another ending, or one that does not go with what was made.
    """
    is_sound, is_picture = rate is not None and stimuli.ndim == 2, stimuli.ndim == 4 and stimuli.shape[1] in (1, 3)
    endings = _SOUNDS if is_sound else _PICTURES if is_picture else ()
    if path.suffix.lower() not in endings:
        names = f"{', '.join(endings)} for {'sounds' if is_sound else 'pictures'}, or .npz for everything"
        names = names if endings else f".npz for stimuli of shape {stimuli.shape[1:]}"
        hint = str(path.with_suffix(endings[0] if endings else ".npz")) if path.name else None
        raise InputError(f"a name ending in {names}", got=repr(str(path)), hint=hint)
    n = len(stimuli)
    paths = [path] if n == 1 else [path.with_name(f"{path.stem}_{i}{path.suffix}") for i in range(n)]
    for file, stimulus in zip(paths, stimuli, strict=True):
        if is_sound and rate is not None:
            _save_sound(file, stimulus, rate)
            continue
        low, high = float(stimulus.min()), float(stimulus.max())
        if low < 0 or high > 1:
            tell("%s: values from %.3g to %.3g are scaled to black and white", file, min(low, 0.0), max(high, 1.0))
        pixels = to_picture(stimulus)
        assert pixels is not None
        save_picture(file, np.ascontiguousarray(pixels))
    return paths


def _save_sound(path: Path, sound: np.ndarray, rate: int) -> None:
    if path.suffix.lower() == ".wav":
        save_sound(path, sound, rate)
        return
    import soundfile

    if (peak := float(np.abs(sound).max(initial=0.0))) > 1:
        raise InputError("samples in [-1, 1] for FLAC", got=f"a peak of {peak:.3g}", hint="a name ending in .wav")
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format="FLAC", subtype="PCM_24")
    write_bytes(path, buffer.getvalue())


def to_picture(image: np.ndarray) -> np.ndarray | None:
    """A stimulus as a picture for the screen, (height, width, 3) of uint8; None where it is none.

    >>> to_picture(np.zeros((3, 2, 4), np.float32)).shape
    (2, 4, 3)
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        return None
    low, high = min(0.0, float(image.min())), max(1.0, float(image.max()))
    pixels = np.round(255 * (image - low) / (high - low)).astype(np.uint8).transpose(1, 2, 0)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
