"""Stimuli that are held one by one: pictures of different sizes, sounds of different lengths, items of a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from PIL import Image

from beholder._core.errors import InputError
from beholder._core.tensors import is_tensor
from beholder.stimuli.sets._packed import PackedFiles


@final
class StimulusItems:
    """Something indexed by position, whose items need not have one shape; the first axis is the stimuli's.

    Parameters
    ----------
    source : sequence
        ``source[i]`` gives item ``i``, for as long as the set is used.
    convert : callable, optional
        Makes a stimulus of an item: an array, the bytes of a file, or ``(samples, sample_rate)``.
    rows : numpy.ndarray, optional
        Which items, in which order; all by default.
    """

    def __init__(
        self, source: Any, convert: Callable[[Any], Any] | None = None, rows: np.ndarray | None = None
    ) -> None:
        self._source, self._convert = source, convert
        self.rows = np.arange(len(source)) if rows is None else np.asarray(rows, dtype=np.int64)
        self.shape: tuple[int, ...] = (len(self.rows),)

    @property
    def source(self) -> Any:
        """What the items are taken from."""
        return self._source

    @property
    def packed(self) -> PackedFiles | None:
        """The files that the items are, where they are."""
        return self._source if isinstance(self._source, PackedFiles) and self._convert is None else None

    @property
    def dtype(self) -> np.dtype:
        """Type of the first item's numbers; uint8 for the bytes of files."""
        if self.packed is not None:
            return np.dtype(np.uint8)
        first = self[0]
        if isinstance(first, bytes):
            return np.dtype(np.uint8)
        return np.asarray(first[0] if isinstance(first, tuple) else first).dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"StimulusItems({len(self)} of {type(self._source).__name__})"

    def __getitem__(self, i: int) -> Any:
        source, row = self._source, int(self.rows[i])
        if isinstance(source, PackedFiles):
            item = source.read(row, self.rows[i + 1 : i + 1 + source.count_following()])
        else:
            item = source[row]
        return item if self._convert is None else self._convert(item)

    def take(self, positions: np.ndarray) -> StimulusItems:
        """The same source with some of its items; reads nothing."""
        return StimulusItems(self._source, self._convert, self.rows[positions])


def picture_to_array(picture: Image.Image) -> np.ndarray:
    """An open picture as its file would be read: upright, RGB; RGBA where pixels are transparent; uint8."""
    from beholder.stimuli.images._image import open_image

    pixels = np.asarray(open_image(picture, keep_alpha=True, name=_name_picture(picture)))
    return np.ascontiguousarray(pixels[..., :3]) if (pixels[..., 3] == 255).all() else pixels


def _name_picture(picture: Image.Image) -> str:
    return str(getattr(picture, "filename", "") or "a picture")


def to_plain(value: Any) -> Any:
    """A tensor as an array, a picture as its pixels; everything else as it is."""
    if isinstance(value, Image.Image):
        return picture_to_array(value)
    if is_tensor(value):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
    return value


def check_item(item: Any, name: str) -> np.ndarray:
    """One stimulus as an array of numbers: a picture (h, w), (h, w, 1 | 3 | 4), (1 | 3, h, w), or a row of numbers."""
    array = np.asarray(to_plain(item))
    if array.dtype.kind not in "uifb" or array.ndim == 0:
        got = f"{name}: {type(item).__name__}" + (f" of {array.dtype}" if array.ndim else "")
        raise InputError("stimuli that are pictures, arrays of numbers or paths of files", got=got)
    return array
