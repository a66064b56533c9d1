"""A stimulus as the model sees it, before normalisation, as the bytes of a file, and back."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from PIL import Image

from beholder._core.errors import StimulusError
from beholder.models import ImagePreprocessing, Preprocessing, load_stimulus
from beholder.stimuli import StimulusSet, load_sound, open_image

_CACHE_BYTES = 128 * 2**20
_PNG_LEVEL = 1


class PreparedFiles:
    """Encoded stimuli of one set, the most recently used kept in memory. Safe to use from several threads.

    Parameters
    ----------
    stimuli : StimulusSet
    preprocessing : Preprocessing
        The model's.
    hashes : mapping of str to str
        By stimulus id, as recorded; empty where unknown.
    """

    def __init__(self, stimuli: StimulusSet, preprocessing: Preprocessing, hashes: dict[str, str]) -> None:
        self._stimuli, self._preprocessing, self._hashes = stimuli, preprocessing, hashes
        arrays = stimuli.arrays
        as_floats = arrays is not None and np.dtype(getattr(arrays, "dtype", np.uint8)).kind == "f"
        self._as_uint8 = isinstance(preprocessing, ImagePreprocessing) and not as_floats
        self._places = {stimulus_id: i for i, stimulus_id in enumerate(stimuli.ids)}
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def encode(self, stimulus_id: str) -> bytes:
        """The file of one stimulus.

        Raises
        ------
        StimulusError
            It cannot be read, or differs from what was recorded.
        """
        with self._lock:
            if stimulus_id in self._cache:
                self._cache.move_to_end(stimulus_id)
                return self._cache[stimulus_id]
        place = self._places[stimulus_id]
        prepared, digest, _ = load_stimulus(self._stimuli, place, self._preprocessing, None, as_uint8=self._as_uint8)
        recorded = self._hashes.get(stimulus_id)
        if recorded and recorded != digest and not self._stimuli.has_hash(place, recorded):
            name = self._stimuli.files[place] or stimulus_id
            raise StimulusError(
                "the stimuli that were recorded",
                got=f"{name}, which has changed since",
                hint="recording again with --overwrite",
            )
        data = encode_prepared(np.asarray(prepared), self._preprocessing)
        with self._lock:
            if stimulus_id not in self._cache:
                self._cache[stimulus_id] = data
                self._cached_bytes += len(data)
            while self._cached_bytes > _CACHE_BYTES:
                self._cached_bytes -= len(self._cache.popitem(last=False)[1])
        return data

    @property
    def suffix(self) -> str:
        """Of all files: ``.png``, ``.wav`` or, for arrays that are neither, ``.npy``."""
        if isinstance(self._preprocessing, ImagePreprocessing):
            return ".png"
        prepared, *_ = load_stimulus(self._stimuli, 0, self._preprocessing, None)
        return choose_suffix(np.asarray(prepared), self._preprocessing)


def choose_suffix(prepared: np.ndarray, preprocessing: Preprocessing) -> str:
    """``.png`` for pictures, ``.wav`` for sounds, ``.npy`` for other arrays."""
    if prepared.dtype == np.uint8:
        return ".png"
    if prepared.ndim == 1 and preprocessing.sample_rate:
        return ".wav"
    low, high = preprocessing.input_range or (0.0, 1.0)
    is_picture = prepared.ndim == 3 and prepared.shape[0] in (1, 3)
    return ".png" if is_picture and prepared.min() >= low and prepared.max() <= high else ".npy"


def encode_prepared(prepared: np.ndarray, preprocessing: Preprocessing) -> bytes:
    """The bytes of a file of one prepared stimulus.

    Parameters
    ----------
    prepared : uint8 (height, width, 3), or float32 (3, height, width), (n_samples,), ...
        What the model's ``prepare_uint8`` or ``prepare`` gave.
    preprocessing : Preprocessing
        Its range and sample rate.
    """
    buffer = io.BytesIO()
    suffix = choose_suffix(prepared, preprocessing)
    if suffix == ".png":
        Image.fromarray(to_pixels(prepared, preprocessing)).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    elif suffix == ".wav":
        from scipy.io import wavfile

        wavfile.write(buffer, int(preprocessing.sample_rate or 0), np.asarray(prepared, np.float32))
    else:
        np.save(buffer, prepared, allow_pickle=False)
    return buffer.getvalue()


def to_pixels(prepared: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """8-bit pixels (height, width[, 3]) of a prepared picture, rounded."""
    if prepared.dtype == np.uint8:
        return prepared
    low, high = preprocessing.input_range or (0.0, 1.0)
    pixels = np.rint((prepared.astype(np.float64) - low) * (255.0 / (high - low))).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def decode_prepared(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    """A file that :func:`encode_prepared` made, as the model takes it before normalisation; opacity is left out.

    Parameters
    ----------
    path : Path
        ``.png``, ``.wav`` or ``.npy``.
    preprocessing : Preprocessing
        Its range.

    Returns
    -------
    float32, (channels, height, width), (n_samples,) or as saved
    """
    if path.suffix == ".wav":
        return load_sound(path)[0]
    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False).astype(np.float32)
        except (OSError, ValueError, EOFError) as error:
            raise StimulusError("an array file", got=f"{path} ({error})") from error
    shape = preprocessing.input_shape
    picture = open_image(path, keep_alpha=True).convert("L" if shape is not None and shape[0] == 1 else "RGB")
    pixels = np.asarray(picture, dtype=np.float32)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    low, high = preprocessing.input_range or (0.0, 1.0)
    return np.ascontiguousarray(pixels * np.float32((high - low) / 255.0) + np.float32(low))
