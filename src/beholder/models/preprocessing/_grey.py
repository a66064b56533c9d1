"""Grey pictures: one channel of 8-bit values, on the scale that the network was made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import StimulusError, format_values
from beholder.models.preprocessing._base import PREPROCESSINGS, Preprocessing, describe_fields, read_fields
from beholder.models.preprocessing._image import ImagePreprocessing, _as_array

if TYPE_CHECKING:
    from torch import Tensor


@PREPROCESSINGS.register("grey")
@final
@dataclass(frozen=True)
class GreyPreprocessing(Preprocessing):
    """Resize and crop as :class:`ImagePreprocessing` does, then grey (0.299 R + 0.587 G + 0.114 B), 0 to ``white``.

    Parameters
    ----------
    resize : int
        Length of the short side.
    crop : (height, width)
        What is cut from the middle.
    interpolation : str
        As for :class:`ImagePreprocessing`.
    white : float
        Value of white; black is 0.
    """

    resize: int = 250
    crop: tuple[int, int] = (250, 250)
    interpolation: str = "bilinear"
    white: float = 255.0

    @property
    def modality(self) -> str:
        """``"image"``."""
        return "image"

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """``(1, height, width)``."""
        return (1, *self.crop)

    @property
    def input_range(self) -> tuple[float, float] | None:
        """``(0, white)``."""
        return (0.0, float(self.white))

    @property
    def sample_rate(self) -> int | None:
        """None."""
        return None

    def prepare(self, source: Any) -> np.ndarray:
        """Decode, resize, crop, make grey.

        Parameters
        ----------
        source : path, bytes, PIL image, uint8 array (height, width[, 3]), or float array (1, height, width)
            A float array counts as prepared: it is checked, and passed through.

        Returns
        -------
        ndarray
            (1, height, width), float32 in ``input_range``.
        """
        from PIL import Image

        array = _as_array(source)
        if array is not None and array.dtype.kind == "f":
            return self._check_prepared(array)
        colour = ImagePreprocessing(self.resize, self.crop, interpolation=self.interpolation)
        pixels = colour.prepare_uint8(source if array is None else array)
        grey = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float32)
        return np.ascontiguousarray(grey[None] * np.float32(self.white / 255))

    def normalize(self, x: Tensor) -> Tensor:
        """The identity."""
        return x

    def list_normalizing(self) -> list[Any]:
        """Nothing."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description."""
        return describe_fields("grey", self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> GreyPreprocessing:
        """From a table with any of the fields; ``crop = 250`` means a square."""
        return cls(**read_fields(cls, table))

    def describe(self) -> str:
        """``"1×250×250"``."""
        return f"1×{self.crop[0]}×{self.crop[1]}"

    def _check_prepared(self, array: np.ndarray) -> np.ndarray:
        if array.shape != self.input_shape:
            raise StimulusError(
                f"a prepared picture of shape {self.input_shape}", got=f"a float array of shape {array.shape}"
            )
        low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        if not (low >= 0 and high <= self.white):
            raise StimulusError(f"a prepared picture in [0, {self.white:g}]", got=format_values(low, high))
        return np.ascontiguousarray(array, dtype=np.float32)
