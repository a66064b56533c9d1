"""The ``ds`` of a ``build_network.py``: preprocessing and classes.

Such an object has some of ``min_value``, ``max_value``, ``transform_test``, ``SR``, ``label_mapping``,
``num_classes`` and ``make_loaders(workers, batch_size, ...)`` that gives a training and a validation loader.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import StimulusError, format_values, suggest_keywords
from beholder._core.tensors import is_tensor
from beholder.models.preprocessing._base import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger("beholder")

_SECONDS = 2.0
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+|_beholder_file_[0-9a-f]+\.")


def get_attribute(dataset: Any, name: str, default: Any = None) -> Any:
    """What a dataset of unknown class calls ``name``."""
    return getattr(dataset, name, default)


@suggest_keywords
def read_noise_mean(directory: Path | str) -> float | None:
    """``init_noise_mean`` of the dataset of a model directory, where it has one."""
    from beholder.models.sources._network_file import open_dataset

    mean = get_attribute(open_dataset(directory), "init_noise_mean")
    return None if mean is None else float(mean)


@final
@dataclass(frozen=True)
class DatasetPreprocessing(Preprocessing):
    """A dataset's own ``transform_test``; what normalises its values belongs to the network.

    Parameters
    ----------
    file : str
        The ``build_network.py``; the dataset itself is opened when the first stimulus is prepared.
    shape : tuple of int or None
        Of one stimulus as the network takes it. A prepared sound is without its channel axis: (n_samples,).
    value_range : (low, high) or None
    rate : int or None
        Samples per second; makes the stimuli sounds.
    transform : str
        The transform's own description, for the provenance.
    """

    file: str
    shape: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None
    rate: int | None = None
    transform: str = ""

    @property
    def modality(self) -> str:
        """``"image"``; with a rate ``"sound"``, or ``"array"`` where the transform gives no samples."""
        if self.rate is None:
            return "image"
        return "sound" if self.input_shape is None or len(self.input_shape) == 1 else "array"

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """``shape``; of a sound without its channel axis."""
        if self.rate is not None and self.shape is not None and len(self.shape) == 2 and self.shape[0] == 1:
            return self.shape[1:]
        return self.shape

    @property
    def input_range(self) -> tuple[float, float] | None:
        """``value_range``."""
        return self.value_range

    @property
    def sample_rate(self) -> int | None:
        """``rate``, of sounds."""
        return self.rate if self.modality == "sound" else None

    def prepare(self, source: Any) -> np.ndarray:
        """Open, resample, cut to length, transform.

        Parameters
        ----------
        source : path, bytes, PIL image, (samples, sample_rate), or array
            A float array of ``input_shape`` counts as prepared, and passes through.

        Returns
        -------
        ndarray
            ``input_shape``, float32 in ``input_range``; what lies beyond is clipped, and said.
        """
        source = source.detach().cpu().numpy() if is_tensor(source) else source
        array = source if isinstance(source, np.ndarray) else None
        if array is not None and array.dtype.kind == "f" and self.input_shape in (None, array.shape):
            return self._check(array)
        from beholder.models.sources._network_file import open_dataset

        opened = self._open_sound(source) if self.rate is not None else _open_picture(source)
        values = apply_transform(open_dataset(self.file), opened)
        if self.shape is not None and values.shape != self.shape:
            raise StimulusError(f"a stimulus of shape {self.shape}", got=f"transform_test's {values.shape}")
        return self._clip(values if self.input_shape is None else values.reshape(self.input_shape), source)

    def normalize(self, x: Tensor) -> Tensor:
        """Give sounds their channel axis back."""
        return x if self.shape is None else x.reshape(len(x), *self.shape)

    def list_normalizing(self) -> list[Any]:
        """The channel axis that sounds get back."""
        return [] if self.shape in (None, self.input_shape) else ["shaped", self.shape]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description, without the place of the file."""
        return {
            "kind": "dataset",
            "shape": None if self.shape is None else list(self.shape),
            "value_range": None if self.value_range is None else list(self.value_range),
            "rate": self.rate,
            "transform": self.transform,
        }

    def list_functions(self) -> dict[str, Any]:
        """The dataset's ``transform_test``, if it has one."""
        from beholder.models.sources._network_file import open_dataset

        transform = get_attribute(open_dataset(self.file), "transform_test")
        return {} if transform is None else {"transform_test": transform}

    def describe(self) -> str:
        """``"3×224×224"``."""
        shape = "×".join(str(side) for side in self.input_shape) if self.input_shape else f"any {self.modality}"
        return shape if self.rate is None else f"{shape} at {self.rate} Hz"

    def _open_sound(self, source: Any) -> np.ndarray:
        from beholder.stimuli import load_sound, resample_sound

        assert self.rate is not None
        if isinstance(source, (str, Path, bytes)):
            source = load_sound(Path(source) if isinstance(source, str) else source)
        samples, rate = source if isinstance(source, tuple) else (source, self.rate)
        samples = np.asarray(samples, dtype=np.float32)
        if rate != self.rate:
            samples = resample_sound(samples, rate, self.rate)
        if self.shape is None:
            return samples
        surplus = samples.shape[0] - self.shape[-1]
        if surplus >= 0:
            return samples[surplus // 2 : surplus // 2 + self.shape[-1]]
        return np.pad(samples, (-surplus // 2, -surplus - -surplus // 2))

    def _check(self, array: np.ndarray) -> np.ndarray:
        if self.value_range is not None and array.size:
            low, high = float(array.min()), float(array.max())
            if not (low >= self.value_range[0] and high <= self.value_range[1]):
                raise StimulusError(f"values in {list(self.value_range)}", got=format_values(low, high))
        return np.ascontiguousarray(array, dtype=np.float32)

    def _clip(self, values: np.ndarray, source: Any) -> np.ndarray:
        if not np.isfinite(values).all():
            raise StimulusError("finite values from transform_test", got="NaN or infinity")
        if self.value_range is None:
            return values
        low, high = self.value_range
        beyond = int(np.count_nonzero((values < low) | (values > high)))
        if beyond:
            name = source if isinstance(source, (str, Path)) else "a stimulus"
            logger.warning("%s: %d values beyond [%g, %g] are clipped", name, beyond, low, high)
        return np.clip(values, low, high)


def _open_picture(source: Any) -> Any:
    from beholder.stimuli import open_image

    return open_image(Path(source) if isinstance(source, str) else source)


def apply_transform(dataset: Any, opened: Any) -> np.ndarray:
    """What a dataset's ``transform_test`` makes of a picture or of samples, float32.

    Transforms of two arguments, a sound and a background, are given no background.
    """
    transform = get_attribute(dataset, "transform_test")
    if transform is None:
        opened = np.asarray(opened)
        return opened if opened.ndim == 1 else opened.transpose(2, 0, 1) / np.float32(255)
    result = transform(opened, None) if _takes_background(transform) else transform(opened)
    if isinstance(result, (tuple, list)):
        result = result[0]
    detach = get_attribute(result, "detach")
    values = detach().cpu().numpy() if detach is not None else np.asarray(result)
    return np.ascontiguousarray(values, dtype=np.float32)


def _takes_background(transform: Any) -> bool:
    try:
        parameters = inspect.signature(transform).parameters.values()
    except (TypeError, ValueError):
        return False
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in plain and each.default is each.empty for each in parameters) > 1


def read_dataset(dataset: Any, file: str, shape: tuple[int, ...] | None) -> DatasetPreprocessing | None:
    """The preprocessing that a dataset describes; None for one that has neither a range nor a transform.

    Parameters
    ----------
    dataset : object
    file : str
        The ``build_network.py`` that made it.
    shape : tuple of int, optional
        Of one stimulus, where the file says it; else a picture, or noise of ``n_samples`` samples or two seconds, is
        tried.
    """
    low, high = get_attribute(dataset, "min_value"), get_attribute(dataset, "max_value")
    transform = get_attribute(dataset, "transform_test")
    if low is None and high is None and transform is None:
        return None
    rate = get_attribute(dataset, "SR")
    return DatasetPreprocessing(
        file=file,
        shape=shape or _try_shape(dataset, None if rate is None else int(rate)),
        value_range=None if low is None or high is None else (float(low), float(high)),
        rate=None if rate is None else int(rate),
        transform=_ADDRESS.sub("", " ".join(repr(transform).split())),
    )


def _try_shape(dataset: Any, rate: int | None) -> tuple[int, ...] | None:
    from PIL import Image

    noise = np.random.default_rng(0)
    if rate is not None:
        n_samples = int(get_attribute(dataset, "n_samples") or round(_SECONDS * rate))
        return apply_transform(dataset, noise.standard_normal(n_samples).astype(np.float32) / 10).shape
    sizes = ((320, 288), (288, 352))
    pictures = [Image.fromarray(noise.integers(256, size=(*size, 3), dtype=np.uint8)) for size in sizes]
    first, second = (apply_transform(dataset, picture).shape for picture in pictures)
    return first if first == second else None


def read_classes(dataset: Any) -> tuple[str, ...] | None:
    """Names of the outputs, in order, from ``label_mapping``; the ImageNet classes where 1,000 have no names."""
    mapping = get_attribute(dataset, "label_mapping")
    if isinstance(mapping, Mapping) and mapping:
        numbers = sorted(mapping)
        if numbers == list(range(len(numbers))):
            return tuple(str(mapping[number]) for number in numbers)
        return None
    if mapping is None and get_attribute(dataset, "num_classes") == 1000 and get_attribute(dataset, "SR") is None:
        from beholder.models.words._vocabulary import list_imagenet_classes

        return list_imagenet_classes()
    return None
