"""Activations of a panel like nested dictionaries: ``acts[model][stimulus][layer]`` is an array.

The same for a panel's HDF5 file, for an activation store and for a folder of stores. Nothing is read
before it is asked for; arrays under 10 MB are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.activations.panel._sources import ActivationSource, open_source, require

SMALL_BYTES = 10 * 1024**2
CACHE_BYTES = 1024**3


@final
class LazyActivations:
    """All models of a file; see :func:`load_lazy_activations`."""

    def __init__(self, path: str | Path, *, average: bool = False) -> None:
        self._source = open_source(path)
        self._cache = _Cache()
        self._average = average

    def keys(self) -> list[str]:
        """Names of the models, alphabetical."""
        return self._source.list_models()

    def __contains__(self, model: object) -> bool:
        return isinstance(model, str) and self._source.find_model(model) is not None

    def __getitem__(self, model: str) -> ModelActivations:
        name = self._source.find_model(model)
        require(name is not None, f"model in {self._source.path.name}", model, self.keys())
        return ModelActivations(self._source, self._cache, self._average, name or model)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __enter__(self) -> LazyActivations:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LazyActivations({self._source.path}: {', '.join(self.keys())})"

    def clear_cache(self) -> None:
        """Forget the arrays that are kept."""
        self._cache.clear()

    def close(self) -> None:
        """Forget the arrays and close the file; a later read opens it again."""
        self._cache.clear()
        self._source.close()


@final
class ModelActivations:
    """All stimuli of one model."""

    def __init__(self, source: ActivationSource, cache: _Cache, average: bool, model: str) -> None:
        self._source, self._cache, self._average, self._model = source, cache, average, model

    def keys(self) -> list[str]:
        """Ids of the stimuli, alphabetical."""
        return self._source.list_images(self._model)

    def __contains__(self, image: object) -> bool:
        return isinstance(image, str) and self._source.has_image(self._model, image)

    def __getitem__(self, image: str) -> ImageActivations:
        if image not in self:
            require(False, f"stimulus of {self._model}", image, self.keys())
        return ImageActivations(self._source, self._cache, self._average, self._model, image)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __repr__(self) -> str:
        return f"ModelActivations({self._model}: {format_count(len(self), 'stimulus')})"

    def clear_cache(self) -> None:
        """Forget the arrays of this model."""
        self._cache.clear(self._model)


@final
class ImageActivations:
    """All layers of one model for one stimulus."""

    def __init__(self, source: ActivationSource, cache: _Cache, average: bool, model: str, image: str) -> None:
        self._source, self._cache, self._average = source, cache, average
        self._model, self._image = model, image

    def keys(self) -> list[str]:
        """Names of the layers, alphabetical."""
        return self._source.list_layers(self._model, self._image)

    def __contains__(self, layer: object) -> bool:
        return isinstance(layer, str) and self._source.has_layer(self._model, self._image, layer)

    def __getitem__(self, layer: str) -> np.ndarray:
        key = (self._model, self._image, layer)
        values = self._cache.get(key)
        if values is None:
            if layer not in self:
                require(False, f"layer of {self._model} for {self._image}", layer, self.keys())
            values = self._source.read(*key)
            if self._average:
                values = values.mean(axis=0, dtype=np.float64).astype(values.dtype)
            self._cache.add(key, values)
        return values

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __repr__(self) -> str:
        return f"ImageActivations({self._model}, {self._image}: {', '.join(self.keys())})"

    def clear_cache(self) -> None:
        """Forget the arrays of this stimulus."""
        self._cache.clear(self._model, self._image)


class _Cache:
    """Small arrays, those used longest ago forgotten first."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[tuple[str, str, str], np.ndarray] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[str, str, str]) -> np.ndarray | None:
        values = self._arrays.get(key)
        if values is not None:
            self._arrays.move_to_end(key)
        return values

    def add(self, key: tuple[str, str, str], values: np.ndarray) -> None:
        if values.nbytes >= SMALL_BYTES:
            return
        self._arrays[key] = values
        self._bytes += values.nbytes
        while self._bytes > CACHE_BYTES:
            self._bytes -= self._arrays.popitem(last=False)[1].nbytes

    def clear(self, *prefix: str) -> None:
        for key in [key for key in self._arrays if key[: len(prefix)] == prefix]:
            self._bytes -= self._arrays.pop(key).nbytes


@suggest_keywords
def load_lazy_activations(h5_path: str | Path, *, average: bool = False) -> LazyActivations:
    """Open a panel's activations without reading them.

    Parameters
    ----------
    h5_path : path
        A panel's HDF5 file, an activation store (``.zarr``), or a folder of stores.
    average : bool
        Give the mean over replicates, (feature_dim,), instead of (n_replicates, feature_dim).

    Returns
    -------
    LazyActivations
        ``acts[model][stimulus][layer]`` is a float32 array. Each level has ``keys()`` (a list), ``in``,
        ``len``, iteration and ``clear_cache()``; ``acts.close()`` closes the file, and reading opens it
        again. An array under 10 MB is kept and given out again as the same object: copy it before
        changing it.

    Raises
    ------
    ValueError
        When the file cannot be read.
    KeyError
        By ``[]``, for a name that is not there.

    Examples
    --------
    >>> import beholder as bh
    >>> what = {"folders": ["star"], "models": ["beholder:shapes"], "layers": ["classifier"]}
    >>> (file,) = bh.extract_panel("images", "panel", **what)
    >>> acts = bh.load_lazy_activations(file)
    >>> acts["shapes"]["star_0000"]["classifier"].shape
    (4, 16)
    """
    return LazyActivations(h5_path, average=average)


@suggest_keywords
def load_model_activations_lazy(
    h5_path: str | Path, model_name: str, *, average: bool = False
) -> dict[str, ModelActivations]:
    """Open one model's activations: a dictionary of that model alone.

    Parameters
    ----------
    h5_path, average
        As for :func:`load_lazy_activations`.
    model_name : str
        A model in the file; else a ``KeyError``.
    """
    return {model_name: load_lazy_activations(h5_path, average=average)[model_name]}


@suggest_keywords
def get_available_models(h5_path: str | Path) -> list[str]:
    """Names of the models in a file, alphabetical."""
    with LazyActivations(h5_path) as acts:
        return acts.keys()


@suggest_keywords
def get_available_images(h5_path: str | Path, model_name: str) -> list[str]:
    """Ids of a model's stimuli, alphabetical; ``KeyError`` for a model that is not there."""
    with LazyActivations(h5_path) as acts:
        return acts[model_name].keys()


@suggest_keywords
def get_available_layers(h5_path: str | Path, model_name: str, sample_image: str | None = None) -> list[str]:
    """Layers of a model for one stimulus, default the first; ``ValueError`` for a model without stimuli."""
    with LazyActivations(h5_path) as acts:
        model = acts[model_name]
        return model[_pick_first(model, sample_image)].keys()


@suggest_keywords
def get_activation_shape(
    h5_path: str | Path, model_name: str, sample_image: str | None = None, layer_name: str | None = None
) -> tuple[int, ...]:
    """(n_replicates, feature_dim) of one stimulus and layer, default the first of each, without reading values."""
    with LazyActivations(h5_path) as acts:
        model = acts[model_name]
        image = _pick_first(model, sample_image)
        layers = model[image]
        layer = _pick_first(layers, layer_name)
        if layer not in layers:
            require(False, f"layer of {model_name} for {image}", layer, layers.keys())
        return acts._source.read_shape(model._model, image, layer)


def _pick_first(level: ModelActivations | ImageActivations, name: str | None) -> str:
    if name is not None:
        return name
    names = level.keys()
    if not names:
        raise InputError("a group that is not empty", got=repr(level))
    return names[0]
