"""Sounds that are played in a notebook: no server, no file beside it."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, StimulusError, suggest_keywords
from beholder.stimuli.sounds._sound import load_sound, resample_sound

_MOST_SECONDS, _RATE = 10.0, 16_000


@suggest_keywords
def embed_player(source: Any, title: str = "", *, sample_rate: int | None = None) -> str:
    """A sound as a player of at most 10 seconds; its name where it cannot be played.

    Parameters
    ----------
    source : path, bytes, (samples, sample_rate), or samples
        Samples alone, (n_samples,) or (1, n_samples), need ``sample_rate``.
    title : str
        Above the player.
    sample_rate : int, optional
    """
    name = html.escape(title or (source.name if isinstance(source, Path) else "sound"))
    try:
        if isinstance(source, (str, Path, bytes)):
            samples, rate = load_sound(source)
        elif isinstance(source, tuple):
            samples, rate = np.asarray(source[0]), int(source[1])
        elif sample_rate is not None:
            samples, rate = np.asarray(source), sample_rate
        else:
            return f"<span>{name}</span>"
        data, seconds = encode_player(samples, rate)
    except (StimulusError, InputError):
        return f"<span>{name}: cannot be played</span>"
    cut = f", the first {_MOST_SECONDS:g} of {seconds:.3g} s" if seconds > _MOST_SECONDS else ""
    uri = f"data:audio/flac;base64,{base64.b64encode(data).decode()}"
    player = f"<audio controls preload='metadata' style='width:17em;height:2.4em' src='{uri}'></audio>"
    return (
        "<figure style='margin:1px;display:inline-block;font-size:11px'>"
        f"<figcaption>{name}{cut}</figcaption>{player}</figure>"
    )


def encode_player(samples: np.ndarray, rate: int) -> tuple[bytes, float]:
    """FLAC of the first 10 seconds, 16 bits, at most 16 kHz, brought down to full scale; and how long all of it is.

    Parameters
    ----------
    samples : (n_samples,) or (1, n_samples), float
    rate : int
    """
    mono = samples.reshape(-1) if samples.ndim == 1 or samples.shape[0] == 1 else samples.mean(axis=-1)
    return encode_flac(mono[: round(_MOST_SECONDS * rate)], rate), len(mono) / rate


@suggest_keywords
def encode_flac(samples: np.ndarray, rate: int) -> bytes:
    """A sound to be heard in a page: FLAC, 16 bits, at most 16 kHz; louder than full scale is brought down to it.

    Parameters
    ----------
    samples : (n_samples,), float
    rate : int
        Samples a second.

    Examples
    --------
    >>> encode_flac(np.zeros(800), 8_000)[:4]
    b'fLaC'
    """
    import soundfile

    if rate > _RATE:
        samples, rate = resample_sound(samples, rate, _RATE), _RATE
    peak = float(np.abs(samples).max(initial=0.0))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples / max(1.0, peak), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
