"""Arrays as they are, and what a user's own functions make of a stimulus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, StimulusError
from beholder.models._preprocessing_base import Preprocessing, check_fields, refuse_uint8

if TYPE_CHECKING:
    from torch import Tensor


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
        ``prepare_with(source) -> array``. Without it arrays pass through, a picture file becomes float32
        (3, height, width) in [0, 1] at its own size, and a sound file its samples at ``rate``.
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

    @property
    def supports_uint8(self) -> bool:
        """False."""
        return False

    def prepare(self, source: Any) -> np.ndarray:
        """Array, tensor or file to float32; see the class."""
        if self.prepare_with is not None:
            value = self.prepare_with(_open_picture(source) if isinstance(source, (str, Path, bytes)) else source)
        elif isinstance(source, (str, Path, bytes)) and self.rate is not None:
            value = _open_sound(source, self.rate)
        elif isinstance(source, (str, Path, bytes)) or _is_picture(source):
            value = np.asarray(_open_picture(source)).transpose(2, 0, 1) / np.float32(255)
        else:
            value = source
        array = np.ascontiguousarray(_to_numpy(value), dtype=np.float32)
        if self.shape is not None and array.shape != self.shape:
            raise StimulusError(
                f"a stimulus of shape {self.shape}", got=f"shape {array.shape}", hint="wrap(..., preprocess=...)"
            )
        if self.value_range is not None and array.size:
            low, high = float(array.min()), float(array.max())
            if not (low >= self.value_range[0] and high <= self.value_range[1]):
                raise StimulusError(f"values in {list(self.value_range)}", got=f"values from {low:.4g} to {high:.4g}")
        return array

    def normalize(self, x: Tensor) -> Tensor:
        """``normalize_with``, or the identity."""
        return x if self.normalize_with is None else self.normalize_with(x)

    def prepare_uint8(self, source: Any) -> np.ndarray:
        """Not offered."""
        raise refuse_uint8(self)

    def normalize_uint8(self, batch: np.ndarray) -> Tensor:
        """Not offered."""
        raise refuse_uint8(self)

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

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ArrayPreprocessing:
        """From a table with any of ``shape``, ``value_range``, ``rate``."""
        check_fields(cls, table)
        if "prepare_with" in table or "normalize_with" in table:
            raise InputError("a preprocessing that a file can describe", got="one made of the user's functions")
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return cls(**fields)

    def describe(self) -> str:
        """``"3×32×32"`` or ``"any array"``."""
        return "×".join(str(side) for side in self.shape) if self.shape else f"any {self.modality}"


def _is_picture(source: Any) -> bool:
    from PIL import Image

    return isinstance(source, Image.Image)


def _open_picture(source: Any) -> Any:
    from beholder.stimuli import open_image

    return open_image(Path(source) if isinstance(source, str) else source)


def _open_sound(source: Any, rate: int) -> np.ndarray:
    from beholder.stimuli import load_sound, resample_sound

    samples, own_rate = load_sound(source)
    return samples if own_rate == rate else resample_sound(samples, own_rate, rate)


def _to_numpy(value: Any) -> np.ndarray:
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return np.asarray(value)
