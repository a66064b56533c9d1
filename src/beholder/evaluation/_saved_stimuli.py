"""Stimuli that one network's metamers were saved as, shown to another network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from beholder._core.errors import InputError, StimulusError, suggest_keywords
from beholder.models import Preprocessing, name_bad_stimulus, prepare_stimulus
from beholder.stimuli import StimulusSet, load_sound, open_image


def prepare_shown(content: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """The bytes of a picture or sound file that people are shown, as a network takes it; see :func:`prepare_saved`."""
    if content[:4] in (b"RIFF", b"fLaC"):
        return _prepare_sound(content, preprocessing)
    if preprocessing.modality == "sound":
        raise InputError("a network of pictures for pictures", got=f"one of {preprocessing.describe()}")
    return _prepare_picture(content, preprocessing, preprocessing.input_shape)


@suggest_keywords
def prepare_as_shown(stimuli: StimulusSet, i: int, preprocessing: Preprocessing) -> np.ndarray:
    """Stimulus ``i`` of a set as people are shown it, as a network takes it; see :func:`prepare_saved`.

    Files and pictures of 8 bits that have the network's shape are shown as they are; floats are taken as everywhere.
    """
    source = stimuli.read(i)[0]
    if isinstance(source, bytes):
        with name_bad_stimulus(stimuli, i):
            return prepare_shown(source, preprocessing)
    if stimuli.kind == "image" and isinstance(source, np.ndarray) and source.dtype == np.uint8:
        if preprocessing.modality == "sound":
            raise InputError("a network of pictures for pictures", got=f"one of {preprocessing.describe()}")
        return _prepare_picture(source, preprocessing, preprocessing.input_shape)
    return prepare_stimulus(preprocessing, stimuli, i, source)


@suggest_keywords
def prepare_saved(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    """A saved metamer or original as another network takes it before normalisation.

    What already has the network's shape (and rate) is shown as it is: nothing is cut, resized or set to a level. A
    picture of the same proportions is resized as a whole; anything else is prepared like any file.

    Parameters
    ----------
    path : Path
        ``.png``, ``.wav`` or ``.npy``.
    preprocessing : Preprocessing
        The judging network's.

    Returns
    -------
    float32, (channels, height, width), (n_samples,) or as saved

    Raises
    ------
    InputError
        A sound for a network of pictures, a picture for one of sounds.
    """
    shape = preprocessing.input_shape
    if path.suffix == ".wav":
        return _prepare_sound(path, preprocessing)
    if preprocessing.modality == "sound":
        raise InputError("a network of pictures to judge pictures", got=f"one of {preprocessing.describe()}")
    if path.suffix == ".npy":
        try:
            return preprocessing.prepare(np.load(path, allow_pickle=False).astype(np.float32))
        except (OSError, ValueError, EOFError) as error:
            raise StimulusError("an array file that the network can be shown", got=f"{path} ({error})") from error
    return _prepare_picture(path, preprocessing, shape)


def _prepare_sound(source: Path | bytes, preprocessing: Preprocessing) -> np.ndarray:
    if preprocessing.modality == "image":
        raise InputError("a network of sounds to judge sounds", got=f"one of {preprocessing.describe()}")
    samples, rate = load_sound(source)
    if rate == preprocessing.sample_rate and preprocessing.input_shape in (None, samples.shape):
        return samples
    return preprocessing.prepare((samples, rate))


def _prepare_picture(
    source: Path | bytes | np.ndarray, preprocessing: Preprocessing, shape: tuple[int, ...] | None
) -> np.ndarray:
    picture = open_image(source)
    if shape is None or len(shape) != 3 or shape[0] not in (1, 3):
        return preprocessing.prepare(picture)
    height, width = shape[1:]
    if picture.width * height != picture.height * width:
        return preprocessing.prepare(picture)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture.convert("L" if shape[0] == 1 else "RGB"), dtype=np.float32)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    low, high = preprocessing.input_range or (0.0, 1.0)
    unit = np.ascontiguousarray(pixels) / np.float32(255)
    return unit if (low, high) == (0.0, 1.0) else unit * np.float32(high - low) + np.float32(low)
