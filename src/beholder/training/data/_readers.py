"""From a stimulus's source to what the network is shown: first what chance has no part in, then what it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from beholder._core.errors import InputError
from beholder.models import (
    ExtendedPreprocessing,
    GreyPreprocessing,
    ImagePreprocessing,
    Preprocessing,
    prepare_stimulus,
)
from beholder.stimuli import StimulusSet, open_image
from beholder.training.data._augmentations import AUGMENTATIONS
from beholder.training.data._draws import DrawFrom


class StimulusReader(ABC):
    """How one kind of stimulus is read."""

    @abstractmethod
    def load(self, stimuli: StimulusSet, i: int) -> Any:
        """What is kept in memory of a stimulus: decoded, before anything that chance has a part in."""

    @abstractmethod
    def open(self, source: Any) -> Any:
        """The same of what a set that is drawn gives: pixels, or samples with their rate."""

    @abstractmethod
    def show(self, loaded: Any, seed: int, *path: str | int) -> np.ndarray:
        """What the network is shown: float32 of the model's input shape, in its range; ``path`` names the draw."""

    @abstractmethod
    def count_bytes(self, loaded: Any) -> int:
        """Memory that :meth:`load`'s result takes."""


@final
class PlainReader(StimulusReader):
    """Stimuli as ``prepare`` gives them, for validation and for data that are not varied."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing

    def load(self, stimuli: StimulusSet, i: int) -> np.ndarray:
        """The prepared stimulus; pictures of 8 bits as such, where that is the same."""
        source = stimuli.read(i)[0]
        if isinstance(self._preprocessing, ImagePreprocessing) and not _is_float_array(source):
            return self._preprocessing.prepare_uint8(source)
        return prepare_stimulus(self._preprocessing, stimuli, i, source)

    def open(self, source: Any) -> np.ndarray:
        """As ``prepare`` gives it."""
        return self._preprocessing.prepare(source)

    def show(self, loaded: np.ndarray, seed: int, *path: str | int) -> np.ndarray:
        """The prepared stimulus."""
        return _to_unit(loaded) if loaded.dtype == np.uint8 else loaded

    def count_bytes(self, loaded: np.ndarray) -> int:
        """Bytes of the array."""
        return loaded.nbytes


@final
class PictureReader(StimulusReader):
    """Pictures, varied by torchvision's transforms.

    Parameters
    ----------
    preprocessing : Preprocessing
        The model's, with an ``input_shape`` (n_channels, height, width).
    numbers : mapping of str to float
        Augmentations in their order.
    """

    def __init__(self, preprocessing: Preprocessing, numbers: Mapping[str, float]) -> None:
        self._preprocessing = preprocessing
        base = preprocessing.base if isinstance(preprocessing, ExtendedPreprocessing) else preprocessing
        self._base = base
        self._low, self._high = preprocessing.input_range or (0.0, 1.0)
        shape = preprocessing.input_shape
        self._size = None if shape is None else (shape[-2], shape[-1])
        if self._size is None and "crop" in numbers:
            raise InputError("a model with an input size, for crop", got=preprocessing.describe(),
                             hint="augmentations without crop")  # fmt: skip
        interpolation = getattr(base, "interpolation", "bilinear")
        self._stages: dict[str, list[Callable[[Any], Any]]] = {}
        for name, number in numbers.items():
            known = AUGMENTATIONS[name]
            if known.make is not None and known.stage != "batch":
                made = known.make(number, self._size, interpolation)
                self._stages.setdefault(known.stage, []).append(made)
        self._fitted = _fit(base, self._size)

    def load(self, stimuli: StimulusSet, i: int) -> Any:
        """The whole picture, or, without random crops, the part that the network is shown; floats as tensors."""
        source = stimuli.read(i)[0]
        if _is_float_array(source):
            prepared = torch.as_tensor(prepare_stimulus(self._preprocessing, stimuli, i, source))
            return (prepared - self._low) / (self._high - self._low)
        return self.open(source)

    def open(self, source: Any) -> Image.Image:
        """The picture of a file's content or of pixels."""
        if "geometry" not in self._stages and isinstance(self._base, ImagePreprocessing):
            return Image.fromarray(self._base.prepare_uint8(source))
        if isinstance(self._base, ImagePreprocessing):
            return open_image(source, background=self._base.background)
        return open_image(source)

    def show(self, loaded: Any, seed: int, *path: str | int) -> np.ndarray:
        """The varied picture."""
        with DrawFrom(seed, *path):
            for transform in (*self._stages.get("geometry", ()), *self._stages.get("picture", ())):
                loaded = transform(loaded)
            values = loaded if isinstance(loaded, Tensor) else self._to_values(loaded)
            for transform in self._stages.get("values", ()):
                values = transform(values)
        if "values" in self._stages:
            values = values.clamp(0, 1)
        shown = values.numpy()
        if (self._low, self._high) != (0.0, 1.0):
            shown = shown * np.float32(self._high - self._low) + np.float32(self._low)
        return shown

    def count_bytes(self, loaded: Any) -> int:
        """Of a picture four bytes a pixel, as Pillow holds it."""
        if isinstance(loaded, Tensor):
            return loaded.nbytes
        return loaded.width * loaded.height * 4

    def _to_values(self, picture: Image.Image) -> Tensor:
        """A picture in [0, 1], (n_channels, height, width)."""
        if isinstance(self._fitted, ImagePreprocessing):
            return torch.as_tensor(_to_unit(self._fitted.prepare_uint8(picture)))
        prepared = torch.as_tensor(np.ascontiguousarray(self._fitted.prepare(picture)))
        return (prepared - self._low) / (self._high - self._low)


def _is_float_array(source: Any) -> bool:
    array: np.ndarray = source
    return isinstance(source, np.ndarray) and array.dtype.kind == "f"


def _to_unit(pixels: np.ndarray) -> np.ndarray:
    return np.divide(pixels.transpose(2, 0, 1), np.float32(255), dtype=np.float32, order="C")


def _fit(base: Preprocessing, size: tuple[int, int] | None) -> Preprocessing:
    """What prepares a picture that has the network's size already."""
    if size is None:
        return base
    if isinstance(base, ImagePreprocessing):
        return replace(base, resize=None, crop=size)
    return replace(base, resize=min(size)) if isinstance(base, GreyPreprocessing) else base
