"""Pictures as arrays: what looks like one, and one as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from beholder._core.errors import StimulusError, format_values, suggest_keywords


@suggest_keywords
def looks_like_pictures(shape: Sequence[int]) -> bool:
    """Whether an array of this shape, stimuli first, holds pictures: (n, h, w[, 1 | 3]) or (n, 1 | 3, h, w)."""
    return len(shape) == 3 or (len(shape) == 4 and (shape[3] in (1, 3) or shape[1] in (1, 3)))


def is_transparent(array: np.ndarray) -> bool:
    """Whether one array is a picture with opacity: (h, w, 4), uint8."""
    return array.ndim == 3 and array.shape[2] == 4 and array.dtype == np.uint8


@suggest_keywords
def to_picture(array: np.ndarray) -> Image.Image:
    """One array as an RGB picture; one with opacity as RGBA.

    Parameters
    ----------
    array : numpy.ndarray
        (h, w, 3), (h, w, 1), (h, w), (3, h, w) or (1, h, w); uint8 in [0, 255] or float in [0, 1]. Or (h, w, 4), uint8.

    Raises
    ------
    StimulusError
        Another shape, dtype or range.
    """
    array = np.asarray(array)
    if is_transparent(array) and 0 not in array.shape:
        return Image.fromarray(np.ascontiguousarray(array))
    if not looks_like_pictures((1, *array.shape)) or 0 in array.shape:
        raise StimulusError("a picture of shape (h, w, 3), (h, w) or (3, h, w)", got=str(array.shape))
    if array.ndim == 3 and array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8:
        check_picture(array)
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array)).convert("RGB")


def check_picture(pictures: np.ndarray) -> None:
    """Refuse pictures that are neither uint8 nor floats in [0, 1]."""
    if pictures.dtype == np.uint8:
        return
    if not np.issubdtype(pictures.dtype, np.floating):
        raise StimulusError(
            "pictures of uint8 or float", got=str(pictures.dtype), hint="kind='array' if none are meant"
        )
    low, high = float(pictures.min(initial=0)), float(pictures.max(initial=0))
    if not (low >= 0 and high <= 1):  # NaN fails too
        got = format_values(low, high)
        raise StimulusError("float pictures in [0, 1]", got=got, hint="kind='array' if no pictures are meant")
