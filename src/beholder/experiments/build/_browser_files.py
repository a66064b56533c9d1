"""Stimuli as every browser decodes them: files are looked into, kept where they will do, else converted or refused.

What a file is, its content says and not its name. Everything that is shipped has been decoded here once, so that no
participant meets a picture or sound that cannot be shown.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from beholder._core.errors import InputError, StimulusError
from beholder._core.progress import logger
from beholder.stimuli import list_image_extensions, list_sound_extensions, load_sound, open_image

PICTURE_SUFFIXES = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "WEBP": (".webp",), "GIF": (".gif",)}
"""Formats that browsers show, by Pillow's names, with the suffixes that a copy may have."""
PICTURE_MODES = {"JPEG": {"L", "RGB"}}
"""Where not every kind of pixel is shown alike: JPEG in CMYK is not."""
SOUND_SUFFIXES = {"WAV": (".wav",), "WAVEX": (".wav",), "FLAC": (".flac",), "MPEG": (".mp3",), "MP3": (".mp3",)}
"""Formats that browsers play, by libsndfile's names."""
SOUND_SUBTYPES = {"WAV": {"PCM_16", "PCM_U8"}, "WAVEX": {"PCM_16", "PCM_U8"}}
"""Encodings of them that all browsers decode; others of WAV (24 bits, floating point, µ-law) become 16 bits."""

_FULL_SCALE = 32768


@final
@dataclass(frozen=True)
class BrowserFile:
    """How a stimulus goes to browsers.

    Attributes
    ----------
    suffix : str
        Of the copy.
    kept : bool
        The file goes as it is; else it is converted: pictures to PNG, sounds to WAV of 16 bits.
    """

    suffix: str
    kept: bool


def look_at_file(path: Path) -> BrowserFile:
    """What a stimulus file is, read from its first bytes.

    Parameters
    ----------
    path : path
        A picture (PNG, JPEG, WebP and GIF go as they are, others that Pillow reads become PNG), or a sound (WAV of 8
        and 16 bits, FLAC and MP3 go as they are, others that libsndfile reads become WAV).

    Raises
    ------
    InputError
        It is neither, is empty, or is not there.
    """
    suffix = path.suffix.lower()
    if suffix in list_image_extensions() or suffix in (".gif", ".webp"):
        return _look_at_picture(path)
    if suffix in (*list_sound_extensions(), ".mp3", ".ogg"):
        return _look_at_sound(path)
    raise InputError("a picture or a sound that browsers can show", got=str(path), hint="PNG, JPEG, WAV or FLAC")


def read_for_browser(path: Path, suffix: str) -> bytes:
    """The bytes of a copy, decoded once: the file's own where browsers show them, else converted.

    Parameters
    ----------
    path : path
    suffix : str
        Of the copy, as :func:`look_at_file` gave it.

    Raises
    ------
    InputError
        The file is damaged, cut short, or has changed since it was looked at.
    """
    found = look_at_file(path)
    if found.suffix != suffix:
        raise InputError(f"the file that {path} was when the tasks were planned", got="one of another kind")
    try:
        if suffix in (".wav", ".flac", ".mp3"):
            return _read_sound(path, found)
        picture = open_image(path)
    except StimulusError as error:
        raise InputError("a stimulus that can be decoded", got=f"{path} ({error})", hint="a whole file") from error
    return path.read_bytes() if found.kept else encode_png(picture)


def encode_png(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _look_at_picture(path: Path) -> BrowserFile:
    try:
        with Image.open(path) as picture:
            kind, mode = picture.format or "", picture.mode
    except FileNotFoundError as error:
        raise InputError("the stimuli that the plan names", got=f"no file at {path}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            "a picture that can be decoded", got=f"{path} ({' '.join(str(error).split())[:120]})", hint="PNG or JPEG"
        ) from error
    kept = kind in PICTURE_SUFFIXES and mode in PICTURE_MODES.get(kind, {mode})
    if not kept:
        return BrowserFile(".png", kept=False)
    own = path.suffix.lower()
    return BrowserFile(own if own in PICTURE_SUFFIXES[kind] else PICTURE_SUFFIXES[kind][0], kept=True)


def _look_at_sound(path: Path) -> BrowserFile:
    import soundfile

    try:
        found = soundfile.info(str(path))
    except (RuntimeError, OSError) as error:
        if not path.is_file():
            raise InputError("the stimuli that the plan names", got=f"no file at {path}") from error
        reason = " ".join(str(error).split())[-120:]
        raise InputError("a sound that can be decoded", got=f"{path} ({reason})", hint="WAV or FLAC") from error
    if found.frames == 0:
        raise InputError("a sound", got=f"{path}, which has no samples")
    kept = found.format in SOUND_SUFFIXES and found.subtype in SOUND_SUBTYPES.get(found.format, {found.subtype})
    return BrowserFile(SOUND_SUFFIXES[found.format][0] if kept else ".wav", kept=kept)


def _read_sound(path: Path, found: BrowserFile) -> bytes:
    load_sound(path)  # refuses what is cut short or not finite
    if found.kept:
        return path.read_bytes()
    import soundfile

    channels, rate = soundfile.read(str(path), dtype="float64", always_2d=True)
    scaled = np.rint(channels * _FULL_SCALE)
    n_beyond = int(np.count_nonzero((scaled < -_FULL_SCALE) | (scaled > _FULL_SCALE)))
    if n_beyond:
        logger.warning("%s: %d of %d samples lie beyond full scale and are clipped", path, n_beyond, scaled.size)
    buffer = io.BytesIO()
    samples = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
