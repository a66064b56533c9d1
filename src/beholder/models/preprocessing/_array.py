"""Arrays as they are, and what a user's own functions make of a stimulus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, StimulusError, format_values
from beholder._core.tensors import is_tensor
from beholder.models.preprocessing._base import PREPROCESSINGS, Preprocessing, check_fields
from beholder.models.preprocessing._sound import read_samples
from beholder.stimuli import looks_like_pictures, open_image

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow makes grey


@PREPROCESSINGS.register("array")
@final
@dataclass(frozen=True)
class ArrayPreprocessing(Preprocessing):
    """The identity, unbounded, unless the user hands in functions.

    Parameters
    ----------
    shape : tuple of int, optional
        Shape of one prepared stimulus; None takes any.
    value_range : (low, high), optional
        Range of a prepared stimulus; None is unbounded.
    rate : int, optional
        Samples per second; makes the modality sound.
    prepare_with : callable, optional
        ``prepare_with(source) -> array``, of a PIL picture, of samples at ``rate``, or of an array. Without it float
        arrays pass through; a picture (file, PIL, or ``uint8``) becomes float32 (3, height, width) at its own size,
        grey (1, height, width) where ``shape`` has one channel, scaled from black to white to ``value_range`` ([0, 1]
        where there is none); a sound file becomes its samples at ``rate``.
    normalize_with : callable, optional
        ``normalize_with(tensor) -> tensor``, differentiable.
    """

    shape: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None
    rate: int | None = None
    prepare_with: Callable[[Any], Any] | None = None
    normalize_with: Callable[[Tensor], Tensor] | None = None

    @property
    def modality(self) -> str:
        """``"sound"`` with a sample rate, ``"image"`` for three channels of a plane, else ``"array"``."""
        if self.rate is not None:
            return "sound"
        return "image" if self.shape is not None and len(self.shape) == 3 and self.shape[0] == 3 else "array"

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """``shape``."""
        return self.shape

    @property
    def input_range(self) -> tuple[float, float] | None:
        """``value_range``."""
        return self.value_range

    @property
    def sample_rate(self) -> int | None:
        """``rate``."""
        return self.rate

    def prepare(self, source: Any) -> np.ndarray:
        """Array, tensor or file to float32; see the class."""
        is_file = isinstance(source, (str, Path, bytes))
        if self.rate is not None:
            value: Any = read_samples(source, self.rate)
            value = value if self.prepare_with is None else self.prepare_with(value)
            if self.shape is not None and np.ndim(value) == 1 and self.shape == (1, len(value)):
                value = value[None]
        elif is_file or _is_picture(source):
            picture = _open_picture(source)
            value = self._read_pixels(picture) if self.prepare_with is None else self.prepare_with(picture)
        else:
            value = source if self.prepare_with is None else self.prepare_with(source)
        return self._check(np.ascontiguousarray(_to_numpy(value), dtype=np.float32))

    def prepare_picture(self, source: np.ndarray) -> np.ndarray:
        """A picture of floats in [0, 1] as its file would be prepared, without rounding to 8 bits.

        Parameters
        ----------
        source : (h, w[, 1 or 3]) or (1 or 3, h, w), float in [0, 1]
        """
        if self.prepare_with is not None:
            return self.prepare(source)
        pixels = source.astype(np.float32)
        if pixels.ndim == 3 and pixels.shape != self.shape and pixels.shape[2] in (1, 3):
            pixels = pixels.transpose(2, 0, 1)
        n_channels = self.shape[0] if self.shape is not None and len(self.shape) == 3 else None
        if pixels.ndim == 2 and n_channels is not None:
            pixels = pixels[None]
        if n_channels == 3 and len(pixels) == 1:
            pixels = np.repeat(pixels, 3, axis=0)
        elif n_channels == 1 and len(pixels) == 3:
            pixels = np.tensordot(_LUMA, pixels, axes=1)[None]
        return self._check(self._scale(np.ascontiguousarray(pixels)))

    def _read_pixels(self, picture: Any) -> np.ndarray:
        """A picture's pixels in ``value_range``, grey where the shape has one channel."""
        is_grey = self.shape is not None and (len(self.shape) == 2 or (len(self.shape) == 3 and self.shape[0] == 1))
        pixels = np.asarray(picture.convert("L") if is_grey else picture) / np.float32(255)
        if pixels.ndim == 3:
            return self._scale(pixels.transpose(2, 0, 1))
        return self._scale(pixels if self.shape is not None and len(self.shape) == 2 else pixels[None])

    def _scale(self, pixels: np.ndarray) -> np.ndarray:
        """From [0, 1] to ``value_range``."""
        low, high = self.value_range or (0.0, 1.0)
        return pixels if (low, high) == (0.0, 1.0) else pixels * np.float32(high - low) + np.float32(low)

    def _check(self, array: np.ndarray) -> np.ndarray:
        if self.shape is not None and array.shape != self.shape:
            raise self.explain_shape(array.shape)
        if self.value_range is not None and array.size:
            low, high = float(array.min()), float(array.max())
            slack = 1e-6 * (self.value_range[1] - self.value_range[0])
            if not (low >= self.value_range[0] - slack and high <= self.value_range[1] + slack):
                raise StimulusError(f"values in {list(self.value_range)}", got=format_values(low, high))
        return array

    def explain_shape(self, shape: tuple[int, ...]) -> StimulusError:
        """The shape that is wanted, and which preprocessing gives it."""
        wanted: tuple[int, ...] = self.shape or ()
        if self.rate is not None and len(shape) == 1 and wanted[:-1] in ((), (1,)):
            n_samples = wanted[-1] if wanted else 0
            seconds = f"{n_samples / self.rate:g}"
            way = f"SoundPreprocessing(rate={self.rate}, duration={seconds})"
            return StimulusError(
                f"sounds of {n_samples:,} samples ({seconds} s at {self.rate} Hz)", got=f"{shape[0]:,} samples",
                hint=f"wrap(..., preprocess={way}), which cuts and pads",
            )  # fmt: skip
        if len(wanted) != 3 or wanted[0] not in (1, 3) or len(shape) != 3 or self.prepare_with is not None:
            hint = "wrap(..., preprocess=...)"
            return StimulusError(f"a stimulus of shape {wanted}", got=f"shape {shape}", hint=hint)
        side, crop = min(wanted[1:]), f"({wanted[1]}, {wanted[2]})"
        low, high = self.value_range or (0.0, 1.0)
        if wanted[0] == 1:
            way = f"GreyPreprocessing(resize={side}, crop={crop}, white={high:g})"
        else:
            mean, std = -low / (high - low), 1 / (high - low)
            box = f"resize={side}" if wanted[1] == wanted[2] else f'resize={crop}, crop_mode="squash"'
            way = f"ImagePreprocessing({box}, crop={crop}, mean={_repeat(mean)}, std={_repeat(std)})"
        return StimulusError(
            f"pictures of {wanted[1]} × {wanted[2]} pixels, shape {wanted}", got=f"{shape[1]} × {shape[2]} pixels",
            hint=f"wrap(..., preprocess={way}), which resizes",
        )  # fmt: skip

    def normalize(self, x: Tensor) -> Tensor:
        """``normalize_with``, or the identity."""
        return x if self.normalize_with is None else self.normalize_with(x)

    def list_normalizing(self) -> list[Any]:
        """``normalize_with``, if there is one."""
        return [] if self.normalize_with is None else ["own", self.normalize_with]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description; functions are named, not kept."""
        table: dict[str, Any] = {
            "kind": "array",
            "shape": None if self.shape is None else list(self.shape),
            "value_range": None if self.value_range is None else list(self.value_range),
            "rate": self.rate,
        }
        for name in ("prepare_with", "normalize_with"):
            function = getattr(self, name)
            if function is not None:
                table[name] = getattr(function, "__qualname__", type(function).__qualname__)
        return table

    def list_functions(self) -> dict[str, Any]:
        """``prepare_with`` and ``normalize_with``, those that are there."""
        functions = {"prepare_with": self.prepare_with, "normalize_with": self.normalize_with}
        return {name: function for name, function in functions.items() if function is not None}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ArrayPreprocessing:
        """From a table with any of ``shape``, ``value_range``, ``rate``."""
        check_fields(cls, table)
        if "prepare_with" in table or "normalize_with" in table:
            raise InputError("a preprocessing that a file can describe", got="one made of the user's functions")
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return cls(**fields)

    def describe(self) -> str:
        """``"3×32×32"`` or ``"arrays of a shape not given"``."""
        return "×".join(str(side) for side in self.shape) if self.shape else f"{self.modality}s of a shape not given"


def _is_picture(source: Any) -> bool:
    """Whether something is a PIL picture, or one as an array of 8-bit pixels."""
    from PIL import Image

    if isinstance(source, np.ndarray) or is_tensor(source):
        return str(source.dtype) in ("uint8", "torch.uint8") and (
            looks_like_pictures((1, *source.shape)) or (source.ndim == 3 and source.shape[2] == 4)
        )
    return isinstance(source, Image.Image)


def _open_picture(source: Any) -> Any:
    return open_image(_to_numpy(source) if is_tensor(source) else Path(source) if isinstance(source, str) else source)


def _repeat(value: float) -> str:
    return f"({', '.join([f'{value + 0.0:g}'] * 3)})"


def _to_numpy(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if is_tensor(value) else np.asarray(value)
