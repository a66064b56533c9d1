"""What entries of an HDF5 file are, and the values of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from beholder._core.errors import InputError


def import_h5py() -> Any:
    """h5py, which has no types."""
    import h5py  # pyright: ignore[reportMissingTypeStubs]

    return h5py


def is_dataset(item: Any) -> bool:
    """Whether an entry of a file holds values, and no further entries."""
    return isinstance(item, import_h5py().Dataset)


def is_group(item: Any) -> bool:
    """Whether an entry of a file holds further entries."""
    return isinstance(item, import_h5py().Group)


def list_entries(group: Any) -> list[tuple[str, Any]]:
    """Names and entries of a file or group."""
    return [(str(name), item) for name, item in group.items()]


def read_dataset(dataset: Any) -> np.ndarray:
    """A dataset's values, texts as such; other Python objects are an error."""
    if import_h5py().check_string_dtype(dataset.dtype) is not None:
        texts = np.asarray(dataset.asstr("utf-8", "replace")[()], dtype=object)
        return texts.astype(np.str_)
    if dataset.dtype.kind == "S":
        return np.char.decode(dataset[()], "utf-8", "replace")
    if dataset.dtype.hasobject:
        raise InputError("numbers and texts", got=f"references or objects in {dataset.name}")
    return np.asarray(dataset[()])
