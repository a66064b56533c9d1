"""Where the panel readers read from: an HDF5 file, a Zarr store, or a folder of stores."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import to_path_name
from beholder._core.wording import word
from beholder.activations.formats._hdf5 import list_names, open_hdf5, read_dataset
from beholder.activations.formats._panel import to_dataset_name

if TYPE_CHECKING:
    import h5py

    from beholder.activations.store._lazy import Activations, LayerActivations


class MissingNameError(UnknownNameError, KeyError):
    """No such model, stimulus or layer: a ``KeyError`` that suggests the nearest name."""

    def __str__(self) -> str:
        return word(ValueError.__str__(self))


class ActivationSource(ABC):
    """Models, stimuli, layers and values of one file or folder; opened when first used, reopened after closing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def list_models(self) -> list[str]:
        """Names of the models."""

    @abstractmethod
    def find_model(self, model: str) -> str | None:
        """The name under which a model is kept, or None."""

    @abstractmethod
    def list_images(self, model: str) -> list[str]:
        """Ids of a model's stimuli."""

    @abstractmethod
    def has_image(self, model: str, image: str) -> bool:
        """Whether a model has a stimulus."""

    @abstractmethod
    def list_layers(self, model: str, image: str) -> list[str]:
        """Layers that a model has for a stimulus."""

    @abstractmethod
    def has_layer(self, model: str, image: str, layer: str) -> bool:
        """Whether there are values for a layer."""

    @abstractmethod
    def read_shape(self, model: str, image: str, layer: str) -> tuple[int, ...]:
        """(n_replicates, feature_dim) of one stimulus, without reading the values."""

    @abstractmethod
    def read(self, model: str, image: str, layer: str) -> np.ndarray:
        """Values of one stimulus, (n_replicates, feature_dim)."""

    @abstractmethod
    def close(self) -> None:
        """Let go of open files."""


def open_source(path: str | Path) -> ActivationSource:
    """The source for a path; whatever is none is an :class:`InputError` (a ``ValueError``)."""
    path = Path(path)
    if path.is_dir():
        stores = [path] if (path / "zarr.json").exists() else sorted(path.glob("*.zarr"))
        if not stores:
            raise InputError("a panel file, an activation store or a folder of stores", got=str(path))
        return StoreSource(path, stores)
    return PanelSource(path)


@final
class PanelSource(ActivationSource):
    """A panel's HDF5 file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: h5py.File | None = None
        self._process = 0
        open_hdf5(path).close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None, "_process": 0}

    def list_models(self) -> list[str]:
        """Names of the models."""
        return list_names(self._open())

    def find_model(self, model: str) -> str | None:
        """The name under which a model is kept, or None."""
        return next((name for name in (model, to_path_name(model)) if _has(self._open(), name)), None)

    def list_images(self, model: str) -> list[str]:
        """Ids of a model's stimuli."""
        return list_names(self._group(model))

    def has_image(self, model: str, image: str) -> bool:
        """Whether a model has a stimulus."""
        return _has(self._group(model), image)

    def list_layers(self, model: str, image: str) -> list[str]:
        """Layers that a model has for a stimulus."""
        return list_names(self._group(model, image))

    def has_layer(self, model: str, image: str, layer: str) -> bool:
        """Whether there are values for a layer."""
        return _has(self._group(model, image), to_dataset_name(layer))

    def read_shape(self, model: str, image: str, layer: str) -> tuple[int, ...]:
        """(n_replicates, feature_dim) of one stimulus, without reading the values."""
        dataset: Any = self._group(model, image)[to_dataset_name(layer)]
        return tuple(dataset.shape)

    def read(self, model: str, image: str, layer: str) -> np.ndarray:
        """Values of one stimulus, (n_replicates, feature_dim)."""
        return read_dataset(self._group(model, image).id, to_dataset_name(layer))

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def _open(self) -> h5py.File:
        if self._file is None or self._process != os.getpid():  # a forked process opens the file for itself
            self._file, self._process = open_hdf5(self.path), os.getpid()
        return self._file

    def _group(self, *names: str) -> h5py.Group:
        import h5py

        item: Any = self._open()["/".join(names)]
        if not isinstance(item, h5py.Group):
            raise InputError("a panel file /model/stimulus/layer", got=f"{self.path}, where {item.name} is a dataset")
        return item


def _has(group: h5py.Group, name: str) -> bool:
    return bool(name) and "/" not in name and name not in (".", "..") and name in group


@final
class StoreSource(ActivationSource):
    """One or several activation stores; a model goes by its name in paths, several stores by their own."""

    def __init__(self, path: Path, stores: list[Path]) -> None:
        super().__init__(path)
        self._paths = {_name_store(store, alone=len(stores) == 1): store for store in stores}
        self._open_stores: dict[str, Activations] = {}
        self._layers: dict[tuple[str, str], LayerActivations] = {}
        self._rows: dict[str, dict[str, int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_paths": self._paths, "_open_stores": {}, "_layers": {}, "_rows": {}}

    def list_models(self) -> list[str]:
        """Names of the models."""
        return sorted(self._paths)

    def find_model(self, model: str) -> str | None:
        """The name under which a model is kept, or None."""
        for name in (model, to_path_name(model)):
            if name in self._paths:
                return name
        return next((name for name in self._paths if self._open(name).model == model), None)

    def list_images(self, model: str) -> list[str]:
        """Ids of a model's stimuli."""
        return sorted(self._index(model))

    def has_image(self, model: str, image: str) -> bool:
        """Whether a model has a stimulus."""
        return image in self._index(model)

    def list_layers(self, model: str, image: str) -> list[str]:
        """Layers that a model has."""
        return sorted(self._open(model).layers)

    def has_layer(self, model: str, image: str, layer: str) -> bool:
        """Whether there are values for a layer."""
        return layer in self._open(model)

    def read_shape(self, model: str, image: str, layer: str) -> tuple[int, ...]:
        """(n_replicates, feature_dim) of one stimulus, without reading the values."""
        values = self._layer(model, layer)
        return (values.n_replicates, int(np.prod(values.feature_shape, dtype=np.int64)))

    def read(self, model: str, image: str, layer: str) -> np.ndarray:
        """Values of one stimulus, (n_replicates, feature_dim)."""
        row = self._index(model)[image]
        return self._layer(model, layer)[row : row + 1].reshape(self.read_shape(model, image, layer))

    def close(self) -> None:
        """Forget the opened stores; the next read opens them again."""
        self._open_stores.clear()
        self._layers.clear()
        self._rows.clear()

    def _open(self, model: str) -> Activations:
        from beholder.activations.store._lazy import Activations

        if model not in self._open_stores:
            self._open_stores[model] = Activations(self._paths[model])
        return self._open_stores[model]

    def _layer(self, model: str, layer: str) -> LayerActivations:
        if (model, layer) not in self._layers:
            self._layers[model, layer] = self._open(model)[layer]
        return self._layers[model, layer]

    def _index(self, model: str) -> dict[str, int]:
        if model not in self._rows:
            self._rows[model] = {image: row for row, image in enumerate(self._open(model).stimulus_ids)}
        return self._rows[model]


def _name_store(store: Path, *, alone: bool) -> str:
    from beholder.activations.store._lazy import Activations

    own = store.name.removesuffix(".zarr")
    return str(Activations(store).attributes.get("path_name", own)) if alone else own


def require(found: bool, kind: str, name: str, known: Iterable[str]) -> None:
    """Raise a ``KeyError`` that suggests names unless ``found``."""
    if not found:
        raise MissingNameError(kind, name, known)
